// Layers inside layers: shapes, training, inference, descriptions, files.
#include <deltarule/layers/composite.h>
#include <deltarule/layers/weight_norm.h>
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>

#include "support.h"

using namespace support;

namespace {

// Residual blocks with batch statistics and masks inside, branches inside a block.
NetworkSpec nested(std::ptrdiff_t inputs, double outputs) {
  LayerSpec dropout = layer("dropout");
  dropout.settings.push_back({"rate", 0.25});
  const LayerSpec fan =
      branches({{dense(8, "relu"), layer("batch_norm")}, {}, {dense(16), dropout}}, "concat");
  return {7,
          {dense(24, "relu"), residual({layer("batch_norm"), dense(24, "relu"), fan, dense(24)}),
           residual({residual({layer("layer_norm")})}), dense(outputs)},
          inputs};
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE_TEMPLATE("a residual network learns and predicts", T, float, double) {
  Network<T> network(nested(5, 3));
  CHECK(network.tensor("residual_1.branches_1.dense_2.weight").size() == 24 * 16);
  CHECK(network.tensor("residual_1.dense_2.weight").size() == (8 + 24 + 16) * 24);
  CHECK(network.tensor("residual_2.residual_1.layer_norm_1.gain").size() == 24);
  const Classes<T> classes(300, 5, 3);
  Trainer<T> trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}},
                               .optimizer = {"adam", {{"learning_rate", 0.01}}}});
  const double before = trainer.evaluate(classes.data).loss;
  EpochOptions options;
  options.batch_size = 50;
  for (options.epoch = 0; options.epoch < 20; ++options.epoch) trainer.run_epoch(classes.data, options);
  CHECK(trainer.evaluate(classes.data).loss < 0.5 * before);

  // One row at a time and many at once give the same bits.
  Session<T> one(network, 1), many(network, 64);
  std::vector<T> a(300 * 3), b(300 * 3);
  one.run(classes.x.data(), a.data(), 300);
  many.run(classes.x.data(), b.data(), 300);
  CHECK(same_bits(std::span<const T>(a), std::span<const T>(b)));

  const std::string path = "composite_test.safetensors";
  save(path, network);
  const Network<T> loaded = load<T>(path);
  std::remove(path.c_str());
  CHECK(to_json(loaded.spec()) == to_json(network.spec()));
  CHECK(same_bits(loaded.parameters(), std::span<const T>(network.parameters())));
  Session<T> again(loaded, 64);
  again.run(classes.x.data(), a.data(), 300);
  CHECK(same_bits(std::span<const T>(a), std::span<const T>(b)));
}

TEST_CASE("a residual block adds its input") {
  Network<double> network({0, {residual({residual({dense(2)}), dense(2)})}, 2});
  const double w[] = {2, 0, 0, 3}, v[] = {1, 1, 0, 1};
  std::copy_n(w, 4, network.tensor("residual_1.residual_1.dense_1.weight").begin());
  std::copy_n(v, 4, network.tensor("residual_1.dense_1.weight").begin());
  const double x[] = {1, -2};
  double y[2];
  Session<double>(network, 1).run(x, y, 1);
  // inner: x + x W = (3, -8); V adds (3, -5) to the outer x
  CHECK(y[0] == 4);
  CHECK(y[1] == -7);
}

TEST_CASE("weights by length and direction") {
  Network<double> network({0, {weight_norm(dense(2))}, 2});
  const double v[] = {3, 0, 4, 2}, g[] = {10, -1};  // columns (3, 4) and (0, 2)
  std::copy_n(v, 4, network.tensor("weight_norm_1.dense_1.weight").begin());
  std::copy_n(g, 2, network.tensor("weight_norm_1.gain").begin());
  network.tensor("weight_norm_1.dense_1.bias")[1] = 5;
  const double x[] = {1, -2};
  double y[2];
  Session<double> session(network, 1);
  session.run(x, y, 1);
  CHECK(std::abs(y[0] - 10 * (3 - 8) / 5.0) < 1e-14);
  CHECK(std::abs(y[1] - (2 + 5)) < 1e-14);
  network.tensor("weight_norm_1.gain")[0] = 0;  // parameters may change between runs
  session.run(x, y, 1);
  CHECK(y[0] == 0);
}

TEST_CASE("copies and descriptions keep what is inside") {
  Network<float> network(nested(5, 3));
  Network<float> copy(network);
  CHECK(to_json(copy.spec()) == to_json(network.spec()));
  const NetworkSpec again = network_spec_from_json(to_json(network.spec()));
  CHECK(again.layers[1].inside.size() == 1);
  CHECK(again.layers[1].inside[0][2].inside.size() == 3);
  CHECK(parameters_of(Network<float>(again)) == parameters_of(network));
}

TEST_CASE("bad composites name what is wrong") {
  const auto error = [](const LayerSpec& l) { return error_of([&] { Network<float>({0, {l}, 3}); }); };
  CHECK(error(layer("residual")) == "residual: block is missing");
  CHECK(error(residual({})) == "residual: block has no layers; allowed: one list of layers, not empty");
  CHECK(error(residual({dense(4)})).find("makes 4 outputs of 3 inputs") != std::string::npos);
  CHECK(error(branches({{dense(4)}, {}})).find("have 4 and 3 outputs") != std::string::npos);
  CHECK(error(branches({{}}, "add")).find("merge = 'add' is not allowed") != std::string::npos);
  CHECK(error(weight_norm(layer("dropout"))) == "weight_norm: layer is a 'dropout'; allowed: a dense layer");
  LayerSpec filled = dense(3);
  filled.inside = {{dense(2)}};
  CHECK(error(filled).find("dense: takes no layers inside") != std::string::npos);
}
