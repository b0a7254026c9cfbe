// What the tests of networks share: data, small networks, comparisons of bits.
#pragma once

#include <deltarule/engine/team.h>
#include <deltarule/serialize.h>
#include <deltarule/session.h>
#include <deltarule/trainer.h>
#include <cstring>
#include <string>
#include <vector>

#include "random.h"

namespace support {

using namespace deltarule;

// Calls of operator new so far (allocations.cpp).
long allocations();

// Numbers from -1 to 1.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_{seed} {}
  double next() { return random_.value(); }
  template <class T>
  std::vector<T> many(std::size_t n) {
    std::vector<T> numbers(n);
    for (T& x : numbers) x = static_cast<T>(next());
    return numbers;
  }

 private:
  Random random_;
};

inline LayerSpec dense(double units, const std::string& activation = "") {
  LayerSpec layer{"dense", {}, {{"units", units}}, {}};
  if (!activation.empty()) layer.parts["activation"] = {activation, {}};
  return layer;
}
inline LayerSpec layer(const std::string& type) { return {type, {}, {}, {}}; }

// Every kind of layer, with all that is random or looks at the whole batch.
inline NetworkSpec mixed(std::ptrdiff_t inputs, double outputs, std::uint64_t seed = 5) {
  LayerSpec dropout = layer("dropout");
  dropout.settings.push_back({"rate", 0.25});
  LayerSpec activation = layer("activation");
  activation.parts["activation"] = {"gelu", {{"approximate", "tanh"}}};
  return {seed,
          {layer("standardize"), dense(48, "relu"), layer("batch_norm"), dropout, dense(33),
           layer("layer_norm"), activation, dense(outputs)},
          inputs};
}

// The numbers of its Standardize layers.
template <class T>
void learn(Network<T>& network, const Data<T>& data) {
  network.adapt(data.rows, data.x, network.input_width());
}

// The layers that look at images, on rows of 20 numbers.
inline NetworkSpec on_images(double outputs) {
  LayerSpec reshape = layer("reshape"), convolution = layer("conv_2d"), pool = layer("max_pool_2d");
  reshape.settings.push_back({"shape", {5, 4, 1}});
  convolution.settings = {{"filters", 6}, {"padding", "same"}};
  convolution.parts["activation"] = {"relu", {}};
  pool.settings.push_back({"strides", {1}});
  LayerSpec second = convolution;
  second.parts["activation"] = {"gelu", {}};
  return {7, {reshape, convolution, pool, second, pool, dense(outputs)}, 20};
}

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}
template <class T>
std::vector<T> copy_of(std::span<const T> numbers) {
  return {numbers.begin(), numbers.end()};
}
template <class T>
std::vector<T> parameters_of(const Network<T>& network) {
  return copy_of(network.parameters());
}

// Rows with a class each that depends on them.
template <class T>
struct Classes {
  std::vector<T> x;
  std::vector<std::int32_t> label;
  Data<T> data;
  Classes(std::ptrdiff_t rows, std::ptrdiff_t width, int classes) {
    x = Numbers(3).many<T>(static_cast<std::size_t>(rows * width));
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      label.push_back(static_cast<std::int32_t>((x[static_cast<std::size_t>(i * width)] + 1) / 2 *
                                                static_cast<T>(classes) * T(0.999)));
    data = {.rows = rows, .x = x.data(), .label = label.data()};
  }
  Classes(const Classes&) = delete;
  Classes& operator=(const Classes&) = delete;
};

struct Threads {
  explicit Threads(int count) { engine::set_threads(count); }
  ~Threads() { engine::set_threads(0); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;
};

}  // namespace support
