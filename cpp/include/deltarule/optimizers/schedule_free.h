// A rule that averages its path instead of lowering the learning rate.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct ScheduleFreeAdamW {
  static constexpr Param parameters[] = {
      param::learning_rate(2.5e-3),
      param::beta("beta_1", 0.9, "how near the average the gradient is taken"),
      param::beta_2(0.999),
      param::epsilon(1e-8),
      param::weight_decay(0, "decoupled: learning_rate * weight_decay * y is taken off z each step"),
      {.name = "warmup_steps",
       .value = 0,
       .low = 0,
       .high_open = true,
       .kind = Kind::integer,
       .meaning = "steps T in which the rate rises to learning_rate; the average counts them less"},
  };
  static constexpr std::string_view states[] = {"base_point", "other_point", "second_moment"};
  static constexpr Entry entry{
      .name = "schedule_free_adamw",
      .class_name = "ScheduleFreeAdamW",
      .summary =
          "AdamW whose average x of all steps z is the result, while gradients are taken at y between both. "
          "Between calls of training the network holds x (and other_point holds y), so that it is x that is "
          "evaluated, predicted with and saved; losses measured during training are those at y. Made for "
          "no schedule: one would change the rate, but not the weights of the average.",
      .formula =
          "z \\leftarrow z - \\gamma_t \\Big(\\frac{g}{\\sqrt{\\hat v} + \\varepsilon} + \\lambda "
          "y\\Big),\\; x "
          "\\leftarrow (1 - c_t) x + c_t z,\\; y \\leftarrow (1 - \\beta_1) z + \\beta_1 x,\\; \\gamma_t = "
          "\\eta "
          "\\min(1, t/T),\\; c_t = \\gamma_t^2 / \\sum_{i \\le t} \\gamma_i^2",
      .parameters = parameters,
      .states = states,
      .source = "Defazio et al. 2024, The road less scheduled; in the form of its authors' program",
  };
  static constexpr int min_states = 3, max_states = 3;
  static constexpr int exchanged = 1;  // the state that changes places with the weights outside training
  static int states_used(const Values&) { return 3; }
  // Sum of (gamma_i / eta)^2 of the first t steps.
  static double weight_sum(double t, double warmup) {
    const double rising = std::min(t, warmup);
    const double risen = warmup > 0 ? rising * (rising + 1) * (2 * rising + 1) / (6 * warmup * warmup) : 0;
    return risen + (t - rising);
  }
  // c: beta1, beta2, 1 - beta2, rate, 1/(1-beta2^t), epsilon, decay, share of the average, first step?
  static Values prepare(const Values& p, double learning_rate, double step) {
    const double rise = step < p[5] ? step / p[5] : 1;
    return {p[1],
            p[2],
            1 - p[2],
            learning_rate * rise,
            1 / (1 - std::pow(p[2], step)),
            p[3],
            p[4],
            rise * rise / weight_sum(step, p[5]),
            step == 1 ? 1.0 : 0.0};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    const bool first = c[8][0] != 0;
    s[2] = simd::fma(c[1], s[2], c[2] * (g * g));
    const V direction = simd::fma(c[6], w, g / (simd::sqrt(s[2] * c[4]) + c[5]));
    const V z = simd::fma(-c[3], direction, first ? w : s[0]), x = first ? w : s[1];
    s[0] = z;
    s[1] = simd::fma(c[7], z - x, x);
    w = simd::fma(c[0], s[1] - z, z);
  }
};

}  // namespace deltarule
