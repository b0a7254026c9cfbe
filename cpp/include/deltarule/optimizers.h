// EVERY update rule: entry (parameters, state arrays) and update; the list is the last line.
//
// prepare(values, learning_rate, step) works out, once a step and in double, the constants c that
// update<N>(c, g, w, s) needs for every element. N = states_used(values) is how many of the entry's state
// arrays this choice of parameters keeps. The engine owns the step count (1 for the first) and the arrays.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <cmath>

namespace deltarule {

namespace param {
inline constexpr Param learning_rate(double value) {
  return {.name = "learning_rate",
          .value = value,
          .low = 0,
          .high_open = true,
          .meaning = "step size; a schedule multiplies or replaces it"};
}
inline constexpr Param beta(std::string_view name, double value, std::string_view meaning) {
  return {.name = name, .value = value, .low = 0, .high = 1, .high_open = true, .meaning = meaning};
}
inline constexpr Param epsilon(double value) {
  return {.name = "epsilon",
          .value = value,
          .low = 0,
          .high_open = true,
          .meaning = "keeps the denominator from zero"};
}
inline constexpr Param weight_decay(double value, std::string_view meaning) {
  return {.name = "weight_decay", .value = value, .low = 0, .high_open = true, .meaning = meaning};
}
inline constexpr std::string_view coupled = "L2 penalty: weight_decay * w is added to the gradient";
}  // namespace param

struct Sgd {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::beta("momentum", 0, "share of the previous velocity that is kept"),
      param::beta("dampening", 0, "the gradient enters the velocity times 1 - dampening"),
      {.name = "nesterov", .kind = Kind::boolean, .meaning = "step along g + momentum * v"},
      param::weight_decay(0, param::coupled),
  };
  static constexpr std::string_view states[] = {"velocity"};
  static constexpr Entry entry{
      .name = "sgd",
      .class_name = "SGD",
      .summary = "Stochastic gradient descent with momentum.",
      .formula =
          "g \\leftarrow g + \\lambda\\theta,\\; v \\leftarrow \\mu v + (1 - \\tau) g,\\; "
          "\\theta \\leftarrow \\theta - \\eta\\, v \\;\\text{(Nesterov: } \\theta - \\eta (g + \\mu v))",
      .parameters = parameters,
      .states = states,
      .source = "Robbins & Monro 1951; Polyak 1964; Nesterov 1983",
  };
  static constexpr int min_states = 0, max_states = 1;
  static int states_used(const Values& p) { return p[1] > 0 ? 1 : 0; }
  static Values prepare(const Values& p, double learning_rate, double) {
    return {learning_rate, p[1], 1 - p[2], p[3], p[4]};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[4], w, g);
    V direction = g;
    if constexpr (N == 1) {
      s[0] = simd::fma(c[1], s[0], c[2] * g);
      direction = c[3][0] != 0 ? simd::fma(c[1], s[0], g) : s[0];
    }
    w = simd::fma(-c[0], direction, w);
  }
};

// The part that Adam and AdamW share; c: beta1, 1-beta1, beta2, 1-beta2, rate/(1-beta1^t), 1/(1-beta2^t),
// epsilon, ...
struct AdamMoments {
  static Values prepare(const Values& p, double learning_rate, double step, double coupled, double shrink) {
    return {p[1],
            1 - p[1],
            p[2],
            1 - p[2],
            learning_rate / (1 - std::pow(p[1], step)),
            1 / (1 - std::pow(p[2], step)),
            p[3],
            coupled,
            shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[7], w, g);
    s[0] = simd::fma(c[0], s[0], c[1] * g);
    s[1] = simd::fma(c[2], s[1], c[3] * (g * g));
    V v = s[1];
    if constexpr (N == 3) v = s[2] = simd::max(s[2], s[1]);
    const V denominator = simd::sqrt(v * c[5]) + c[6];
    w = simd::fma(-c[4], s[0] / denominator, w * c[8]);
  }
};

struct Adam {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta("beta_1", 0.9, "decay of the mean of the gradient"),
      param::beta("beta_2", 0.999, "decay of the mean of its square"),
      param::epsilon(1e-8),
      {.name = "amsgrad", .kind = Kind::boolean, .meaning = "divide by the largest second moment so far"},
      param::weight_decay(0, param::coupled),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment", "max_second_moment"};
  static constexpr Entry entry{
      .name = "adam",
      .class_name = "Adam",
      .summary = "Adaptive moment estimation.",
      .formula =
          "m \\leftarrow \\beta_1 m + (1-\\beta_1) g,\\; v \\leftarrow \\beta_2 v + (1-\\beta_2) g^2,\\; "
          "\\theta \\leftarrow \\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + \\varepsilon},\\; "
          "\\hat m = \\frac{m}{1-\\beta_1^t},\\; \\hat v = \\frac{v}{1-\\beta_2^t}",
      .parameters = parameters,
      .states = states,
      .source = "Kingma & Ba 2015; amsgrad: Reddi, Kale & Kumar 2018",
  };
  static constexpr int min_states = 2, max_states = 3;
  static int states_used(const Values& p) { return p[4] != 0 ? 3 : 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return AdamMoments::prepare(p, learning_rate, step, p[5], 1);
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    AdamMoments::update<N>(c, g, w, s);
  }
};

struct AdamW {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta("beta_1", 0.9, "decay of the mean of the gradient"),
      param::beta("beta_2", 0.999, "decay of the mean of its square"),
      param::epsilon(1e-8),
      {.name = "amsgrad", .kind = Kind::boolean, .meaning = "divide by the largest second moment so far"},
      param::weight_decay(0.01, "decoupled: the weights shrink by learning_rate * weight_decay each step"),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment", "max_second_moment"};
  static constexpr Entry entry{
      .name = "adamw",
      .class_name = "AdamW",
      .summary = "Adam with decoupled weight decay.",
      .formula =
          "\\theta \\leftarrow (1 - \\eta\\lambda)\\,\\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + "
          "\\varepsilon}",
      .parameters = parameters,
      .states = states,
      .source = "Loshchilov & Hutter 2019",
  };
  static constexpr int min_states = 2, max_states = 3;
  static int states_used(const Values& p) { return p[4] != 0 ? 3 : 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return AdamMoments::prepare(p, learning_rate, step, 0, 1 - learning_rate * p[5]);
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    AdamMoments::update<N>(c, g, w, s);
  }
};

struct RmsProp {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::beta("beta", 0.99, "decay of the mean of the squared gradient"),
      param::epsilon(1e-8),
      {.name = "eps_inside", .kind = Kind::boolean, .meaning = "epsilon under the root instead of beside it"},
      {.name = "centered", .kind = Kind::boolean, .meaning = "subtract the squared mean gradient"},
      param::beta("momentum", 0, "share of the previous step that is kept"),
      param::weight_decay(0, param::coupled),
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
  static Values prepare(const Values& p, double learning_rate, double) {
    return {learning_rate, p[1], 1 - p[1], p[3] != 0 ? p[2] : 0, p[3] != 0 ? 0 : p[2], p[5], p[6]};
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
    if constexpr (N >= 2) direction = s[1] = simd::fma(c[5], s[1], direction);
    w = simd::fma(-c[0], direction, w);
  }
};

using Optimizers = List<Sgd, Adam, AdamW, RmsProp>;

}  // namespace deltarule
