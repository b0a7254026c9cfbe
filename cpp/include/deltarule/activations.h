// EVERY elementwise activation: entry, value and derivative side by side; the list is the last line.
//
// forward(p, x) gives f(x); backward(p, x, y, dy) gives dy * f'(x), where y = f(x). `p` holds the
// hyper-parameters in the order of `parameters`. An entry that reads only the output gets no valid x in
// backward, and vice versa. At a kink the derivative is the left-hand branch's.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/simd/math.h>

namespace deltarule {

// The hyper-parameters in every lane. An activation written for any class F of p[i] gets the factors of
// simd/numeric.h, with all digits and the whole range of a double; the others get p[i] rounded to the type.
template <class F>
using Broadcast = std::array<F, max_parameters>;

struct Identity {
  static constexpr Entry entry{
      .name = "identity",
      .aliases = "linear",
      .summary = "Passes its input through.",
      .formula = "f(x) = x",
      .derivative = "f'(x) = 1",
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
};

struct Sigmoid {
  static constexpr Param parameters[] = {{.name = "slope",
                                          .value = 1,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "steepness a at 0, where f' = a/4"}};
  static constexpr Entry entry{
      .name = "sigmoid",
      .aliases = "logistic",
      .summary = "Logistic function, from 0 to 1.",
      .formula = "f(x) = \\frac{1}{1 + e^{-a x}}",
      .derivative = "f'(x) = a\\, y (1 - y)",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Rumelhart, Hinton & Williams 1986",
  };
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    return simd::logistic(p[0].argument(x));
  }
  // From x, not y: 1 - y has no correct digits left once y rounds to 1.
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    return dy * (p[0] * simd::logistic_slope(p[0].argument(x))).rounded();
  }
};

struct Tanh {
  static constexpr Entry entry{
      .name = "tanh",
      .summary = "Hyperbolic tangent, from -1 to 1.",
      .formula = "f(x) = \\tanh x",
      .derivative = "f'(x) = 1 - y^2",
      .reads = Reads::output,
      .source = "LeCun et al. 1998, Efficient BackProp",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return simd::tanh(x);
  }
  template <class V>
  static V backward(const Broadcast<V>&, V, V y, V dy) {
    return dy * ((V(1) - y) * (V(1) + y));
  }
};

struct Relu {
  static constexpr double kinks[] = {0};
  static constexpr Entry entry{
      .name = "relu",
      .summary = "Rectified linear unit.",
      .formula = "f(x) = \\max(0, x)",
      .derivative = "f'(x) = 1 \\text{ if } x > 0 \\text{ else } 0",
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
};

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
    return dy * simd::select(x > V(0), V(1), simd::times_exp(p[0], simd::min(x, V(0))));
  }
};

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

struct Softplus {
  static constexpr Param parameters[] = {
      {.name = "k", .value = 1, .low = 0, .low_open = true, .high_open = true, .meaning = "sharpness"}};
  static constexpr Entry entry{
      .name = "softplus",
      .summary = "Smooth ReLU.",
      .formula = "f(x) = \\ln(1 + e^{k x}) / k",
      .derivative = "f'(x) = \\sigma(k x)",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Dugas et al. 2001",
  };
  template <class F, class V>
  static V forward(const Broadcast<F>& p, V x) {
    return simd::softplus(p[0], x);
  }
  template <class F, class V>
  static V backward(const Broadcast<F>& p, V x, V, V dy) {
    return dy * Sigmoid::forward(p, x);
  }
};

using Activations = List<Identity, Sigmoid, Tanh, Relu, LeakyRelu, Elu, Gelu, Swish, Softplus>;

}  // namespace deltarule
