// ReLU and its relatives with a straight or a constant left half.
#pragma once

#include <deltarule/activations/limits.h>
#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

struct Relu {
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "relu",
      .summary = "Rectified linear unit.",
      .formula = "f(x) = \\max(0, x)",
      .derivative = "f'(x) = 1 \\text{ if } x > 0 \\text{ else } 0",
      .c = "return x < 0 ? 0 : x;",
      .reads = Reads::output,
      .kinks = kinks,
      .source = "Nair & Hinton 2010",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return simd::max(x, V(0));
  }
  template <class V>
  static V backward(const Broadcast<V>&, V, V y, V dy) {
    return simd::apply_mask(~(y <= V(0)), dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct LeakyRelu {
  static constexpr Param parameters[] = {
      {.name = "alpha", .value = 0.01, .low_open = true, .high_open = true, .meaning = "slope for x <= 0"}};
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "leaky_relu",
      .summary = "ReLU that lets a fraction alpha of negative inputs through.",
      .formula = "f(x) = x \\text{ if } x > 0 \\text{ else } \\alpha x",
      .derivative = "f'(x) = 1 \\text{ if } x > 0 \\text{ else } \\alpha",
      .c = "return x < 0 ? {alpha} * x : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Maas, Hannun & Ng 2013",
  };
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    return simd::select(x < V(0), p[0].times(x), x);
  }
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    return simd::select(x > V(0), dy, p[0].times(dy));
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct Threshold {
  static constexpr Param parameters[] = {
      {.name = "threshold",
       .value = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "inputs above it pass"},
      {.name = "value", .value = 0, .low_open = true, .high_open = true, .meaning = "output for the others"},
  };
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "threshold",
      .summary = "The input where it is above a threshold, else a fixed value.",
      .formula = "f(x) = x \\text{ if } x > \\theta \\text{ else } v",
      .derivative = "f'(x) = 1 \\text{ if } x > \\theta \\text{ else } 0",
      .c = "const real limit = {threshold.floor};\n"
           "return x <= limit ? {value} : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "PyTorch, torch.nn.Threshold",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    using T = typename V::Scalar;
    return simd::select(x <= V(activations::at_most<T>(p[0])), V(static_cast<T>(p[1])), x);
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return simd::apply_mask(~(x <= V(activations::at_most<typename V::Scalar>(p[0]))), dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct SquaredRelu {
  static constexpr Entry entry{
      .name = "squared_relu",
      .summary = "Square of the ReLU.",
      .formula = "f(x) = \\max(0, x)^2",
      .derivative = "f'(x) = 2 \\max(0, x)",
      .c = "return x < 0 ? 0 : x * x;",
      .reads = Reads::input,
      .source = "So et al. 2021, Primer",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    const V positive = simd::max(x, V(0));
    return positive * positive;
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    const V positive = simd::max(x, V(0));
    return dy * (positive + positive);
  }
  static double second(const Values&, double x) { return x > 0 ? 2 : activations::no_curvature(x); }
};

using RectifierActivations = List<Relu, LeakyRelu, Threshold, SquaredRelu>;

}  // namespace deltarule
