// S-shaped activations and their integrals.
#pragma once

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

using SigmoidActivations = List<Sigmoid, Tanh, Softplus>;

}  // namespace deltarule
