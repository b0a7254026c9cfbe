// Straight lines between bounds, and the identity.
#pragma once

#include <deltarule/activations/limits.h>
#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

struct Identity {
  static constexpr Entry entry{
      .name = "identity",
      .aliases = "linear",
      .summary = "Passes its input through.",
      .formula = "f(x) = x",
      .derivative = "f'(x) = 1",
      .c = "return x;",
      .reads = Reads::nothing,
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return x;
  }
  template <class V>
  static V backward(const Broadcast<V>&, V, V, V dy) {
    return dy;
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct PiecewiseLinear {
  static constexpr Param parameters[] = {
      {.name = "slope",
       .value = 1,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "slope a between the bounds; infinity gives the step"},
      {.name = "form",
       .kind = Kind::choice,
       .choices = "continuous|printed",
       .meaning = "rising from 0 to 1 without a jump, or the textbooks' form that jumps at both bounds"},
  };
  static constexpr double kinks[] = {-0.5, 0.5};
  static constexpr Entry entry{
      .name = "piecewise_linear",
      .summary = "Straight line from 0 to 1, constant outside.",
      .formula =
          "f(x) = \\min(1, \\max(0, a x + \\tfrac12)),\\quad \\text{printed: } 1 \\text{ if } a x \\ge "
          "\\tfrac12,\\; 0 \\text{ if } a x \\le -\\tfrac12, \\text{ else } a x",
      .derivative = "f'(x) = a \\text{ if } -\\tfrac12 < a x \\le \\tfrac12 \\text{ else } 0",
      .c = "@continuous const real z = {slope} * x;\n"
           "if (z <= -1) return 0;\n"
           "if (z >= 1) return 1;\n"
           "const real y = fma({slope}, x, 0.5) + {slope.low} * x;\n"
           "return y < 0 ? 0 : y > 1 ? 1 : y;\n"
           "@printed const real z = {slope} * x;\n"
           "if (z <= -1) return 0;\n"
           "if (z >= 1) return 1;\n"
           "if (fma({slope}, x, 0.5) + {slope.low} * x <= 0) return 0;\n"
           "return fma({slope}, x, -0.5) + {slope.low} * x >= 0 ? 1 : z;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Haykin 1994, Neural Networks; the printed form is that book's",
  };
  static constexpr int printed = 1;
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    return with_slope<V>(p[0], [&](const auto& a) {
      const auto z = a.argument(x);
      if (p[1] != printed) return simd::min(simd::max(plus(z, 0.5f), V(0)), V(1));
      const V inside = simd::select(plus(z, 0.5f) <= V(0), V(0), a.times(x));
      return simd::select(plus(z, -0.5f) >= V(0), V(1), inside);
    });
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    return with_slope<V>(p[0], [&](const auto& a) {
      const auto z = a.argument(x);
      const V slope = simd::select(plus(z, -0.5f) > V(0), V(0), a.times(V(1)));
      return dy * simd::select(plus(z, 0.5f) <= V(0), V(0), slope);
    });
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }

 private:
  template <class V, class Use>
  static V with_slope(double slope, Use use) {
    if (slope == 1) return use(simd::One{});
    if (simd::Factor<V>::holds(slope)) return use(simd::Factor<V>(slope));
    return use(simd::WideFactor<V>(slope));
  }
  // z + offset with the digits that z has beyond the type: near the bounds they are all that is left
  template <class V>
  static V plus(V z, float offset) {
    return z + V(offset);
  }
  template <class V>
  static V plus(simd::Pair<V> z, float offset) {
    return (z.high + V(offset)) + z.low;
  }
};

struct HardTanh {
  static constexpr Param parameters[] = {
      {.name = "min_value", .value = -1, .high = 0, .low_open = true, .meaning = "lower bound"},
      {.name = "max_value", .value = 1, .low = 0, .high_open = true, .meaning = "upper bound"},
  };
  static constexpr double kinks[] = {-1, 1};
  static constexpr Entry entry{
      .name = "hard_tanh",
      .summary = "The input, held between two bounds.",
      .formula = "f(x) = \\min(b, \\max(a, x)),\\quad a = \\text{min\\_value},\\; b = \\text{max\\_value}",
      .derivative = "f'(x) = 1 \\text{ if } a < x \\le b \\text{ else } 0",
      .c = "return x < {min_value} ? {min_value} : x > {max_value} ? {max_value} : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Collobert 2004",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    using T = typename V::Scalar;
    return simd::min(simd::max(x, V(static_cast<T>(p[0]))), V(static_cast<T>(p[1])));
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    using T = typename V::Scalar;
    const V low(activations::at_most<T>(p[0])), high(activations::at_most<T>(p[1]));
    return simd::apply_mask(~((x <= low) | (x > high)), dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct HardSigmoid {
  static constexpr double kinks[] = {-3, 3};
  static constexpr Entry entry{
      .name = "hard_sigmoid",
      .summary = "Straight line from 0 at -3 to 1 at 3, constant outside.",
      .formula = "f(x) = \\min(1, \\max(0, \\tfrac{x}{6} + \\tfrac12))",
      .derivative = "f'(x) = \\tfrac16 \\text{ if } -3 < x \\le 3 \\text{ else } 0",
      .c = "return x <= -3 ? 0 : x >= 3 ? 1 : (x + 3) * (1.0 / 6);",
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Courbariaux, Bengio & David 2015; slope and bounds as in Howard et al. 2019",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return simd::min(simd::max((x + V(3)) * V(1 / typename V::Scalar(6)), V(0)), V(1));
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    const auto outside = (x <= V(-3)) | (x > V(3));
    return simd::apply_mask(~outside, dy * V(1 / typename V::Scalar(6)));
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

struct Relu6 {
  static constexpr double kinks[] = {0, 6};
  static constexpr Entry entry{
      .name = "relu6",
      .summary = "ReLU that stops at 6.",
      .formula = "f(x) = \\min(6, \\max(0, x))",
      .derivative = "f'(x) = 1 \\text{ if } 0 < x \\le 6 \\text{ else } 0",
      .c = "return x < 0 ? 0 : x > 6 ? 6 : x;",
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Krizhevsky 2010",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return simd::min(simd::max(x, V(0)), V(6));
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    return simd::apply_mask(~((x <= V(0)) | (x > V(6))), dy);
  }
  static double second(const Values&, double x) { return activations::no_curvature(x); }
};

using ClampedActivations = List<Identity, PiecewiseLinear, HardTanh, HardSigmoid, Relu6>;

}  // namespace deltarule
