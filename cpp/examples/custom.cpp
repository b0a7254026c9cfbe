// Copy me: an activation, a loss, an update rule and a layer that the library does not have, registered,
// compared with differences of the loss, and trained.
#include <deltarule/deltarule.h>

#include <cmath>
#include <cstdio>
#include <vector>

namespace {

// ---- a layer: multiplies every column by a number that is trained

template <class T>
class ScaleOp final : public deltarule::engine::Op<T> {
 public:
  using Slot = deltarule::engine::Slot;
  using Context = deltarule::engine::Context<T>;
  ScaleOp(Slot in, Slot out, deltarule::engine::Parameter<T> factor) : in_(in), out_(out), factor_(factor) {}
  std::string describe() const override { return "scale " + std::to_string(in_.columns); }

  void forward(const Context& c, const deltarule::engine::Tile& tile) override {
    const auto x = deltarule::engine::value_of(c, in_), y = deltarule::engine::value_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      for (std::ptrdiff_t j = 0; j < in_.columns; ++j) y.at(i)[j] = x.at(i)[j] * factor_.data[j];
  }
  void backward(const Context& c, const deltarule::engine::Tile& tile) override {
    if (!in_.has_gradient()) return;
    const auto dy = deltarule::engine::gradient_of(c, out_), dx = deltarule::engine::gradient_of(c, in_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      for (std::ptrdiff_t j = 0; j < in_.columns; ++j) dx.at(i)[j] = dy.at(i)[j] * factor_.data[j];
  }
  // The gradient of the parameters sums over the batch: it is a task of its own, run by one thread.
  int weight_tasks() const override { return 1; }
  void weight_task(const Context& c, int) override {
    const auto x = deltarule::engine::value_of(c, in_);
    const auto dy = deltarule::engine::gradient_of(c, out_);
    for (std::ptrdiff_t j = 0; j < in_.columns; ++j) {
      c.scratch[j] = 0;
      for (std::ptrdiff_t i = 0; i < c.rows; ++i) c.scratch[j] += dy.at(i)[j] * x.at(i)[j];
    }
    deltarule::engine::finish_gradient(*this, *c.update, factor_.offset, in_.columns, c.scratch);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override { return static_cast<std::size_t>(in_.columns); }

 private:
  Slot in_, out_;
  deltarule::engine::Parameter<T> factor_;
};

class Scale final : public deltarule::LayerOf<Scale> {
 public:
  static constexpr deltarule::Entry entry{.name = "scale", .summary = "Multiplies every column by a number."};
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  std::vector<deltarule::Tensor> tensors() const override {
    return {{.name = "factor",
             .rows = 1,
             .columns = input_width(),
             .vector = true,
             .role = deltarule::Role::gain,
             .initializer = deltarule::catalog::choose(deltarule::Family::initializer, {"ones"})}};
  }
  template <class T>
  void lower_to(deltarule::engine::Lowering<T>& lowering) const {
    const auto in = lowering.input;
    lowering.now_trainable();
    lowering.input = lowering.new_slot(in.columns);
    lowering.add(std::make_unique<ScaleOp<T>>(in, lowering.input, lowering.parameter("factor")));
  }
};

void register_everything() {
  deltarule::custom::add_activation(
      "sine_plus", [](auto x) { return x + std::sin(x); }, [](auto x) { return 1 + std::cos(x); });

  // log(1 + error^2), averaged over the outputs: outliers hardly move it.
  deltarule::custom::add_loss_of_rows("cauchy",
                                      []<class T>(std::size_t n, const T* y, const T* t, T* gradient) {
                                        double sum = 0;
                                        for (std::size_t j = 0; j < n; ++j) {
                                          const T e = y[j] - t[j];
                                          sum += std::log1p(static_cast<double>(e * e));
                                          gradient[j] = 2 * e / (1 + e * e) / static_cast<T>(n);
                                        }
                                        return sum / static_cast<double>(n);
                                      });

  // The heavy ball. What a rule remembers is its own: here one velocity, so one network at a time.
  const auto rule = [velocity = std::make_shared<std::vector<double>>()](const auto& a) {
    using T = std::remove_cvref_t<decltype(a.parameters[0])>;
    if (a.step == 1) velocity->assign(a.parameters.size(), 0.0);
    for (std::size_t i = 0; i < a.parameters.size(); ++i) {
      double& v = (*velocity)[i];
      v = 0.9 * v - a.learning_rate * static_cast<double>(a.gradient[i]);
      a.parameters[i] += static_cast<T>(v);
    }
  };
  deltarule::custom::add_optimizer("heavy_ball", rule, rule, 0.05);

  deltarule::custom::add_layer<Scale>();
}

// Largest difference between the gradient of backpropagation and central differences of the loss.
double gradient_error(deltarule::Network<double>& network, const deltarule::Data<double>& data) {
  const std::vector<double> weights(network.parameters().begin(), network.parameters().end());
  const auto loss = [&] {
    return deltarule::Trainer<double>(network, {.loss = {"cauchy"}, .optimizer = {"sgd"}})
        .evaluate(data)
        .loss;
  };
  // One step of plain descent at rate 1 takes the gradient away from the weights.
  deltarule::Trainer<double>(network, {.loss = {"cauchy"}, .optimizer = {"sgd", {{"learning_rate", 1.0}}}})
      .step(data);
  std::vector<double> gradient;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    gradient.push_back(weights[i] - network.parameters()[i]);
    network.parameters()[i] = weights[i];
  }
  double worst = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    constexpr double h = 1e-5;
    network.parameters()[i] = weights[i] + h;
    const double up = loss();
    network.parameters()[i] = weights[i] - h;
    const double down = loss();
    network.parameters()[i] = weights[i];
    worst = std::max(worst, std::fabs((up - down) / (2 * h) - gradient[i]));
  }
  return worst;
}

}  // namespace

int main() {
  register_everything();
  deltarule::Network<double> network(
      {.seed = 1,
       .layers = {{.type = "dense", .settings = {{"units", 12}}, .parts = {{"activation", {"sine_plus"}}}},
                  {.type = "scale"},
                  {.type = "dense", .settings = {{"units", 1}}}},
       .input_width = 1});
  std::vector<double> x, t;
  for (int i = 0; i < 64; ++i) {
    x.push_back(-2 + i / 16.0);
    t.push_back(std::sin(2 * x.back()));
  }
  const deltarule::Data<double> data{.rows = 64, .x = x.data(), .target = t.data()};

  const double error = gradient_error(network, data);
  std::printf("gradient and differences agree to %.1e\n", error);

  deltarule::Trainer<double> trainer(network, {.loss = {"cauchy"}, .optimizer = {"heavy_ball"}});
  const double before = trainer.evaluate(data).loss;
  for (int epoch = 0; epoch < 500; ++epoch) trainer.run_epoch(data, {.epoch = epoch, .batch_size = 16});
  const double after = trainer.evaluate(data).loss;
  std::printf("loss before %.4f, after %.4f\n", before, after);

  // The file names what was registered; whoever reads it registers the same names first.
  deltarule::save("custom.safetensors", network, &trainer);
  const auto loaded = deltarule::load<double>("custom.safetensors");
  double y = 0, z = 0;
  deltarule::Session<double>(network).run(&x[7], &y);
  deltarule::Session<double>(loaded).run(&x[7], &z);
  return error < 1e-8 && after < before / 10 && y == z ? 0 : 1;
}
