// Steps of one thread through networks that a core's own cache does not hold: each layer's weights are
// updated on the way down.
#include <deltarule/layers/composite.h>
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "same_training.h"

using namespace support;

namespace {

constexpr std::ptrdiff_t inputs = 20, batch = 128;
constexpr int classes = 4;

// With everything that has weights, masks and sums over the batch.
NetworkSpec deep(int blocks, bool sums) {
  LayerSpec dropout = layer("dropout");
  dropout.settings.push_back({"rate", 0.25});
  NetworkSpec spec{.seed = 3, .layers = {layer("standardize"), dense(48, "tanh")}, .input_width = inputs};
  for (int i = 0; i < blocks; ++i) {
    const std::vector<LayerSpec> block{dense(48, "gelu"), layer("prelu"), dropout, dense(48)};
    spec.layers.push_back(residual(block));
    spec.layers.push_back(layer(sums ? "batch_norm" : "layer_norm"));
  }
  spec.layers.push_back(dense(classes));
  return spec;
}
TrainerSpec adam_with_average() {
  TrainerSpec spec{.loss = {"sparse_softmax_cross_entropy"},
                   .optimizer = {"adam", {{"learning_rate", 0.002}}},
                   .metrics = {{"accuracy"}}};
  spec.control.ema_decay = 0.9;
  return spec;
}

// As many blocks as it takes here: how large the cache is differs.
template <class T>
NetworkSpec descending(bool sums) {
  for (int blocks = 4; blocks < 2000; blocks *= 2) {
    Network<T> network(deep(blocks, sums));
    if (!Trainer<T>(network, adam_with_average()).plan(batch, 1).descent_phases().empty())
      return deep(blocks, sums);
  }
  throw std::runtime_error("no network goes down layer by layer");
}

template <class T>
struct Learner {
  Network<T> network;
  Trainer<T> trainer;
  Learner(const NetworkSpec& spec, const Data<T>& data)
      : network(spec), trainer(network, adam_with_average()) {
    learn(network, data);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("the way down layer by layer has the bits of the other one", T, float, double) {
  const Classes<T> data(300, inputs, classes);  // the last batch is smaller
  for (const bool sums : {false, true}) {
    CAPTURE(sums);
    const NetworkSpec spec = descending<T>(sums);
    Learner<T> alone(spec, data.data), together(spec, data.data);
    Figures figures[2];
    for (int epoch = 0; epoch < 2; ++epoch) {
      const EpochOptions options{.epoch = epoch, .batch_size = batch};
      {
        const Threads one(1);
        figures[0] = alone.trainer.run_epoch(data.data, options).figures;
      }
      const Threads two(2);
      figures[1] = together.trainer.run_epoch(data.data, options).figures;
      CHECK(figures[0].loss == figures[1].loss);
      CHECK(figures[0].metrics == figures[1].metrics);
    }
    check_same(alone.trainer, together.trainer);
  }
}

TEST_CASE("on the way down layer by layer a bad step is undone") {
  const Threads one(1);
  const Classes<float> good(4 * batch, inputs, classes);
  Classes<float> broken(4 * batch, inputs, classes);
  broken.x[(3 * batch - 1) * inputs] = std::numeric_limits<float>::infinity();
  const NetworkSpec spec = descending<float>(false);
  Learner<float> learner(spec, good.data), expected(spec, good.data);
  const EpochOptions options{.batch_size = batch, .shuffle = false};
  EpochOptions two = options;
  two.max_steps = 2;
  expected.trainer.run_epoch(good.data, two);
  CHECK_THROWS_AS(learner.trainer.run_epoch(broken.data, options), NonFiniteError);
  check_same(learner.trainer, expected.trainer);

  for (Learner<float>* l : {&learner, &expected}) l->trainer.set_learning_rate(3e38);
  CHECK_THROWS_AS(([&] {
                    for (int e = 0; e < 20; ++e) learner.trainer.run_epoch(good.data, options);
                  }()),
                  NonFiniteError);
  for (const float w : learner.network.parameters()) REQUIRE(std::isfinite(w));
  while (expected.trainer.steps_done() < learner.trainer.steps_done())
    expected.trainer.run_epoch(good.data, {.batch_size = batch,
                                           .shuffle = false,
                                           .first_step = (expected.trainer.steps_done() - 2) % 4,
                                           .max_steps = 1});
  check_same(learner.trainer, expected.trainer);
}
