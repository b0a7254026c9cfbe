// EVERY elementwise activation: entry, value and derivative side by side; the list is the last line.
//
// forward(p, x) gives f(x); backward(p, x, y, dy) gives dy * f'(x), where y = f(x). `p` holds the
// hyper-parameters in the order of `parameters`. An entry that reads only the output gets no valid x in
// backward, and vice versa. At a kink the derivative is the left-hand branch's.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/simd/math.h>

namespace deltarule {

template <class V>
using Broadcast = std::array<V, max_parameters>;

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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    return simd::logistic(p[0] * x);
  }
  // From x, not y: 1 - y has no correct digits left once y rounds to 1.
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    const V z = p[0] * x;
    return dy * (p[0] * (simd::logistic(z) * simd::logistic(-z)));
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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    return simd::select(x > V(0), x, p[0] * x);
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    return simd::select(x > V(0), dy, p[0] * dy);
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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    return simd::select(x > V(0), x, p[0] * simd::expm1(simd::min(x, V(0))));
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    return dy * simd::select(x > V(0), V(1), p[0] * simd::exp(simd::min(x, V(0))));
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
  template <class V>
  static V argument(V x) {
    return V(typename V::Scalar(1.5957691216057308)) *
           (x * simd::fma(V(typename V::Scalar(0.044715)), x * x, V(1)));
  }
  template <class V>
  static V argument_slope(V x) {
    return V(typename V::Scalar(1.5957691216057308)) *
           simd::fma(V(typename V::Scalar(3 * 0.044715)), x * x, V(1));
  }
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    if (p[0][0] == 0) return product(x, simd::normal_cdf(x));
    const V u = p[0][0] == 1 ? argument(x) : V(typename V::Scalar(1.702)) * x;
    return product(x, simd::logistic(u));
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    if (p[0][0] == 0) return dy * (simd::normal_cdf(x) + product(x, simd::normal_pdf(x)));
    const V u = p[0][0] == 1 ? argument(x) : V(typename V::Scalar(1.702)) * x;
    const V slope = p[0][0] == 1 ? argument_slope(x) : V(typename V::Scalar(1.702));
    const V s = simd::logistic(u);
    return dy * simd::fma(x * slope, s * simd::logistic(-u), s);
  }
  // x * weight, where weight = 0 wins over an infinite x
  template <class V>
  static V product(V x, V weight) {
    return simd::select(weight == V(0), V(0), x * weight);
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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    return Gelu::product(x, simd::logistic(p[0] * x));
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    const V z = p[0] * x, s = simd::logistic(z), c = simd::logistic(-z);
    return dy * (s + Gelu::product(z, s * c));
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
  template <class V>
  static V forward(const Broadcast<V>& p, V x) {
    return simd::softplus(p[0] * x) / p[0];
  }
  template <class V>
  static V backward(const Broadcast<V>& p, V x, V, V dy) {
    return dy * simd::logistic(p[0] * x);
  }
};

using Activations = List<Identity, Sigmoid, Tanh, Relu, LeakyRelu, Elu, Gelu, Swish, Softplus>;

}  // namespace deltarule
