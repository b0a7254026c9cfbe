// EVERY learning-rate schedule: entry and value; the list is the last line.
//
// value(p, rate, step, next) is the rate of step 0, 1, 2, ...; `rate` is the optimizer's learning_rate and
// next(step) the schedule that a wrapping one wraps (the plain rate when there is none). One with a list
// takes the whole Choice in place of p.
#pragma once

#include <deltarule/catalog.h>
#include <algorithm>
#include <cmath>
#include <numbers>

namespace deltarule {

namespace param {
inline constexpr Param steps(std::string_view name, double value, std::string_view meaning) {
  return {
      .name = name, .value = value, .low = 1, .high_open = true, .kind = Kind::integer, .meaning = meaning};
}
inline constexpr Param final_rate(std::string_view meaning = "rate from total_steps on") {
  return {.name = "final_learning_rate", .value = 0, .low = 0, .high_open = true, .meaning = meaning};
}
inline constexpr Param factor(double value, std::string_view meaning) {
  return {
      .name = "factor", .value = value, .low = 0, .low_open = true, .high_open = true, .meaning = meaning};
}
inline constexpr Param divisor(std::string_view name, double value, std::string_view meaning) {
  return {.name = name, .value = value, .low = 1, .high_open = true, .meaning = meaning};
}
}  // namespace param

struct ConstantRate {
  static constexpr Entry entry{
      .name = "constant",
      .class_name = "Constant",
      .summary = "The same rate at every step.",
      .formula = "\\eta_\\tau = \\eta_0",
  };
  template <class Next>
  static double value(const Values&, double, double step, Next next) {
    return next(step);
  }
};

struct LinearRate {
  static constexpr Param parameters[] = {param::steps("total_steps", 1000, "steps K of the descent"),
                                         param::final_rate()};
  static constexpr Entry entry{
      .name = "linear",
      .class_name = "Linear",
      .summary = "Straight line to the final rate, which then stays.",
      .formula = "\\eta_\\tau = (1 - \\tau/K)\\,\\eta_0 + (\\tau/K)\\,\\eta_K",
      .parameters = parameters,
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    const double x = std::min(step / p[0], 1.0);
    return (1 - x) * rate + x * p[1];
  }
};

struct CosineRate {
  static constexpr Param parameters[] = {param::steps("total_steps", 1000, "steps K of the half wave"),
                                         param::final_rate()};
  static constexpr Entry entry{
      .name = "cosine",
      .class_name = "Cosine",
      .summary = "Half a cosine wave to the final rate, which then stays.",
      .formula = "\\eta_\\tau = \\eta_K + \\tfrac12 (\\eta_0 - \\eta_K)(1 + \\cos(\\pi\\tau/K))",
      .parameters = parameters,
      .source = "Loshchilov & Hutter 2017",
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    const double x = std::min(step / p[0], 1.0);
    return p[1] + 0.5 * (rate - p[1]) * (1 + std::cos(std::numbers::pi * x));
  }
};

struct ExponentialRate {
  static constexpr Param parameters[] = {
      param::factor(0.9, "factor c per decay_steps steps"),
      param::steps("decay_steps", 1000, "steps s in which the rate is multiplied by factor once")};
  static constexpr Entry entry{
      .name = "exponential",
      .class_name = "Exponential",
      .summary = "Exponential decay.",
      .formula = "\\eta_\\tau = \\eta_0\\, c^{\\tau/s}",
      .parameters = parameters,
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    return rate * std::pow(p[0], step / p[1]);
  }
};

struct PowerLawRate {
  static constexpr Param parameters[] = {
      {.name = "exponent", .value = -0.5, .high = 0, .low_open = true, .meaning = "power c of the descent"},
      param::steps("decay_steps", 1000, "steps s after which the rate is 2^c of the first")};
  static constexpr Entry entry{
      .name = "power_law",
      .class_name = "PowerLaw",
      .summary = "Descent by a power of the step.",
      .formula = "\\eta_\\tau = \\eta_0\\, (1 + \\tau/s)^c",
      .parameters = parameters,
      .source = "Robbins & Monro 1951, for -1 <= c < -1/2",
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    return rate * std::pow(1 + step / p[1], p[0]);
  }
};

struct StepRate {
  static constexpr Param parameters[] = {param::factor(0.1, "factor c on the rate at every stair"),
                                         param::steps("decay_steps", 1000, "steps s of a stair")};
  static constexpr Entry entry{
      .name = "step",
      .class_name = "StepDecay",
      .summary = "Stairs of equal length.",
      .formula = "\\eta_\\tau = \\eta_0\\, c^{\\lfloor\\tau/s\\rfloor}",
      .parameters = parameters,
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    return rate * std::pow(p[0], std::floor(step / p[1]));
  }
};

struct MultiStepRate {
  static constexpr double default_milestones[] = {1000};
  static constexpr Param parameters[] = {param::factor(0.1, "factor c on the rate at every milestone"),
                                         {.name = "milestones",
                                          .low = 1,
                                          .high_open = true,
                                          .kind = Kind::integer_list,
                                          .meaning = "steps m from which on the rate is lower, in any order",
                                          .list = default_milestones}};
  static constexpr Entry entry{
      .name = "multi_step",
      .class_name = "MultiStepDecay",
      .summary = "Stairs that begin at given steps.",
      .formula = "\\eta_\\tau = \\eta_0\\, c^{\\,|\\{m:\\, m \\le \\tau\\}|}",
      .parameters = parameters,
  };
  template <class Next>
  static double value(const Choice& chosen, double rate, double step, Next) {
    const auto passed = std::ranges::count_if(chosen.lists[1], [&](double m) { return m <= step; });
    return rate * std::pow(chosen.values[0], static_cast<double>(passed));
  }
};

struct CosineRestartsRate {
  static constexpr Param parameters[] = {
      param::steps("first_cycle_steps", 1000, "steps T0 of the first cycle"),
      param::steps("cycle_factor", 1, "every cycle is so many times as long as the one before"),
      param::final_rate("rate that every cycle goes down to")};
  static constexpr Entry entry{
      .name = "cosine_restarts",
      .class_name = "CosineRestarts",
      .summary = "Cosine descents, each beginning at the full rate.",
      .formula =
          "\\eta_\\tau = \\eta_K + \\tfrac12 (\\eta_0 - \\eta_K)(1 + \\cos(\\pi\\tau_i/T_i)),\\; T_{i+1} = "
          "m\\, T_i, \\text{ with } \\tau_i \\text{ steps since the last restart}",
      .parameters = parameters,
      .source = "Loshchilov & Hutter 2017",
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    double length = p[0], at = step;
    if (p[1] == 1) at = std::fmod(step, length);
    for (; at >= length; length *= p[1]) at -= length;
    return p[2] + 0.5 * (rate - p[2]) * (1 + std::cos(std::numbers::pi * (at / length)));
  }
};

struct OneCycleRate {
  static constexpr Param parameters[] = {
      param::steps("total_steps", 1000, "steps K of the cycle"),
      {.name = "rise",
       .value = 0.3,
       .low = 0,
       .high = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "share r of the steps in which the rate rises"},
      param::divisor("initial_divisor", 25, "the first rate is the optimizer's divided by this"),
      param::divisor("final_divisor", 1e4, "the last rate is the first divided by this"),
      {.name = "annealing",
       .kind = Kind::choice,
       .choices = "cosine|linear",
       .meaning = "shape of both parts"},
  };
  static constexpr Entry entry{
      .name = "one_cycle",
      .class_name = "OneCycle",
      .summary =
          "Rise to the optimizer's rate, then descent to far below the first; the last rate then stays.",
      .formula =
          "\\eta_0/d_0 \\to \\eta_0 \\text{ until } \\tau = rK - 1, \\text{ then } \\to \\eta_0/(d_0 d_K) "
          "\\text{ until } \\tau = K - 1",
      .parameters = parameters,
      .source = "Smith & Topin 2019, in two parts as PyTorch has it",
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    const double top = p[1] * p[0] - 1, first = rate / p[2];
    const bool rising = step < top;
    const double from = rising ? first : rate, to = rising ? rate : first / p[3];
    const double x = rising ? step / top : std::min((step - top) / (p[0] - 1 - top), 1.0);
    return to + (from - to) * (p[4] != 0 ? 1 - x : 0.5 * (1 + std::cos(std::numbers::pi * x)));
  }
};

struct PolynomialRate {
  static constexpr Param parameters[] = {param::steps("total_steps", 1000, "steps K of the descent"),
                                         {.name = "power",
                                          .value = 1,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "exponent p; 1 is the straight line"},
                                         param::final_rate()};
  static constexpr Entry entry{
      .name = "polynomial",
      .class_name = "Polynomial",
      .summary = "Power of what is left of the steps, down to the final rate, which then stays.",
      .formula = "\\eta_\\tau = \\eta_K + (\\eta_0 - \\eta_K)(1 - \\tau/K)^p",
      .parameters = parameters,
  };
  template <class Next>
  static double value(const Values& p, double rate, double step, Next) {
    return p[2] + (rate - p[2]) * std::pow(1 - std::min(step / p[0], 1.0), p[1]);
  }
};

struct WarmupRate {
  static constexpr Param parameters[] = {param::steps("warmup_steps", 100, "steps W of the rise")};
  static constexpr Entry entry{
      .name = "warmup",
      .class_name = "Warmup",
      .summary = "Linear rise, then the schedule it wraps, counted from the end of the rise.",
      .formula =
          "\\eta_\\tau = \\eta_0 (\\tau + 1)/W \\text{ for } \\tau < W, \\text{ then } \\mathrm{after}(\\tau "
          "- W)",
      .parameters = parameters,
      .wraps = true,
      .source = "Goyal et al. 2017",
  };
  template <class Next>
  static double value(const Values& p, double, double step, Next next) {
    return step < p[0] ? next(0.0) * (step + 1) / p[0] : next(step - p[0]);
  }
};

using Schedules = List<ConstantRate, LinearRate, CosineRate, ExponentialRate, PowerLawRate, StepRate,
                       MultiStepRate, CosineRestartsRate, OneCycleRate, PolynomialRate, WarmupRate>;

// Outermost first. No element means the constant rate.
double scheduled_rate(std::span<const Choice> chain, double rate, double step);

}  // namespace deltarule
