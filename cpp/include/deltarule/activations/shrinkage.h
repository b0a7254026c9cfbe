// Activations that draw their input towards 0.
#pragma once

#include <deltarule/activations/limits.h>
#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/hyperbolic.h>
#include <deltarule/simd/math.h>

namespace deltarule {

struct Tanhshrink {
  static constexpr Entry entry{
      .name = "tanhshrink",
      .summary = "Input minus its hyperbolic tangent.",
      .formula = "f(x) = x - \\tanh x",
      .derivative = "f'(x) = \\tanh^2 x",
      .c = "const real z = x * x;\n"
           "real k = z / 21;  /* continued fraction of x / tanh x - 1 */\n"
           "int n;\n"
           "if (fabs(x) >= 1) return x - tanh(x);\n"
           "for (n = 19; n > 1; n -= 2) k = z / ((real)n + k);\n"
           "return x * (k / (1 + k));",
      .reads = Reads::input,
      .source = "PyTorch, torch.nn.Tanhshrink",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return simd::tanh_shrunk(x);
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    return dy * simd::tanh_squared(x);
  }
  static double second(const Values&, double x) { return 2 * std::tanh(x) * activations::tanh_slope(x); }
};

// The common part of softshrink and hardshrink: 1 outside -lambda < x <= lambda.
template <class V>
V shrinkage_backward(double lambda, V x, V dy) {
  using T = typename V::Scalar;
  const V low(activations::at_most<T>(-lambda)), high(activations::at_most<T>(lambda));
  return simd::apply_mask(~((x > low) & (x <= high)), dy);
}

struct Softshrink {
  static constexpr Param parameters[] = {{.name = "threshold",
                                          .value = 0.5,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning = "lambda, what is taken away"}};
  static constexpr double kinks[] = {-0.5, 0.5};
  static constexpr Entry entry{
      .name = "softshrink",
      .summary = "Input moved towards 0 by lambda, and 0 once it is there.",
      .formula =
          "f(x) = x - \\lambda \\text{ if } x > \\lambda,\\; x + \\lambda \\text{ if } x < -\\lambda, "
          "\\text{ else } 0",
      .derivative = "f'(x) = 0 \\text{ if } -\\lambda < x \\le \\lambda \\text{ else } 1",
      .c = "const real a = fabs(x), limit = {threshold.floor}, high = {threshold}, low = {threshold.low};\n"
           "return a <= limit ? 0 : copysign((a - high) - low, x);",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Donoho 1995",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    using T = typename V::Scalar;
    const T high = static_cast<T>(p[0]);
    // Near lambda the second piece is what is left.
    const V low(std::abs(high) <= std::numeric_limits<T>::max() ? static_cast<T>(p[0] - double(high)) : T(0));
    const V a = simd::abs(x);
    const V rest = simd::copysign((a - V(high)) - low, x);
    return simd::select(a <= V(activations::at_most<T>(p[0])), V(0), simd::select(x == x, rest, x));
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return shrinkage_backward(p[0], x, dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct Hardshrink {
  static constexpr Param parameters[] = {{.name = "threshold",
                                          .value = 0.5,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning = "lambda, the largest magnitude that becomes 0"}};
  static constexpr double kinks[] = {-0.5, 0.5};
  static constexpr Entry entry{
      .name = "hardshrink",
      .summary = "The input where its magnitude is above lambda, else 0.",
      .formula = "f(x) = x \\text{ if } |x| > \\lambda \\text{ else } 0",
      .derivative = "f'(x) = 0 \\text{ if } -\\lambda < x \\le \\lambda \\text{ else } 1",
      .c = "const real limit = {threshold.floor};\n"
           "return fabs(x) <= limit ? 0 : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Donoho & Johnstone 1994",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    const V limit(activations::at_most<typename V::Scalar>(p[0]));
    return simd::apply_mask(~(simd::abs(x) <= limit), x);
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return shrinkage_backward(p[0], x, dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

using ShrinkageActivations = List<Tanhshrink, Softshrink, Hardshrink>;

}  // namespace deltarule
