// Rectifiers with an exponential left half: outputs with a mean near 0.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace deltarule {

struct Elu {
  static constexpr Param parameters[] = {{.name = "alpha",
                                          .value = 1,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning = "-alpha is the limit for x -> -infinity"}};
  static constexpr Entry entry{
      .name = "elu",
      .summary = "Exponential linear unit.",
      .formula = "f(x) = x \\text{ if } x > 0 \\text{ else } \\alpha (e^x - 1)",
      .derivative = "f'(x) = 1 \\text{ if } x > 0 \\text{ else } \\alpha e^x",
      .c = "return x < 0 ? {alpha} * expm1(x) : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Clevert, Unterthiner & Hochreiter 2016",
  };
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    return simd::select(x < V(0), p[0].times(simd::expm1(simd::min(x, V(0)))), x);
  }
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    return dy * simd::select(x > V(0), V(1), simd::times_exp_minus_abs(p[0], x));
  }
  static double second(const Values& p, double x) { return x > 0 ? 0 : p[0] * std::exp(x); }
};

struct Celu {
  static constexpr Param parameters[] = {{.name = "alpha",
                                          .value = 1,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "-alpha is the limit for x -> -infinity"}};
  static constexpr Entry entry{
      .name = "celu",
      .summary = "ELU with a continuous derivative for every alpha.",
      .formula = "f(x) = \\max(0, x) + \\min(0, \\alpha (e^{x/\\alpha} - 1))",
      .derivative = "f'(x) = 1 \\text{ if } x > 0 \\text{ else } e^{x/\\alpha}",
      .c = "const real z = x / {alpha};\n"
           "return z < -1e-17 ? {alpha} * expm1(z) : x;",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Barron 2017",
  };
  // alpha and 1/alpha
  static constexpr std::size_t factors = 2;
  static Values prepare(const Values& p) {
    return {p[0], std::min(1 / p[0], std::numeric_limits<double>::max())};
  }
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    const V z = simd::rounded(p[1].argument(simd::min(x, V(0))));
    const V tiny(std::numeric_limits<typename V::Scalar>::epsilon() / 4);
    return simd::select((x < V(0)) & (-z > tiny), p[0].times(simd::expm1(z)), x);
  }
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    const V tail = simd::exp_minus_abs(p[1].argument(simd::min(x, V(0))));
    return dy * simd::select(x > V(0), V(1), tail);
  }
  static double second(const Values& p, double x) { return x > 0 ? 0 : std::exp(x / p[0]) / p[0]; }
};

struct Selu {
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "selu",
      .summary = "Scaled ELU: keeps mean 0 and variance 1 from layer to layer, with lecun_normal weights.",
      .formula =
          "f(x) = \\lambda x \\text{ if } x > 0 \\text{ else } \\lambda \\alpha (e^x - 1),\\quad "
          "\\lambda = 1.0507009873554805,\\; \\alpha = 1.6732632423543772",
      .derivative = "f'(x) = \\lambda \\text{ if } x > 0 \\text{ else } \\lambda \\alpha e^x",
      .c = "return x < 0 ? 1.7580993408473766 * expm1(x) : 1.0507009873554805 * x;",
      .reads = Reads::input,
      .kinks = kinks,
      .source = "Klambauer et al. 2017",
  };
  static constexpr double lambda = 1.0507009873554805, lambda_alpha = lambda * 1.6732632423543772;
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    using T = typename V::Scalar;
    const V left = V(T(lambda_alpha)) * simd::expm1(simd::min(x, V(0)));
    return simd::select(x < V(0), left, V(T(lambda)) * x);
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    using T = typename V::Scalar;
    const V left = V(T(lambda_alpha)) * simd::exp_minus_abs(x);
    return dy * simd::select(x > V(0), V(T(lambda)), left);
  }
  static double second(const Values&, double x) { return x > 0 ? 0 : lambda_alpha * std::exp(x); }
};

using ExponentialUnitActivations = List<Elu, Celu, Selu>;

}  // namespace deltarule
