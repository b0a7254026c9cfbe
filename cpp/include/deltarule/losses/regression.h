// Losses of values: how far a prediction is from a number.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace deltarule {

struct MeanSquaredError {
  static constexpr Entry entry{
      .name = "mse",
      .class_name = "MeanSquaredError",
      .aliases = "mean_squared_error",
      .summary = "Mean of the squared differences.",
      .formula = "L = \\frac{1}{J} \\sum_j (y_j - t_j)^2",
      .derivative = "\\partial L / \\partial y_j = 2 (y_j - t_j) / J",
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V r = y - t;
    value = r * r;
    gradient = r + r;
  }
  static double second(const Values&, double, double) { return 2; }
};

struct Quadratic {
  static constexpr Entry entry{
      .name = "quadratic",
      .class_name = "Quadratic",
      .summary = "Half the squared distance, summed over the outputs: the textbook cost.",
      .formula = "L = \\tfrac12 \\sum_j (y_j - t_j)^2",
      .derivative = "\\partial L / \\partial y_j = y_j - t_j",
      .source = "Rumelhart, Hinton & Williams 1986",
  };
  static constexpr bool averaged = false;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    gradient = y - t;
    value = V(typename V::Scalar(0.5)) * (gradient * gradient);
  }
  static double second(const Values&, double, double) { return 1; }
};

struct MeanAbsoluteError {
  static constexpr double corners[] = {0};
  static constexpr Entry entry{
      .name = "mae",
      .class_name = "MeanAbsoluteError",
      .aliases = "mean_absolute_error",
      .summary = "Mean of the absolute differences.",
      .formula = "L = \\frac{1}{J} \\sum_j |y_j - t_j|",
      .derivative =
          "\\partial L / \\partial y_j = \\mathrm{sign}(y_j - t_j) / J,\\quad \\mathrm{sign}(0) = 0",
      .kinks = corners,
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    const V r = y - t;
    value = simd::abs(r);
    gradient = simd::select(r > V(0), V(1), simd::select(r < V(0), V(-1), r));  // r: 0 or NaN
  }
  static double second(const Values&, double, double) { return 0; }
};

struct Huber {
  static constexpr Param parameters[] = {{.name = "delta",
                                          .value = 1,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "distance where the square goes over into a line"}};
  static constexpr Entry entry{
      .name = "huber",
      .class_name = "Huber",
      .summary = "Half the squared difference near the target, linear farther away; mean over the outputs.",
      .formula =
          "L = \\frac{1}{J} \\sum_j \\begin{cases} \\tfrac12 r_j^2 & |r_j| \\le \\delta \\\\ \\delta "
          "(|r_j| - \\tfrac12 \\delta) & |r_j| > \\delta \\end{cases},\\quad r = y - t",
      .derivative = "\\partial L / \\partial y_j = \\min(\\max(r_j, -\\delta), \\delta) / J",
      .parameters = parameters,
      .source = "Huber 1964",
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    const V half(typename V::Scalar(0.5)), r = y - t;
    gradient = simd::min(simd::max(r, -p[0]), p[0]);
    const V size = simd::abs(r), inner = simd::min(size, p[0]);
    value = inner * (size - half * inner);
  }
  static double second(const Values& p, double y, double t) { return std::abs(y - t) <= p[0] ? 1 : 0; }
};

struct LogCosh {
  static constexpr Entry entry{
      .name = "log_cosh",
      .class_name = "LogCosh",
      .summary = "Logarithm of the hyperbolic cosine of the differences; mean over the outputs.",
      .formula = "L = \\frac{1}{J} \\sum_j \\ln \\cosh (y_j - t_j)",
      .derivative = "\\partial L / \\partial y_j = \\tanh(y_j - t_j) / J",
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>&, V y, V t, V& value, V& gradient) {
    using T = typename V::Scalar;
    const V r = y - t, size = simd::abs(r);
    const V far = size + (simd::softplus(V(-2) * size) - V(T(0.69314718055994530942)));
    // cosh r - 1 = u^2 / (2 (1 + u)), u = e^|r| - 1: near 0 nothing cancels
    const V u = simd::expm1(simd::min(size, V(1)));
    value = simd::select(size < V(1), simd::log1p(u * u / (V(2) + (u + u))), far);
    gradient = simd::tanh(r);
  }
  static double second(const Values&, double y, double t) {
    const double c = std::cosh(y - t);
    return 1 / (c * c);
  }
};

struct Quantile {
  static constexpr Param parameters[] = {{.name = "tau",
                                          .value = 0.5,
                                          .low = 0,
                                          .high = 1,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "the quantile to predict; one half: the median"}};
  static constexpr double corners[] = {0};
  static constexpr Entry entry{
      .name = "quantile",
      .class_name = "Quantile",
      .aliases = "pinball",
      .summary = "Its minimum is a quantile of the targets; mean over the outputs.",
      .formula = "L = \\frac{1}{J} \\sum_j \\max(\\tau r_j, (\\tau - 1) r_j),\\quad r = t - y",
      .derivative =
          "\\partial L / \\partial y_j = (-\\tau \\text{ if } r_j \\ge 0,\\ 1 - \\tau \\text{ if } r_j < 0) "
          "/ J",
      .parameters = parameters,
      .kinks = corners,
      .source = "Koenker & Bassett 1978",
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    const V r = t - y, above = p[0] - V(1);
    value = simd::select(r >= V(0), p[0] * r, above * r);
    gradient = simd::select(r >= V(0), -p[0], simd::select(r < V(0), -above, r));
  }
  static double second(const Values&, double, double) { return 0; }
};

struct PoissonNll {
  static constexpr Param parameters[] = {
      {.name = "log_input",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "the outputs are logarithms of the rates; False: the rates, which must not be negative"},
      {.name = "full",
       .value = 0,
       .kind = Kind::boolean,
       .meaning = "add Stirling's approximation of ln t! where t > 1; it does not depend on the outputs"},
      {.name = "epsilon",
       .value = 1e-8,
       .low = 1e-30,
       .high = 1,
       .meaning = "added to the rate in the logarithm; unused with log_input"}};
  static constexpr Entry entry{
      .name = "poisson_nll",
      .class_name = "PoissonNLL",
      .summary = "Negative log-likelihood of counts; mean over the outputs.",
      .formula =
          "L = \\frac{1}{J} \\sum_j \\left( e^{y_j} - t_j y_j \\right) \\text{ or } \\frac{1}{J} \\sum_j "
          "\\left( y_j - t_j \\ln (y_j + \\epsilon) \\right),\\quad \\text{full: } + t \\ln t - t + "
          "\\tfrac12 \\ln (2 \\pi t) \\text{ for } t > 1",
      .derivative =
          "\\partial L / \\partial y_j = (e^{y_j} - t_j) / J \\text{ or } (1 - t_j / (y_j + \\epsilon)) "
          "/ J",
      .parameters = parameters,
      .target_low = 0,
      .source = "torch.nn.PoissonNLLLoss",
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    using T = typename V::Scalar;
    const auto by_log = p[0] > V(0);
    const V rate = simd::select(by_log, simd::exp(y), y), shifted = y + p[2];
    value = rate - t * simd::select(by_log, y, simd::log(shifted));
    gradient = simd::select(by_log, rate - t, V(1) - t / shifted);
    const V log_t = simd::log(simd::max(t, V(1)));
    const V stirling = t * (log_t - V(1)) + V(T(0.5)) * (log_t + V(T(1.8378770664093454836)));  // ln 2 pi
    value += simd::select(t > V(1), p[1] * stirling, V(0));
  }
  static double second(const Values& p, double y, double t) {
    return p[0] > 0 ? std::exp(y) : t / ((y + p[2]) * (y + p[2]));
  }
};

}  // namespace deltarule
