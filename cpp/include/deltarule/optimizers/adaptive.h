// Rules that divide the gradient by its own size so far: AdaGrad, RMSProp, Adadelta.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct AdaGrad {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::epsilon(1e-10),
      param::eps_inside(),
      {.name = "initial_accumulator", .low = 0, .high_open = true, .meaning = "what the sum starts from"},
      {.name = "learning_rate_decay",
       .low = 0,
       .high_open = true,
       .meaning = "step t takes learning_rate / (1 + (t - 1) * learning_rate_decay)"},
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"square_sum"};
  static constexpr Entry entry{
      .name = "adagrad",
      .class_name = "AdaGrad",
      .summary = "Gradient divided by the root of the sum of all its squares.",
      .formula =
          "v \\leftarrow v + g^2,\\; \\theta \\leftarrow \\theta - \\eta \\frac{g}{\\sqrt v + \\varepsilon} "
          "\\;\\text{(epsilon inside: } \\eta \\frac{g}{\\sqrt{v + \\varepsilon}})",
      .parameters = parameters,
      .states = states,
      .source = "Duchi, Hazan & Singer 2011",
  };
  static constexpr int min_states = 1, max_states = 1;
  static int states_used(const Values&) { return 1; }
  // c: rate, under the root, beside the root, coupled decay, shrinking
  static Values prepare(const Values& p, double learning_rate, double step) {
    const bool inside = p[2] != 0;
    const Decay decay(p[5], p[6] != 0, learning_rate);
    return {learning_rate / (1 + (step - 1) * p[4]), p[3] + (inside ? p[1] : 0), inside ? 0 : p[1],
            decay.coupled, decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[3], w, g);
    s[0] = simd::fma(g, g, s[0]);
    w = simd::fma(-c[0], g / (simd::sqrt(s[0] + c[1]) + c[2]), w * c[4]);
  }
};

struct RmsProp {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::beta("beta", 0.99, "decay of the mean of the squared gradient"),
      param::epsilon(1e-8),
      param::eps_inside(),
      {.name = "centered", .kind = Kind::boolean, .meaning = "subtract the squared mean gradient"},
      param::beta("momentum", 0, "share of the previous step that is kept"),
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
      param::rate_in_buffer(),
  };
  static constexpr std::string_view states[] = {"square_average", "momentum_buffer", "gradient_average"};
  static constexpr Entry entry{
      .name = "rmsprop",
      .class_name = "RMSProp",
      .summary = "Gradient divided by a running root mean square.",
      .formula =
          "v \\leftarrow \\beta v + (1-\\beta) g^2,\\; \\theta \\leftarrow \\theta - \\eta \\frac{g}{\\sqrt "
          "v + \\varepsilon}",
      .parameters = parameters,
      .states = states,
      .source = "Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013",
  };
  static constexpr int min_states = 1, max_states = 3;
  static int states_used(const Values& p) { return p[4] != 0 ? 3 : p[5] > 0 ? 2 : 1; }
  // c: step, beta, 1 - beta, under the root, beside the root, momentum, coupled decay, shrinking, rate of
  // what enters the buffer
  static Values prepare(const Values& p, double learning_rate, double) {
    const bool inside = p[3] != 0, in_buffer = p[8] != 0 && p[5] > 0;
    const Decay decay(p[6], p[7] != 0, learning_rate);
    return {in_buffer ? 1 : learning_rate,
            p[1],
            1 - p[1],
            inside ? p[2] : 0,
            inside ? 0 : p[2],
            p[5],
            decay.coupled,
            decay.shrink,
            in_buffer ? learning_rate : 1};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[6], w, g);
    s[0] = simd::fma(c[1], s[0], c[2] * (g * g));
    V v = s[0];
    if constexpr (N == 3) {
      s[2] = simd::fma(c[1], s[2], c[2] * g);
      v = simd::max(v - s[2] * s[2], V(0));
    }
    V direction = g / (simd::sqrt(v + c[3]) + c[4]);
    if constexpr (N >= 2) direction = s[1] = simd::fma(c[5], s[1], c[8] * direction);
    w = simd::fma(-c[0], direction, w * c[7]);
  }
};

struct Adadelta {
  static constexpr Param parameters[] = {
      param::learning_rate(1),
      param::beta("rho", 0.9, "decay of both running means"),
      {.name = "epsilon",
       .value = 1e-6,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "under both roots; sets the size of the first steps"},
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"square_average", "square_step"};
  static constexpr Entry entry{
      .name = "adadelta",
      .class_name = "Adadelta",
      .summary = "Steps as large as those before, relative to the gradient.",
      .formula =
          "E[g^2] \\leftarrow \\rho E[g^2] + (1-\\rho) g^2,\\; \\Delta = -\\frac{\\sqrt{E[\\Delta^2] + "
          "\\varepsilon}}{\\sqrt{E[g^2] + \\varepsilon}}\\, g,\\; E[\\Delta^2] \\leftarrow \\rho "
          "E[\\Delta^2] + (1-\\rho) \\Delta^2,\\; \\theta \\leftarrow \\theta + \\eta \\Delta",
      .parameters = parameters,
      .states = states,
      .source = "Zeiler 2012",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  // c: rate, rho, 1 - rho, epsilon, coupled decay, shrinking
  static Values prepare(const Values& p, double learning_rate, double) {
    const Decay decay(p[3], p[4] != 0, learning_rate);
    return {learning_rate, p[1], 1 - p[1], p[2], decay.coupled, decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[4], w, g);
    s[0] = simd::fma(c[1], s[0], c[2] * (g * g));
    const V step = simd::sqrt(s[1] + c[3]) / simd::sqrt(s[0] + c[3]) * g;
    s[1] = simd::fma(c[1], s[1], c[2] * (step * step));
    w = simd::fma(-c[0], step, w * c[5]);
  }
};

}  // namespace deltarule
