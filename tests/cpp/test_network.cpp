// Networks: building, names, descriptions, copies.
#include "support.h"

#include <deltarule/engine/plan.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace support;

namespace {

std::string error_of(auto&& f) {
  try {
    f();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE_TEMPLATE("shapes, names and initial values", T, float, double) {
  Network<T> network(mixed(12, 3));
  CHECK(network.built());
  CHECK(network.input_width() == 12);
  CHECK(network.output_width() == 3);
  CHECK(network.parameters().size() == 12 * 48 + 48 + 2 * 48 + 48 * 33 + 33 + 2 * 33 + 33 * 3 + 3);
  CHECK(network.statistics().size() == 2 * 12 + 2 * 48);
  CHECK(network.layers()[1]->name() == "dense_1");
  CHECK(network.layers()[7]->name() == "dense_3");
  CHECK(network.tensor("dense_2.weight").size() == 48 * 33);
  for (const T x : network.tensor("dense_2.bias")) CHECK(x == 0);
  for (const T x : network.tensor("batch_norm_1.gain")) CHECK(x == 1);
  for (const T x : network.tensor("batch_norm_1.running_variance")) CHECK(x == 1);
  double squares = 0;
  for (const T x : network.tensor("dense_1.weight")) squares += static_cast<double>(x * x);
  CHECK(squares / (12 * 48) == doctest::Approx(2.0 / 12).epsilon(0.15));  // he_normal before a ReLU
  CHECK(error_of([&] { network.tensor("dense_1.wieght"); }) ==
        "network: no array 'dense_1.wieght', did you mean 'dense_1.weight'?");
}

TEST_CASE_TEMPLATE("the same seed gives the same bits, another one others", T, float, double) {
  const Network<T> a(mixed(7, 2, 5)), b(mixed(7, 2, 5)), c(mixed(7, 2, 6));
  CHECK(same_bits(a.parameters(), b.parameters()));
  CHECK(!same_bits(a.parameters(), c.parameters()));
}

// What "auto" initializers look at ends at a layer that makes columns of its own.
TEST_CASE("initial weights depend on the activation that follows, not on one behind other columns") {
  const LayerSpec relu{"activation", {}, {}, {{"activation", {"relu", {}}}}},
      rbf{"rbf", {}, {{"units", 4}}, {}};
  const auto first = [](const std::vector<LayerSpec>& layers, std::size_t count) {
    const Network<float> network({3, layers, 7});
    const auto p = network.parameters();
    return std::vector<float>(p.begin(), p.begin() + static_cast<std::ptrdiff_t>(count));
  };
  CHECK(first({dense(8), rbf, relu}, 24) == first({dense(8)}, 24));
  CHECK(first({dense(8), relu}, 24) != first({dense(8)}, 24));
  const Network<float> sine({100, {rbf, dense(50, "sin")}, 7});
  float largest = 0;
  for (const auto& tensor : sine.tensors())
    if (tensor.layer == "dense_1" && tensor.columns == 50 && tensor.rows == 4)
      for (std::ptrdiff_t i = 0; i < 200; ++i)
        largest = std::max(largest, std::abs(sine.parameters()[static_cast<std::size_t>(tensor.offset + i)]));
  CHECK(largest > 0);
  CHECK(largest != doctest::Approx(0.25).epsilon(0.02));  // 1 / fan-in: of a first layer
}

TEST_CASE("float32 weights are the rounded float64 ones") {
  const Network<float> narrow(mixed(7, 2));
  const Network<double> wide(mixed(7, 2));
  for (std::size_t i = 0; i < wide.parameters().size(); ++i)
    REQUIRE(narrow.parameters()[i] == static_cast<float>(wide.parameters()[i]));
}

TEST_CASE("building late is building at once") {
  NetworkSpec spec = mixed(9, 4);
  const Network<float> at_once(spec);
  spec.input_width = 0;
  Network<float> late(spec);
  CHECK(!late.built());
  late.build(9);
  CHECK(same_bits(at_once.parameters(), std::span<const float>(late.parameters())));
  late.build(9);  // again the same: nothing happens
  CHECK(error_of([&] { late.build(8); }) == "network: already built for 9 inputs, asked for 8");
  Network<float> other(spec);
  CHECK(error_of([&] { other.build(0); }).find("input width 0 is not allowed") != std::string::npos);
}

TEST_CASE("a description goes to JSON and back") {
  NetworkSpec spec = mixed(5, 2, 123456789012345ull);
  spec.layers[1].name = "first \"quoted\" é";
  const Network<float> network(spec);
  const std::string text = to_json(network.spec());
  const NetworkSpec again = network_spec_from_json(text);
  CHECK(again.seed == 123456789012345ull);
  CHECK(again.input_width == 5);
  CHECK(again.layers.size() == 8);
  CHECK(again.layers[1].name == "first \"quoted\" é");
  CHECK(again.layers[6].parts.at("activation").settings[0].text == "tanh");
  CHECK(to_json(again) == text);
  CHECK(parameters_of(Network<float>(again)) == parameters_of(network));
}

TEST_CASE_TEMPLATE("a copy is independent", T, float, double) {
  Network<T> network(mixed(6, 2));
  Network<T> copy(network);
  CHECK(same_bits(std::span<const T>(copy.parameters()), std::span<const T>(network.parameters())));
  CHECK(to_json(copy.spec()) == to_json(network.spec()));
  copy.parameters()[0] += 1;
  copy.statistics()[0] += 1;
  CHECK(copy.parameters()[0] != network.parameters()[0]);
  CHECK(copy.statistics()[0] != network.statistics()[0]);
  const std::vector<T> before = parameters_of(copy);
  network.parameters()[1] = 99;
  CHECK(same_bits(std::span<const T>(copy.parameters()), std::span<const T>(before)));
  Network<T> moved(std::move(copy));
  CHECK(same_bits(std::span<const T>(moved.parameters()), std::span<const T>(before)));
}

TEST_CASE("bad descriptions name what is wrong") {
  const auto error = [](std::vector<LayerSpec> layers) {
    return error_of([&] { Network<float>({0, std::move(layers), 3}); });
  };
  CHECK(error({}) == "network: no layers given; at least one is needed");
  CHECK(error({layer("dens")}).find("did you mean 'dense'?") != std::string::npos);
  CHECK(error({dense(4, "rleu")}).find("did you mean 'relu'?") != std::string::npos);
  CHECK(error({dense(0)}).find("units = 0 is not allowed") != std::string::npos);
  CHECK(error({dense(2.5)}).find("units = 2.5 is not allowed") != std::string::npos);
  LayerSpec dotted = dense(2), twice = dense(2);
  dotted.name = "a.b";
  twice.name = "same";
  CHECK(error({dotted}).find("must not contain a dot") != std::string::npos);
  CHECK(error({twice, twice}) == "network: two layers are called 'same'; names must differ");
  LayerSpec wrong = dense(2);
  wrong.settings.push_back({"unit", 3});
  CHECK(error({wrong}).find("unknown parameter 'unit'") != std::string::npos);
  LayerSpec part = dense(2);
  part.parts["activaton"] = {"relu", {}};
  CHECK(error({part}) != "nothing was thrown");
}

TEST_CASE("Standardize learns mean and deviation; a constant column becomes zero") {
  Network<double> network({0, {layer("standardize")}, 2});
  CHECK(network.adapts());
  const double x[] = {1e6 + 1, 4, 1e6 + 3, 4, 1e6 + 5, 4};
  network.adapt(3, x, 2);
  Session<double> session(network, 3);
  double y[6];
  session.run(x, y, 3);
  CHECK(y[0] == doctest::Approx(-std::sqrt(1.5)));
  CHECK(y[2] == doctest::Approx(0));
  CHECK(y[4] == doctest::Approx(std::sqrt(1.5)));
  CHECK(y[1] == 0);
  CHECK(y[5] == 0);
}

TEST_CASE("a plan needs no memory for columns that only pass through") {
  // A small file may claim any width.
  for (const char* type : {"periodic_embedding", "embedding"}) {
    LayerSpec part = layer(type);
    part.settings = {{"columns", {1, 3}}};
    if (part.type == "embedding") part.settings.push_back({"cardinalities", {4, 5}});
    const std::ptrdiff_t width = 2000000000;
    Network<float> network({0, {part}, width});
    const engine::Plan<float> plan(network, {.max_rows = 1});
    CHECK(plan.ops().size() == 1);
  }
}
