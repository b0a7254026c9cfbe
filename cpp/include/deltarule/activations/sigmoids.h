// S-shaped activations, their integrals and logarithms.
#pragma once

#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

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
      .c = "const real e = exp_minus({slope}, {slope.low}, x);\n"
           "return (x < 0 ? e : 1) / (1 + e);",
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
    if constexpr (std::is_same_v<F, simd::One>) return dy * simd::rounded_logistic_slope(x);
    return dy * (p[0] * simd::logistic_slope(p[0].argument(x))).rounded();
  }
  static double second(const Values& p, double x) {
    const double z = p[0] * x;
    return (p[0] * activations::logistic_slope(z)) * (p[0] * activations::logistic_bend(z));
  }
};

struct Tanh {
  static constexpr Entry entry{
      .name = "tanh",
      .summary = "Hyperbolic tangent, from -1 to 1.",
      .formula = "f(x) = \\tanh x",
      .derivative = "f'(x) = 1 - y^2",
      .c = "return tanh(x);",
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
  static double second(const Values&, double x) { return -2 * std::tanh(x) * activations::tanh_slope(x); }
};

struct Softplus {
  static constexpr Param parameters[] = {
      {.name = "k", .value = 1, .low = 0, .low_open = true, .high_open = true, .meaning = "sharpness"}};
  static constexpr Entry entry{
      .name = "softplus",
      .summary = "Smooth ReLU.",
      .formula = "f(x) = \\ln(1 + e^{k x}) / k",
      .derivative = "f'(x) = \\sigma(k x)",
      .c = "return (x > 0 ? x : 0) + log1p(exp_minus({k}, {k.low}, x)) / {k};",
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
  static double second(const Values& p, double x) { return p[0] * activations::logistic_slope(p[0] * x); }
};

struct LogSigmoid {
  static constexpr Entry entry{
      .name = "log_sigmoid",
      .summary = "Logarithm of the sigmoid.",
      .formula = "f(x) = \\ln \\sigma(x) = -\\ln(1 + e^{-x})",
      .derivative = "f'(x) = \\sigma(-x)",
      .c = "return (x < 0 ? x : 0) - log1p(exp(-fabs(x)));",
      .reads = Reads::input,
      .source = "PyTorch, torch.nn.LogSigmoid",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return -simd::softplus(-x);
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    return dy * simd::logistic(-x);
  }
  static double second(const Values&, double x) { return -activations::logistic_slope(x); }
};

struct Softsign {
  static constexpr Entry entry{
      .name = "softsign",
      .summary = "From -1 to 1 like tanh, but slower.",
      .formula = "f(x) = \\frac{x}{1 + |x|}",
      .derivative = "f'(x) = \\frac{1}{(1 + |x|)^2}",
      .c = "return fabs(x) > 1e30 ? copysign(1.0, x) : x / (1 + fabs(x));",
      .reads = Reads::input,
      .source = "Bergstra, Desjardins, Lamblin & Bengio 2009",
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    const V reach(typename V::Scalar(1e30));  // beyond, f is 1; at infinity too
    const V bounded = simd::min(simd::max(x, -reach), reach);
    return bounded / (V(1) + simd::abs(bounded));
  }
  template <class V>
  static V backward(const Broadcast<V>&, V x, V, V dy) {
    const V inverse = V(1) / (V(1) + simd::abs(x));
    return dy * (inverse * inverse);
  }
  static double second(const Values&, double x) {
    const double inverse = 1 / (1 + std::abs(x));
    return (x > 0 ? -2 : 2) * inverse * inverse * inverse;
  }
};

using SigmoidActivations = List<Sigmoid, Tanh, Softplus, LogSigmoid, Softsign>;

}  // namespace deltarule
