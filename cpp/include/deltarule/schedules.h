// EVERY learning-rate schedule: entry and value; the list is the last line.
//
// value(p, rate, step, next) is the rate of step 0, 1, 2, ...; `rate` is the optimizer's learning_rate and
// next(step) the schedule that a wrapping one wraps (the plain rate when there is none).
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
inline constexpr Param final_rate() {
  return {.name = "final_learning_rate",
          .value = 0,
          .low = 0,
          .high_open = true,
          .meaning = "rate from total_steps on"};
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
      {.name = "factor",
       .value = 0.9,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "factor c per decay_steps steps"},
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

using Schedules = List<ConstantRate, LinearRate, CosineRate, ExponentialRate, WarmupRate>;

// Outermost first. No element means the constant rate.
double scheduled_rate(std::span<const Choice> chain, double rate, double step);

}  // namespace deltarule
