// Activations that multiply the input by a gate made of it.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    if (p[0][0] == 0) return simd::times_normal_cdf(x);
    if (p[0][0] == tanh) return simd::times_logistic(x, cubic_argument(bounded(x)));
    return simd::times_logistic(x, linear_argument(x));
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    if (p[0][0] == 0) return dy * simd::times_normal_cdf_slope(x);
    if (p[0][0] != tanh) {
      const auto z = linear_argument(x);
      return dy * simd::times_logistic_slope(z, z.high);
    }
    const V a = bounded(x);
    const V z_slope = simd::fma((V(3) * cubic.in<V>().high) * a, a, linear.in<V>().high);
    return dy * simd::times_logistic_slope(cubic_argument(a), a * z_slope);
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
    const auto z = p[0].argument(x);
    return dy * simd::times_logistic_slope(z, simd::leading(z));
  }
};

using SelfGatedActivations = List<Gelu, Swish>;

}  // namespace deltarule
