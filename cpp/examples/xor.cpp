// Builds a network in code, trains it on exclusive-or, saves it, loads it and runs it.
#include <deltarule/deltarule.h>

#include <cstdio>
#include <vector>

int main() {
  deltarule::Network<float> network(
      {.seed = 1,
       .layers = {{.type = "dense", .settings = {{"units", 8}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 1}}}},
       .input_width = 2});
  deltarule::Trainer<float> trainer(network, {.loss = {"sigmoid_cross_entropy"},
                                              .optimizer = {"adam", {{"learning_rate", 0.05}}},
                                              .metrics = {{"accuracy"}}});

  const std::vector<float> x{0, 0, 0, 1, 1, 0, 1, 1}, t{0, 1, 1, 0};
  const deltarule::Data<float> data{.rows = 4, .x = x.data(), .target = t.data()};
  for (int epoch = 0; epoch < 200; ++epoch) trainer.run_epoch(data, {.epoch = epoch, .batch_size = 4});
  const auto figures = trainer.evaluate(data);
  std::printf("loss %.4f, accuracy %.2f\n", figures.loss, figures.metrics[0]);

  deltarule::save("xor.safetensors", network, &trainer);
  const auto loaded = deltarule::load<float>("xor.safetensors");
  deltarule::Session<float> session(loaded);
  for (std::size_t i = 0; i < 4; ++i) {
    float logit = 0;
    session.run(&x[2 * i], &logit);
    std::printf("%g xor %g: %s\n", static_cast<double>(x[2 * i]), static_cast<double>(x[2 * i + 1]),
                logit > 0 ? "1" : "0");
  }
  return figures.metrics[0] == 1 ? 0 : 1;
}
