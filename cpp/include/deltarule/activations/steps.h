// Activations with two values: what threshold units and the perceptron put out.
#pragma once

#include <deltarule/activations/limits.h>
#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

// A step has the derivative 0. With straight_through its backward pass is the identity's.
template <class V>
V step_backward(bool straight_through, V x, V dy) {
  return straight_through ? dy : simd::select(x == x, dy * V(0), x);
}

struct BinaryStep {
  static constexpr Param parameters[] = {
      {.name = "threshold",
       .value = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "the unit fires above it"},
      {.name = "straight_through",
       .kind = Kind::boolean,
       .meaning = "let gradients through as if f were the identity; needed to train through f"},
  };
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "binary_step",
      .summary = "1 above the threshold, else 0.",
      .formula = "f(x) = 1 \\text{ if } x > \\theta \\text{ else } 0",
      .derivative = "f'(x) = 0,\\quad \\text{straight through: } 1",
      .c = "const real limit = {threshold.floor};\n"
           "return x > limit ? 1 : x == x ? 0 : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "McCulloch & Pitts 1943; straight through: Bengio, Leonard & Courville 2013",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    const V limit(activations::at_most<typename V::Scalar>(p[0]));
    return simd::select(x == x, simd::apply_mask(x > limit, V(1)), x);
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return step_backward(p[1] != 0, x, dy);
  }
  static bool flat(const Values& p) { return p[1] == 0; }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct Sign {
  static constexpr Param parameters[] = {
      {.name = "straight_through",
       .kind = Kind::boolean,
       .meaning = "let gradients through as if f were the identity; needed to train through f"},
  };
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "sign",
      .summary = "1 for positive inputs, else -1.",
      .formula = "f(x) = 1 \\text{ if } x > 0 \\text{ else } -1",
      .derivative = "f'(x) = 0,\\quad \\text{straight through: } 1",
      .c = "return x > 0 ? 1 : x == x ? -1 : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Rosenblatt 1958; straight through: Bengio, Leonard & Courville 2013",
  };
  template <class V>
  static V forward(const Broadcast<double>&, V x) {
    return simd::select(x == x, simd::select(x > V(0), V(1), V(-1)), x);
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return step_backward(p[0] != 0, x, dy);
  }
  static bool flat(const Values& p) { return p[0] == 0; }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

using StepActivations = List<BinaryStep, Sign>;

}  // namespace deltarule
