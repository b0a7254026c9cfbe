// Rules that look at the sign of the gradient only: Rprop, Lion.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct Rprop {
  static constexpr Param parameters[] = {
      {.name = "learning_rate",
       .value = 0.01,
       .low = 0,
       .high_open = true,
       .meaning = "first step of every weight; a schedule has no effect after it, but 0 stands still"},
      {.name = "decrease",
       .value = 0.5,
       .low = 0,
       .high = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "factor on a weight's step when its gradient changed sign"},
      {.name = "increase",
       .value = 1.2,
       .low = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "factor when it kept its sign"},
      {.name = "smallest_step",
       .value = 1e-6,
       .low = 0,
       .high_open = true,
       .meaning = "lower limit of a step"},
      {.name = "largest_step", .value = 50, .low = 0, .high_open = true, .meaning = "upper limit of a step"},
  };
  static constexpr std::string_view states[] = {"previous_gradient", "step_size"};
  static constexpr Entry entry{
      .name = "rprop",
      .class_name = "Rprop",
      .summary = "Resilient backpropagation: every weight has a step of its own. For full batches.",
      .formula =
          "s \\leftarrow \\mathrm{clamp}(s \\cdot (\\eta^+ \\text{ if } g\\,g_{t-1} > 0,\\; \\eta^- \\text{ "
          "if "
          "} g\\,g_{t-1} < 0,\\; \\text{else } 1)),\\; g \\leftarrow 0 \\text{ if } g\\,g_{t-1} < 0,\\; "
          "\\theta \\leftarrow \\theta - s\\, \\mathrm{sign}(g)",
      .parameters = parameters,
      .states = states,
      .source = "Riedmiller & Braun 1993; without weight backtracking: Riedmiller 1994",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  // c: decrease, increase, smallest, largest, first step?, its size, moves at all?
  static Values prepare(const Values& p, double learning_rate, double step) {
    return {p[1], p[2], p[3], p[4], step == 1 ? 1.0 : 0.0, learning_rate, learning_rate > 0 ? 1.0 : 0.0};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    const V same = sign(g) * sign(s[0]);
    const V size = c[4][0] != 0 ? c[5] : s[1];
    s[1] = size * select(same > V(0), c[1], select(same < V(0), c[0], V(1)));
    s[1] = simd::min(simd::max(s[1], c[2]), c[3]);
    s[0] = select(same < V(0), V(0), g);
    w = simd::fma(-s[1] * c[6], sign(s[0]), w);
  }
};

struct Lion {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-4),
      param::beta("beta_1", 0.9, "share of the mean in the direction of a step"),
      param::beta("beta_2", 0.99, "decay of the mean of the gradient"),
      param::weight_decay(0, param::decoupled),
  };
  static constexpr std::string_view states[] = {"mean_gradient"};
  static constexpr Entry entry{
      .name = "lion",
      .class_name = "Lion",
      .summary = "Evolved sign momentum: every weight moves by the same amount.",
      .formula =
          "\\theta \\leftarrow \\theta - \\eta\\,(\\mathrm{sign}(\\beta_1 m + (1-\\beta_1) g) + \\lambda "
          "\\theta),\\; m \\leftarrow \\beta_2 m + (1-\\beta_2) g",
      .parameters = parameters,
      .states = states,
      .source = "Chen et al. 2023",
  };
  static constexpr int min_states = 1, max_states = 1;
  static int states_used(const Values&) { return 1; }
  // c: rate, beta1, 1 - beta1, beta2, 1 - beta2, shrinking
  static Values prepare(const Values& p, double learning_rate, double) {
    return {learning_rate, p[1], 1 - p[1], p[2], 1 - p[2], Decay(p[3], true, learning_rate).shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    const V direction = sign(simd::fma(c[1], s[0], c[2] * g));
    s[0] = simd::fma(c[3], s[0], c[4] * g);
    w = simd::fma(-c[0], direction, w * c[5]);
  }
};

}  // namespace deltarule
