// Cross-validates networks of several widths, all folds and widths at once, on a curve with noise.
#include <deltarule/deltarule.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

int main() {
  constexpr std::ptrdiff_t rows = 240;
  std::vector<float> x, y;
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    const double t = 2.0 * static_cast<double>(i * 97 % rows) / rows - 1;
    x.push_back(static_cast<float>(t));
    y.push_back(static_cast<float>(std::sin(5 * t) + 0.1 * std::sin(1e4 * t)));
  }
  const deltarule::Data<float> all{.rows = rows, .x = x.data(), .target = y.data()};

  // The data are there once; a fold is a list of row numbers.
  std::vector<std::vector<std::uint32_t>> train(3), held_out(3);
  for (std::uint32_t i = 0; i < rows; ++i)
    for (std::uint32_t k = 0; k < 3; ++k) (i % 3 == k ? held_out : train)[k].push_back(i);
  const auto only = [&](const std::vector<std::uint32_t>& numbers) {
    deltarule::Data<float> data = all;
    data.rows = static_cast<std::ptrdiff_t>(numbers.size());
    data.index = numbers.data();
    return data;
  };

  const std::vector<double> widths{1, 4, 16};
  std::vector<std::unique_ptr<deltarule::Network<float>>> networks;
  std::vector<std::unique_ptr<deltarule::Trainer<float>>> trainers;
  std::vector<deltarule::Fitting<float>> fittings;
  for (const double width : widths)
    for (std::size_t k = 0; k < 3; ++k) {
      networks.push_back(std::make_unique<deltarule::Network<float>>(deltarule::NetworkSpec{
          .seed = k,
          .layers = {{.type = "dense", .settings = {{"units", width}}, .parts = {{"activation", {"tanh"}}}},
                     {.type = "dense", .settings = {{"units", 1}}}},
          .input_width = 1}));
      trainers.push_back(std::make_unique<deltarule::Trainer<float>>(
          *networks.back(),
          deltarule::TrainerSpec{.loss = {"mse"}, .optimizer = {"adam", {{"learning_rate", 0.02}}}}));
      deltarule::FitOptions<float> options{
          .data = only(train[k]), .validation = only(held_out[k]), .last_epoch = 300};
      options.early_stopping = {{.patience = 40}};
      fittings.push_back({trainers.back().get(), options});
    }

  const auto results = deltarule::fit_many<float>(fittings);
  std::vector<double> errors;
  for (std::size_t w = 0; w < widths.size(); ++w) {
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += results[3 * w + k].score->loss;
    errors.push_back(sum / 3);
    std::printf("%2g units: mean squared error %.4f on rows held out\n", widths[w], errors.back());
  }
  return errors[2] < 0.02 && errors[2] < errors[0] / 5 ? 0 : 1;
}
