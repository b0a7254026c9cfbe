// Losses that ask for a margin between right and wrong.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/losses/scalar.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace deltarule {

struct Hinge {
  static constexpr Entry entry{
      .name = "hinge",
      .class_name = "Hinge",
      .summary =
          "Linear in how far the output is from the margin on its side; mean over the outputs. Targets are "
          "-1 and 1.",
      .formula = "L = \\frac{1}{J} \\sum_j \\max(0, 1 - t_j y_j)",
      .derivative = "\\partial L / \\partial y_j = -t_j [t_j y_j < 1] / J",
      .target_low = -1,
      .target_high = 1,
      .source = "Cortes & Vapnik 1995",
  };
  static constexpr bool from_logits = true;
  static constexpr bool signs = true;
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V m = simd::max(V(1) - t * y, V(0));
    value = m;
    gradient = simd::select(m == V(0), V(0), -t + (m - m));
  }
  static double second(const Values&, double, double) { return 0; }
};

struct SquaredHinge {
  static constexpr Entry entry{
      .name = "squared_hinge",
      .class_name = "SquaredHinge",
      .summary = "Square of the hinge loss; mean over the outputs. Targets are -1 and 1.",
      .formula = "L = \\frac{1}{J} \\sum_j \\max(0, 1 - t_j y_j)^2",
      .derivative = "\\partial L / \\partial y_j = -2 t_j \\max(0, 1 - t_j y_j) / J",
      .target_low = -1,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017",
  };
  static constexpr bool from_logits = true;
  static constexpr bool signs = true;
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V m = simd::max(V(1) - t * y, V(0));
    value = m * m;
    gradient = V(-2) * t * m;
  }
  static double second(const Values&, double y, double t) { return t * y < 1 ? 2 * t * t : 0; }
};

struct CubedHinge {
  static constexpr Entry entry{
      .name = "cubed_hinge",
      .class_name = "CubedHinge",
      .summary = "Cube of the hinge loss; mean over the outputs. Targets are -1 and 1.",
      .formula = "L = \\frac{1}{J} \\sum_j \\max(0, 1 - t_j y_j)^3",
      .derivative = "\\partial L / \\partial y_j = -3 t_j \\max(0, 1 - t_j y_j)^2 / J",
      .target_low = -1,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017",
  };
  static constexpr bool from_logits = true;
  static constexpr bool signs = true;
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V m = simd::max(V(1) - t * y, V(0));
    value = m * m * m;
    gradient = V(-3) * t * (m * m);
  }
  static double second(const Values&, double y, double t) { return t * y < 1 ? 6 * t * t * (1 - t * y) : 0; }
};

struct HalfMarginHinge {
  static constexpr Entry entry{
      .name = "half_margin_hinge",
      .class_name = "HalfMarginHinge",
      .summary = "One hinge of margin one half per class, against one-hot targets, summed over the outputs.",
      .formula = "L = \\sum_j \\max(0, \\tfrac12 - \\hat t_j y_j),\\quad \\hat t = 2t - 1",
      .derivative = "\\partial L / \\partial y_j = -\\hat t_j [\\hat t_j y_j < \\tfrac12]",
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  static constexpr bool from_logits = true;
  static constexpr bool averaged = false;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V side = (t + t) - V(1);
    value = simd::max(V(typename V::Scalar(0.5)) - side * y, V(0));
    gradient = simd::select(value == V(0), V(0), -side + (value - value));
  }
  static double second(const Values&, double, double) { return 0; }
};

struct Perceptron {
  static constexpr Entry entry{
      .name = "perceptron",
      .class_name = "Perceptron",
      .summary =
          "The perceptron criterion: outputs on the wrong side of 0 count; mean over the outputs. Targets "
          "are "
          "-1 and 1.",
      .formula = "L = \\frac{1}{J} \\sum_j \\max(0, -t_j y_j)",
      .derivative = "\\partial L / \\partial y_j = -t_j [t_j y_j < 0] / J",
      .target_low = -1,
      .target_high = 1,
      .source = "Rosenblatt 1958",
  };
  static constexpr bool from_logits = true;
  static constexpr bool signs = true;
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    value = simd::max(-(t * y), V(0));
    gradient = simd::select(value == V(0), V(0), -t + (value - value));
  }
  static double second(const Values&, double, double) { return 0; }
};

struct SmoothZeroOne {
  static constexpr Param parameters[] = {{.name = "k",
                                          .value = 10,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "steepness; the 0-1 loss is its limit for large k"}};
  static constexpr Entry entry{
      .name = "smooth_zero_one",
      .class_name = "SmoothZeroOne",
      .summary = "A sigmoid in place of the 0-1 loss's step; mean over the outputs. Targets are -1 and 1.",
      .formula = "L = \\frac{1}{J} \\sum_j \\sigma(-k t_j y_j)",
      .derivative = "\\partial L / \\partial y_j = -k t_j\\, \\sigma(k t_j y_j)\\, \\sigma(-k t_j y_j) / J",
      .parameters = parameters,
      .target_low = -1,
      .target_high = 1,
      .source = "after the idea of a smoothed 0-1 loss in Zhao, Mammadov & Yearwood 2010",
  };
  static constexpr bool from_logits = true;
  static constexpr bool signs = true;
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    // Both pieces of the product, as its rounding would count in the tails
    const auto x = simd::exponent_argument(simd::exact_product(p[0], -(t * y)));
    value = simd::logistic(x);
    gradient = -(p[0] * t) * simd::logistic_slope(x).rounded();
  }
  static double second(const Values& p, double y, double t) {
    const double x = p[0] * t * y, up = scalar::logistic(x), down = scalar::logistic(-x);
    return p[0] * p[0] * t * t * up * down * (up - down);
  }
};

struct MulticlassHinge {
  static constexpr Entry entry{
      .name = "multiclass_hinge",
      .class_name = "MulticlassHinge",
      .summary = "Every other class's output should be at least 1 below that of the right class.",
      .formula = "L = \\sum_{c \\ne t} \\max(0, 1 + z_c - z_t)",
      .derivative =
          "\\partial L / \\partial z_c = [1 + z_c > z_t] \\text{ for } c \\ne t,\\quad \\partial L / "
          "\\partial "
          "z_t = -\\sum_{c \\ne t} [1 + z_c > z_t]",
      .target = Target::label,
      .source = "Weston & Watkins 1999",
  };
  static constexpr bool from_logits = true;
  template <class T>
  static double row(const Values&, std::size_t n, const T* z, std::int32_t label, double scale, T* gradient) {
    using P = simd::Pack<T>;
    const auto t = static_cast<std::size_t>(label);
    const P own(z[t]), step(static_cast<T>(scale));
    simd::each<T>(n, [&](auto span) { span.store(gradient, simd::max(P(1) + (span.load(z) - own), P(0))); });
    gradient[t] = z[t] - z[t];  // 0 or NaN
    const T value = simd::sum<T>(n, [&](auto span) { return span.load(gradient); });
    const T slopes = simd::sum<T>(n, [&](auto span) {
      const P m = span.load(gradient), slope = simd::select(m == P(0), P(0), step + (m - m));
      span.store(gradient, slope);
      return slope;
    });
    gradient[t] = -slopes;
    return static_cast<double>(value);
  }
  static void hessian_times(const Values&, std::size_t n, const double*, std::int32_t, const double*,
                            double* out) {
    std::fill_n(out, n, 0.0);
  }
};

}  // namespace deltarule
