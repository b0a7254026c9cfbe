// Activations that multiply the input by a gate made of it.
#pragma once

#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <algorithm>
#include <cmath>

namespace deltarule {

struct Gelu {
  static constexpr Param parameters[] = {{.name = "approximate",
                                          .kind = Kind::choice,
                                          .choices = "none|tanh|sigmoid",
                                          .meaning = "exact, or one of the two approximations of the paper"}};
  static constexpr Entry entry{
      .name = "gelu",
      .summary = "Gaussian error linear unit.",
      .formula =
          "f(x) = x\\,\\Phi(x),\\quad \\text{tanh: } \\tfrac{x}{2}\\left(1 + "
          "\\tanh\\left(\\sqrt{2/\\pi}\\,(x + 0.044715 x^3)\\right)\\right),"
          "\\quad \\text{sigmoid: } x\\,\\sigma(1.702 x)",
      .derivative = "f'(x) = \\Phi(x) + x\\,\\varphi(x)",
      .c = "@none return x < -40 ? 0 : x * normal_cdf(x);\n"
           "@tanh const real a = {1.5957691216057308-9.96930880911092e-17};  /* 2 sqrt(2/pi) */\n"
           "const real a_low = {1.5957691216057308-9.96930880911092e-17.low};\n"
           "const real b = {0.07135481627260025-6.175149918155315e-19};  /* 0.044715 a */\n"
           "const real b_low = {0.07135481627260025-6.175149918155315e-19.low};\n"
           "if (fabs(x) > 30) return x < 0 ? 0 : x;\n"
           "const real s = x * x, s_low = fma(x, x, -s), p = b * s, p_low = fma(b, s, -p);\n"
           "const real sum = p + a, part = sum - p, sum_low = (p - (sum - part)) + (a - part);\n"
           "const real u_low = sum_low + p_low + b * s_low + b_low * s + a_low;\n"
           "const real z = sum * x;\n"
           "return x * logistic(z, fma(sum, x, -z) + u_low * x);\n"
           "@sigmoid const real a = {1.702+4.263256414560601e-17}, a_low = "
           "{1.702+4.263256414560601e-17.low};\n"
           "const real z = a * x;\n"
           "if (fabs(z) > 800) return x < 0 ? 0 : x;\n"
           "return x * logistic(z, fma(a, x, -z) + a_low * x);",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Hendrycks & Gimpel 2016",
  };
  // 1 + tanh(u) = 2 sigma(2u): one form serves both approximations and keeps the digits of the left tail.
  static constexpr int tanh = 1;
  static constexpr simd::Constant linear{1.59576917f, -4.53406805e-08f, 1.5957691216057308,
                                         -9.96930880911092e-17};  // 2 sqrt(2/pi)
  static constexpr simd::Constant cubic{0.0713548139f, 2.39883247e-09f, 0.07135481627260025,
                                        -6.175149918155315e-19};  // 0.044715 linear
  static constexpr simd::Constant steepness{1.70200002f, -2.19345093e-08f, 1.702, 4.263256414560601e-17};
  static constexpr int forms = 3;
  template <int form, class V>
  static V forward(Form<form>, V x) {
    if constexpr (form == 0)
      return simd::times_normal_cdf(x);
    else if constexpr (form == tanh)
      return simd::times_logistic(x, cubic_argument(bounded(x)));
    else
      return simd::times_logistic(x, linear_argument(x));
  }
  template <int form, class V>
  static V backward(Form<form>, V x, V, V dy) {
    if constexpr (form == 0) {
      return dy * simd::times_normal_cdf_slope(x);
    } else if constexpr (form == tanh) {
      const V a = bounded(x);
      const V z_slope = simd::fma((V(3) * cubic.in<V>().high) * a, a, linear.in<V>().high);
      return dy * simd::times_logistic_slope(cubic_argument(a), a * z_slope);
    } else {
      const auto z = linear_argument(x);
      return dy * simd::times_logistic_slope(z, z.high);
    }
  }
  template <class V>
  static auto cubic_argument(V x) {
    return (linear.in<V>() + cubic.in<V>() * simd::square(x)) * x;
  }
  template <class V>
  static auto linear_argument(V x) {
    return simd::exponent_argument(steepness.in<V>() * x);
  }
  // For the cubic argument: where sigma has reached its limits, far from overflow.
  template <class V>
  static V bounded(V x) {
    return simd::min(simd::max(x, V(-30)), V(30));
  }
  static double second(const Values& p, double x) {
    if (p[0] == 0) {
      const double a = activations::bounded(x, 40);
      return activations::normal_density(a) * (2 - a * a);
    }
    if (p[0] != tanh) {
      const double a = activations::bounded(x, 1000), z = steepness.high * a;
      return steepness.high * activations::logistic_slope(z) * (2 + z * activations::logistic_bend(z));
    }
    const double a = activations::bounded(x, 30), z = (linear.high + cubic.high * a * a) * a;
    const double slope = linear.high + 3 * cubic.high * a * a, bend = 6 * cubic.high * a;
    return activations::logistic_slope(z) *
           (2 * slope + a * (activations::logistic_bend(z) * slope * slope + bend));
  }
};

struct Swish {
  static constexpr Param parameters[] = {{.name = "beta",
                                          .value = 1,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "steepness; 0 gives x/2, infinity ReLU"}};
  static constexpr Entry entry{
      .name = "swish",
      .aliases = "silu",
      .summary = "Input times its own sigmoid.",
      .formula = "f(x) = x\\,\\sigma(\\beta x)",
      .derivative = "f'(x) = \\sigma(\\beta x) + \\beta x\\,\\sigma(\\beta x)(1 - \\sigma(\\beta x))",
      .c = "const real z = {beta} * x, e = exp_minus({beta}, {beta.low}, x);\n"
           "if (e == 0) return z > 0 ? x : 0;\n"
           "return x * ((z < 0 ? e : 1) / (1 + e));",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Ramachandran, Zoph & Le 2017; Elfwing, Uchibe & Doya 2018",
  };
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    if constexpr (std::is_same_v<F, simd::One>) return simd::times_logistic(x);
    return simd::times_logistic(x, p[0].argument(x));
  }
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    if constexpr (std::is_same_v<F, simd::One>) return dy * simd::times_logistic_slope(x);
    const auto z = p[0].argument(x);
    return dy * simd::times_logistic_slope(z, simd::leading(z));
  }
  static double second(const Values& p, double x) {
    const double z = activations::bounded(p[0] * x, 1000);
    return p[0] * activations::logistic_slope(z) * (2 + z * activations::logistic_bend(z));
  }
};

struct Mish {
  static constexpr Entry entry{
      .name = "mish",
      .summary = "Input times the tanh of its softplus.",
      .formula = "f(x) = x \\tanh(\\ln(1 + e^x))",
      .derivative = "f'(x) = t + x\\,\\sigma(x) (1 - t^2),\\quad t = \\tanh(\\ln(1 + e^x))",
      .c = "const real e = exp(-fabs(x)), n = x > 0 ? 1 + 2 * e : e * (e + 2);\n"
           "if (e == 0) return x > 0 ? x : 0;\n"
           "return x * (n / (n + (x > 0 ? 2 * e * e : 2)));",
      .reads = Reads::input,
      .source = "Misra 2019",
  };
  // With e = e^-|x|: t = e (e + 2) / (e (e + 2) + 2) for x <= 0, else (1 + 2 e) / (1 + 2 e + 2 e^2).
  template <class V>
  struct Parts {
    V x;  // where both factors have their limits beyond
    simd::Decay<V> d;
    typename V::Mask left;
    V numerator, denominator;  // of t; on the left without the factor e
    explicit Parts(V given) {
      const V reach(simd::choose<typename V::Scalar>(112.0f, 760.0));
      x = simd::min(simd::max(given, -reach), reach);
      d = simd::decay(simd::exponential(simd::minus_abs(x)));
      left = given <= V(0);
      const V twice = d.e + d.e;
      numerator = simd::select(left, d.e + V(2), twice + V(1));
      denominator = simd::fma(simd::select(left, d.e, twice), simd::select(left, numerator, d.e),
                              simd::select(left, V(2), numerator));
    }
    // `part`, times e on the left
    V finish(V part) const { return simd::select(left, simd::scale(d.value * part, d.n), part); }
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    const Parts<V> parts(x);
    const V t = parts.numerator / parts.denominator;
    return simd::select(x > V(0), x * t, simd::scale(parts.x * (parts.d.value * t), parts.d.n));
  }
  // (1 - t^2) sigma(x) is 4 (1 + e) / denominator^2, times e on the left and e^2 on the right.
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    const Parts<V> parts(x);
    const V e = parts.d.e;
    const V weight = V(4) * (V(1) + e) * simd::select(parts.left, V(1), e * e);
    const V inverse = V(1) / parts.denominator;
    return dy * parts.finish(simd::fma(parts.x * weight, inverse, parts.numerator) * inverse);
  }
  static double second(const Values&, double x) {
    const double a = activations::bounded(x, 760), e = std::exp(-std::abs(a));
    const double softplus = std::max(a, 0.0) + std::log1p(e), t = std::tanh(softplus);
    const double s = activations::logistic(a);
    return activations::tanh_slope(softplus) * (2 * s + a * (activations::logistic_slope(a) - 2 * t * s * s));
  }
};

struct HardSwish {
  static constexpr double kinks[] = {-3, 3};
  static constexpr Entry entry{
      .name = "hard_swish",
      .summary = "Input times its hard sigmoid.",
      .formula = "f(x) = x \\min(1, \\max(0, \\tfrac{x}{6} + \\tfrac12))",
      .derivative =
          "f'(x) = 0 \\text{ if } x \\le -3,\\; 1 \\text{ if } x > 3, \\text{ else } \\tfrac{x}{3} + "
          "\\tfrac12",
      .c = "return x <= -3 ? 0 : x >= 3 ? x : x * ((x + 3) * (1.0 / 6));",
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Howard et al. 2019, MobileNetV3",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    const V gate = simd::min((simd::max(x, V(-3)) + V(3)) * V(1 / typename V::Scalar(6)), V(1));
    return simd::max(x, V(-3)) * gate;
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    using T = typename V::Scalar;
    const V inside = (x + V(T(1.5))) * V(1 / T(3));
    return dy * simd::select(x <= V(-3), V(0), simd::select(x > V(3), V(1), inside));
  }
  static double second(const Values&, double x) {
    return x > -3 && x <= 3 ? 1.0 / 3 : activations::no_curvature(x);
  }
};

using SelfGatedActivations = List<Gelu, Swish, Mish, HardSwish>;

}  // namespace deltarule
