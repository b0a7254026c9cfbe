// ReLU and its relatives that are made of straight lines or exponentials.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

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

using RectifierActivations = List<Relu, LeakyRelu, Elu>;

}  // namespace deltarule
