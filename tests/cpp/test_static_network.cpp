// Networks of fixed size: against a session, and what they refuse.
#include "support.h"

#include <deltarule/layers/composite.h>
#include <deltarule/static_network.h>
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <memory>
#include <thread>

using namespace support;

namespace {

template <class T>
Network<T> shaken(NetworkSpec spec) {
  Network<T> network(spec);
  Numbers numbers(7);
  for (T& w : network.parameters()) w += static_cast<T>(0.3 * numbers.next());
  for (T& s : network.statistics()) s += static_cast<T>(0.3 * numbers.next());
  return network;
}

// Sums may run in another order: units in the last place of the largest output of all rows. (Where the terms
// of a row cancel, its own size says nothing about the roundings.)
constexpr double most_ulp = 16;

template <class Fixed>
void compare(const NetworkSpec& spec) {
  using T = typename Fixed::Scalar;
  const Network<T> network = shaken<T>(spec);
  const auto fixed = std::make_unique<Fixed>(network);
  Session<T> session(network);
  Numbers numbers(3);
  double error = 0, largest = 0;
  for (int row = 0; row < 50; ++row) {
    const std::vector<T> x = numbers.many<T>(Fixed::inputs);
    std::vector<T> expected(Fixed::outputs), y(Fixed::outputs + 1, T(42));
    session.run(x.data(), expected.data());
    fixed->run(x.data(), y.data());
    CHECK(y.back() == T(42));
    for (std::size_t j = 0; j < expected.size(); ++j) {
      largest = std::max(largest, std::fabs(static_cast<double>(expected[j])));
      error = std::max(error, std::fabs(static_cast<double>(y[j]) - static_cast<double>(expected[j])));
    }
  }
  CHECK(error <= most_ulp * largest * static_cast<double>(std::numeric_limits<T>::epsilon()));
}

template <class T, int In, int... Units>
void compare_dense() {
  (compare<StaticNetwork<T, In, fixed::Dense<Units>>>({1, {dense(Units)}, In}), ...);
}

LayerSpec with(LayerSpec layer, const std::string& activation, std::vector<Setting> settings = {}) {
  layer.parts["activation"] = {activation, std::move(settings)};
  return layer;
}

}  // namespace

static_assert(noexcept(std::declval<const StaticNetwork<float, 2, fixed::Dense<1>>&>().run(nullptr,
                                                                                           nullptr)));

TEST_CASE_TEMPLATE("single dense layers of many sizes", T, float, double) {
  compare_dense<T, 1, 1, 7, 33>();
  compare_dense<T, 8, 1, 2, 3, 16>();
  compare_dense<T, 31, 1, 2, 4, 20, 150>();
  compare_dense<T, 64, 2, 10, 64>();
}

TEST_CASE_TEMPLATE("every layer there is, and layers that only train", T, float, double) {
  LayerSpec image = layer("reshape");
  image.settings.push_back({"shape", {3, 5, 1}});
  compare<StaticNetwork<T, 15, fixed::Standardize, fixed::Dense<40, Relu>, fixed::BatchNorm,
                        fixed::Dense<21, Gelu>, fixed::LayerNorm, fixed::Activation<Swish>,
                        fixed::Dense<10, Softmax>>>(
      {2,
       {layer("standardize"), image, dense(40, "relu"), layer("batch_norm"), layer("dropout"),
        dense(21, "gelu"), layer("layer_norm"), with(layer("activation"), "swish"), layer("gaussian_noise"),
        dense(10, "softmax")},
       15});
  LayerSpec shared = layer("prelu");
  shared.settings.push_back({"shared", 1});
  compare<StaticNetwork<T, 15, fixed::RMSNorm, fixed::Dense<40>, fixed::PReLU, fixed::Dense<21>, fixed::PReLU,
                        fixed::Dense<3>>>(
      {2, {layer("rms_norm"), dense(40), layer("prelu"), dense(21), shared, dense(3)}, 15});
  compare<StaticNetwork<T, 9, fixed::Activation<LogSoftmax>, fixed::Dense<2, Sigmoid>>>(
      {2, {with(layer("activation"), "log_softmax"), dense(2, "sigmoid")}, 9});
}

TEST_CASE_TEMPLATE("blocks that their input is added to, one in the other", T, float, double) {
  using Inner = fixed::Residual<fixed::Dense<30, Tanh>>;
  using Outer = fixed::Residual<fixed::RMSNorm, fixed::Dense<30, Relu>, Inner, fixed::Dense<17>>;
  const LayerSpec inner = residual({layer("dropout"), dense(30, "tanh")});
  const LayerSpec outer = residual({layer("rms_norm"), dense(30, "relu"), inner, dense(17)});
  compare<StaticNetwork<T, 6, fixed::Dense<17, Tanh>, Outer, Outer, fixed::Dense<2>>>(
      {2, {dense(17, "tanh"), outer, outer, dense(2)}, 6});
}

TEST_CASE_TEMPLATE("every activation of the catalogue, with the parameters of the file", T, float, double) {
  Activations::each([&]<class Op>(std::size_t) {
    const std::string name(Op::entry.name);
    std::vector<Setting> settings;
    for (const Param& p : Op::entry.parameters)
      if (p.kind == Kind::real && p.low < 0.75 && p.high > 0.75)
        settings.push_back({std::string(p.name), 0.75, {}});
    using Fixed = StaticNetwork<T, 12, fixed::Dense<18, Op>>;
    compare<Fixed>({1, {dense(18, name)}, 12});
    compare<Fixed>({1, {with(dense(18), name, settings)}, 12});
  });
}

TEST_CASE("where nothing is summed in another order, the bits are the session's") {
  const Network<float> network = shaken<float>({1, {dense(128, "tanh")}, 40});
  const StaticNetwork<float, 40, fixed::Dense<128, Tanh>> fixed(network);
  Session<float> session(network);
  const std::vector<float> x = Numbers(4).many<float>(40);
  std::vector<float> y(128), z(128);
  session.run(x, y);
  fixed.run(x.data(), z.data());
  if (simd::native_width<float> == 16) CHECK(same_bits<float>(y, z));  // 8 registers, one sum each
}

TEST_CASE("spans, arrays, and output over input") {
  const Network<double> network = shaken<double>({1, {dense(3, "tanh"), dense(4)}, 4});
  const StaticNetwork<double, 4, fixed::Dense<3, Tanh>, fixed::Dense<4>> fixed(network);
  const std::array<double, 4> x{1, -2, 0.5, 3};
  std::array<double, 4> y = x, z{};
  fixed.run(y.data(), y.data());
  fixed.run(std::span(x), std::span(z));
  CHECK(y == z);
  CHECK(y == fixed(x));
}

TEST_CASE("the file decides whether it fits, and the error says where not") {
  using Fixed = StaticNetwork<float, 3, fixed::Dense<8, Tanh>, fixed::Dense<2>>;
  const auto message = [](const NetworkSpec& spec) -> std::string {
    try {
      Fixed fixed{Network<float>(spec)};
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return {};
  };
  CHECK(message({1, {dense(8, "tanh"), dense(2)}, 3}).empty());
  CHECK(message({1, {dense(8, "tanh"), dense(2)}, 0}) == "StaticNetwork: the network is not built");
  CHECK(message({1, {dense(8, "tanh"), dense(2)}, 4}) ==
        "StaticNetwork: the network has 4 inputs; the type says 3");
  CHECK(message({1, {dense(8, "tanh")}, 3}) ==
        "StaticNetwork: the network has 1 layers that do something at inference; the type says 2");
  CHECK(message({1, {dense(9, "tanh"), dense(2)}, 3}) ==
        "StaticNetwork: layer 'dense_1' is dense of 9 units on 3 inputs, activation 'tanh'; the type says "
        "dense "
        "of 8 units on 3 inputs, activation 'tanh'");
  CHECK(message({1, {dense(8, "relu"), dense(2)}, 3}) ==
        "StaticNetwork: layer 'dense_1' is dense of 8 units on 3 inputs, activation 'relu'; the type says "
        "dense "
        "of 8 units on 3 inputs, activation 'tanh'");
  CHECK(message({1, {dense(8), dense(2)}, 3})
            .starts_with("StaticNetwork: layer 'dense_1' is dense of 8 units"));
  CHECK(message({1, {dense(8, "tanh"), with(dense(2), "tanh")}, 3}).find("'dense_2'") != std::string::npos);
  CHECK(message({1, {dense(8, "tanh"), layer("layer_norm")}, 3}) ==
        "StaticNetwork: layer 'layer_norm_1' is layer_norm on 8 inputs; the type says dense of 2 units on 8 "
        "inputs");
}

TEST_CASE("errors name layers inside of others by their path") {
  using Fixed = StaticNetwork<float, 3, fixed::Residual<fixed::Dense<8, Tanh>, fixed::Dense<3>>>;
  const auto message = [](std::vector<LayerSpec> block) -> std::string {
    try {
      Fixed fixed{Network<float>({1, {residual(std::move(block))}, 3})};
    } catch (const std::invalid_argument& e) {
      return e.what();
    }
    return {};
  };
  CHECK(message({dense(8, "tanh"), dense(3)}).empty());
  CHECK(message({dense(8, "relu"), dense(3)}) ==
        "StaticNetwork: layer 'residual_1.dense_1' is dense of 8 units on 3 inputs, activation 'relu'; the "
        "type "
        "says dense of 8 units on 3 inputs, activation 'tanh'");
  CHECK(message({dense(3)}) ==
        "StaticNetwork: layer 'residual_1' has 1 layers that do something at inference; the type says 2");
}

TEST_CASE("one object, four threads") {
  const Network<float> network = shaken<float>({1, {dense(32, "tanh"), dense(5)}, 9});
  const StaticNetwork<float, 9, fixed::Dense<32, Tanh>, fixed::Dense<5>> fixed(network);
  const std::vector<float> x = Numbers(8).many<float>(9);
  std::vector<float> expected(5);
  fixed.run(x.data(), expected.data());
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      std::vector<float> y(5);
      for (int repeat = 0; repeat < 1000; ++repeat) {
        fixed.run(x.data(), y.data());
        if (!same_bits<float>(y, expected)) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong.load() == 0);
}

TEST_CASE("no run allocates") {
  const Network<float> network({1, {dense(32, "tanh"), layer("layer_norm"), dense(5, "softmax")}, 9});
  const StaticNetwork<float, 9, fixed::Dense<32, Tanh>, fixed::LayerNorm, fixed::Dense<5, Softmax>> fixed(
      network);
  const std::vector<float> x(9, 0.5f);
  std::vector<float> y(5);
  const long before = allocations();
  for (int i = 0; i < 100; ++i) fixed.run(x.data(), y.data());
  CHECK(allocations() == before);
}
