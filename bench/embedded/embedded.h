// What is measured, and how a library hands itself in.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

struct Matrix {
  int inputs, units;
  std::vector<float> weight, bias;  // (inputs, units) row by row; (units)
};

struct Net {
  std::string name, activation;  // "relu" or "tanh", between the layers
  std::vector<Matrix> layers;
  int inputs() const { return layers.front().inputs; }
  int outputs() const { return layers.back().units; }
};

// Runs one row. Null where the library cannot.
using Run = std::function<const float*(const float* row)>;

struct Competitor {
  std::string name;
  std::function<Run(const Net&)> prepare;
};

std::vector<Competitor> deltarule_ways();
std::vector<Competitor> rtneural_ways();
std::vector<Competitor> torch_ways();

// The sizes that are known when this is compiled, for libraries that want them then.
template <template <int...> class Fixed, class Use>
bool with_fixed_sizes(const Net& net, Use use) {
  std::vector<int> sizes{net.inputs()};
  for (const Matrix& m : net.layers) sizes.push_back(m.units);
  const auto is = [&](std::vector<int> other) { return sizes == other; };
  if (is({4, 4})) return use(Fixed<4, 4>{}), true;
  if (is({8, 8})) return use(Fixed<8, 8>{}), true;
  if (is({16, 16})) return use(Fixed<16, 16>{}), true;
  if (is({32, 32})) return use(Fixed<32, 32>{}), true;
  if (is({64, 64})) return use(Fixed<64, 64>{}), true;
  if (is({8, 32, 32, 1})) return use(Fixed<8, 32, 32, 1>{}), true;
  if (is({64, 128, 64, 10})) return use(Fixed<64, 128, 64, 10>{}), true;
  return false;
}
