// The weights of dense layers rounded to bfloat16, for inference: half the bytes, and more products per
// second on processors that multiply such numbers (AVX512-BF16).
#pragma once

#include <deltarule/engine/bfloat16.h>
#include <deltarule/engine/plan.h>

#include <map>

namespace deltarule {

// A copy: weights that change later are not seen. Const and so shared by any number of sessions.
// A bfloat16 number has 8 significant bits: the weights are rounded by at most 2^-8 of themselves, as are the
// rows that they are multiplied with; sums are float32. Only layers of type Dense take part.
class Bfloat16Weights {
 public:
  // Layers of fewer units keep their float32 weights: they would gain nothing.
  static constexpr std::ptrdiff_t least_units = 17;

  explicit Bfloat16Weights(const Network<float>& network);
  std::size_t bytes() const;
  // Hands them to the operations of a plan; throws std::invalid_argument where it is another network's.
  void give_to(const engine::Plan<float>& plan) const;
  // Floats of scratch that a product of so many rows needs.
  std::size_t workspace(std::ptrdiff_t rows) const;

 private:
  std::map<std::ptrdiff_t, engine::Bfloat16Matrix> matrices_;  // by offset in the network's parameters
};

}  // namespace deltarule
