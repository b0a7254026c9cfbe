// Losses of the probability of the right class: functions of l = -ln p_t, with p = softmax(z).
//
// slope(values, l, p, q) is dL / dl, with q = 1 - p; the gradient is slope (p_c - [c = t]).
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/losses/estimate.h>
#include <deltarule/losses/softmax.h>
#include <cstdint>

namespace deltarule {

template <class Loss>
struct OnLabel {
  static constexpr bool from_logits = true;
  template <class T>
  static double row(const Values& values, std::size_t n, const T* z, std::int32_t label, double scale,
                    T* gradient) {
    using P = simd::Pack<T>;
    const auto t = static_cast<std::size_t>(label);
    const SoftmaxSums<T> s(n, z, gradient, t);
    const double l = static_cast<double>(s.maximum) - static_cast<double>(z[t]) + s.log_total(),
                 q = s.rest / s.total,
                 slope = scale * Loss::slope(values, l, static_cast<double>(s.own) / s.total, q);
    const P factor(static_cast<T>(slope / s.total));
    simd::each<T>(n, [&](auto span) { span.store(gradient, factor * span.load(gradient)); });
    gradient[t] = static_cast<T>(-slope * q);
    return Loss::value(values, l, q);
  }
  static void hessian_times(const Values& values, std::size_t n, const double* z, std::int32_t label,
                            const double* v, double* out) {
    const auto t = static_cast<std::size_t>(label);
    Estimate<Dual>& e = Estimate<Dual>::of_this_thread();
    e.resize(n);
    for (std::size_t c = 0; c < n; ++c) e.z[c] = Dual(z[c], v[c]);
    e.set(true);
    const Dual slope = Loss::slope(values, -e.log_p[t], e.p[t], e.q[t]);
    for (std::size_t c = 0; c < n; ++c) out[c] = (slope * (c == t ? -e.q[c] : e.p[c])).slope;
  }
};

struct Focal : OnLabel<Focal> {
  static constexpr Param parameters[] = {{.name = "gamma",
                                          .value = 2,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning =
                                              "how much less the rows count that are right already; 0: "
                                              "cross-entropy"}};
  static constexpr Entry entry{
      .name = "focal",
      .class_name = "Focal",
      .summary =
          "Cross-entropy of a softmax, from logits, that looks away from what is right already. For weights "
          "of "
          "classes (alpha) use class_weight.",
      .formula = "L = -(1 - p_t)^\\gamma \\ln p_t,\\quad p = \\mathrm{softmax}(z)",
      .derivative =
          "\\partial L / \\partial z_c = \\left((1 - p_t)^\\gamma - \\gamma p_t (1 - p_t)^{\\gamma - 1} \\ln "
          "p_t\\right) (p_c - [c = t])",
      .parameters = parameters,
      .target = Target::label,
      .source = "Lin, Goyal, Girshick, He & Dollar 2017",
  };
  template <class S>
  static S power(S q, double gamma) {
    return gamma == 2 ? q * q : scalar::pow(q, gamma);
  }
  static double value(const Values& values, double l, double q) { return power(q, values[0]) * l; }
  template <class S>
  static S slope(const Values& values, S l, S p, S q) {
    const S ratio = scalar::value(q) == 0 ? S(1) : l / q;
    return power(q, values[0]) * (S(1) + S(values[0]) * p * ratio);
  }
};

struct AlphaLoss : OnLabel<AlphaLoss> {
  static constexpr Param parameters[] = {
      {.name = "alpha",
       .value = 1,
       .low = 0,
       .low_open = true,
       .meaning = "1: cross-entropy; infinity (allowed): 1 - p; below 1 improbable rows count more, above "
                  "1 less"}};
  static constexpr Entry entry{
      .name = "alpha_loss",
      .class_name = "AlphaLoss",
      .summary =
          "A family from the exponential loss over cross-entropy to the smooth 0-1 loss, from logits. Some "
          "lecture notes print the other sign in front and for infinite alpha; this is the paper's.",
      .formula =
          "L = \\frac{\\alpha}{\\alpha - 1} \\left(1 - p_t^{1 - 1 / \\alpha}\\right),\\quad \\alpha = 1: "
          "-\\ln "
          "p_t,\\quad \\alpha = \\infty: 1 - p_t,\\quad p = \\mathrm{softmax}(z)",
      .derivative = "\\partial L / \\partial z_c = p_t^{1 - 1 / \\alpha} (p_c - [c = t])",
      .parameters = parameters,
      .target = Target::label,
      .source = "Sypherd, Diaz, Sankar & Kairouz 2019",
  };
  static double value(const Values& values, double l, double) {
    const double k = 1 - 1 / values[0];
    return k == 0 ? l : -std::expm1(-k * l) / k;
  }
  template <class S>
  static S slope(const Values& values, S l, S, S) {
    return scalar::exp(S(1 / values[0] - 1) * l);
  }
};

struct ZeroOne {
  static constexpr Entry entry{
      .name = "zero_one",
      .class_name = "ZeroOne",
      .summary =
          "1 where the largest output is not the class. Its derivative is 0: a figure to look at, not a loss "
          "to "
          "train on.",
      .formula = "L = [\\arg\\max_c y_c \\ne t]",
      .derivative = "\\partial L / \\partial y_c = 0",
      .target = Target::label,
  };
  static constexpr bool trainable = false;
  template <class T>
  static double row(const Values&, std::size_t n, const T* y, std::int32_t label, double, T* gradient) {
    std::size_t largest = 0;
    double spoilt = 0;
    for (std::size_t c = 0; c < n; ++c) {
      if (y[c] > y[largest]) largest = c;
      gradient[c] = y[c] == y[c] ? T(0) : y[c];
      spoilt += static_cast<double>(gradient[c]);
    }
    return spoilt + (largest == static_cast<std::size_t>(label) ? 0 : 1);
  }
  static void hessian_times(const Values&, std::size_t n, const double*, std::int32_t, const double*,
                            double* out) {
    std::fill_n(out, n, 0.0);
  }
};

}  // namespace deltarule
