// Steps along the gradient or its momentum.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct Sgd {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::beta("momentum", 0, "share of the previous velocity that is kept"),
      param::beta("dampening", 0, "the gradient enters the velocity times 1 - dampening"),
      {.name = "nesterov", .kind = Kind::boolean, .meaning = "step along g + momentum * v"},
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
      {.name = "dampen_first_step",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "dampening acts on the first step too, not only from the second on"},
      param::rate_in_buffer(),
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
  // c: step, momentum, gradient's share of the velocity, nesterov, gradient's share of a Nesterov step,
  // coupled decay, shrinking
  static Values prepare(const Values& p, double learning_rate, double step) {
    const bool inside = p[7] != 0 && p[1] > 0;
    const double scale = inside ? learning_rate : 1;
    const double share = step == 1 && p[6] == 0 ? 1 : 1 - p[2];
    const Decay decay(p[4], p[5] != 0, learning_rate);
    return {inside ? 1 : learning_rate, p[1], share * scale, p[3], scale, decay.coupled, decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[5], w, g);
    V direction = g;
    if constexpr (N == 1) {
      s[0] = simd::fma(c[1], s[0], c[2] * g);
      direction = c[3][0] != 0 ? simd::fma(c[1], s[0], c[4] * g) : s[0];
    }
    w = simd::fma(-c[0], direction, w * c[6]);
  }
};

// What Momentum and NAG share: SGD with a velocity, and with g times 1 - mu in the averaged form.
template <bool nesterov>
struct NamedMomentum : private Sgd {
  static constexpr Param parameters[] = {
      param::learning_rate(0.01),
      param::beta("momentum", 0.9, "share of the previous velocity that is kept"),
      {.name = "averaged",
       .kind = Kind::boolean,
       .meaning = "the velocity is a running mean: the gradient enters it times 1 - momentum"},
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"velocity"};
  static constexpr int min_states = 1, max_states = 1;
  static int states_used(const Values&) { return 1; }
  static Values prepare(const Values& p, double learning_rate, double) {
    const double share = p[2] != 0 ? 1 - p[1] : 1;
    const Decay decay(p[3], p[4] != 0, learning_rate);
    return {learning_rate, p[1], share, nesterov ? 1.0 : 0.0, share, decay.coupled, decay.shrink};
  }
  using Sgd::update;
};

struct Momentum : NamedMomentum<false> {
  static constexpr Entry entry{
      .name = "momentum",
      .class_name = "Momentum",
      .summary = "Gradient descent with momentum: SGD with a velocity from the start.",
      .formula =
          "v \\leftarrow \\mu v + g \\;\\text{(averaged: } \\mu v + (1 - \\mu) g),\\; "
          "\\theta \\leftarrow \\theta - \\eta\\, v",
      .parameters = parameters,
      .states = states,
      .source = "Polyak 1964; Rumelhart, Hinton & Williams 1986",
  };
};

struct Nag : NamedMomentum<true> {
  static constexpr Entry entry{
      .name = "nag",
      .class_name = "NAG",
      .aliases = "nesterov",
      .summary = "Nesterov's accelerated gradient: the step looks ahead by the momentum.",
      .formula =
          "v \\leftarrow \\mu v + g,\\; \\theta \\leftarrow \\theta - \\eta (g + \\mu v) "
          "\\;\\text{(averaged: } (1 - \\mu) g \\text{ in place of } g)",
      .parameters = parameters,
      .states = states,
      .source = "Nesterov 1983; Sutskever et al. 2013",
  };
};

struct DeltaRule {
  static constexpr Param parameters[] = {param::learning_rate(0.01)};
  static constexpr Entry entry{
      .name = "delta_rule",
      .class_name = "DeltaRule",
      .aliases = "widrow_hoff|lms",
      .summary =
          "Widrow-Hoff rule of a single linear layer: the loss must be quadratic and the network one dense "
          "layer without activation. A batch takes the mean of its rows' steps.",
      .formula = "\\Delta w = \\eta\\,(t - y)\\,x",
      .parameters = parameters,
      .source = "Widrow & Hoff 1960",
  };
  static constexpr int min_states = 0, max_states = 0;
  static int states_used(const Values&) { return 0; }
  static Values prepare(const Values&, double learning_rate, double) { return {learning_rate}; }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>&) {
    w = simd::fma(-c[0], g, w);
  }
};

}  // namespace deltarule
