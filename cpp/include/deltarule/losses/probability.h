// Losses of probabilities that the network itself puts out, and the square behind a sigmoid.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/losses/scalar.h>
#include <deltarule/losses/softmax.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace deltarule {

struct BinaryCrossEntropy {
  static constexpr Param parameters[] = {{.name = "epsilon",
                                          .value = 1e-7,
                                          .low = 1e-30,
                                          .high = 0.5,
                                          .high_open = true,
                                          .meaning = "probabilities are clipped to [epsilon, 1 - epsilon]"}};
  static constexpr Entry entry{
      .name = "binary_cross_entropy",
      .class_name = "BinaryCrossEntropy",
      .aliases = "bce",
      .summary = "Cross-entropy of independent probabilities; mean over the outputs.",
      .formula =
          "L = -\\frac{1}{J} \\sum_j t_j \\ln y_j + (1 - t_j) \\ln (1 - y_j),\\quad y \\text{ clipped to } "
          "[\\epsilon, 1 - \\epsilon]",
      .derivative =
          "\\partial L / \\partial y_j = \\left( \\frac{1 - t_j}{1 - y_j} - \\frac{t_j}{y_j} \\right) / J, "
          "\\quad 0 \\text{ where } y_j \\text{ is clipped}",
      .parameters = parameters,
      .target_low = 0,
      .target_high = 1,
  };
  static constexpr bool averaged = true;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    const V other = V(1) - y;
    const auto low = y <= V(typename V::Scalar(0.5));
    const V small = simd::max(simd::select(low, y, other), p[0]);  // keeps its digits
    const V log_small = simd::log(small), log_large = simd::log1p(-small);
    value =
        -(t * simd::select(low, log_small, log_large)) - (V(1) - t) * simd::select(low, log_large, log_small);
    const auto clipped = (y <= p[0]) | (other < p[0]);
    gradient = simd::select(clipped, V(0), (V(1) - t) / other - t / y);
  }
  static double second(const Values& p, double y, double t) {
    return y <= p[0] || 1 - y < p[0] ? 0 : t / (y * y) + (1 - t) / ((1 - y) * (1 - y));
  }
};

struct CategoricalCrossEntropy {
  static constexpr Param parameters[] = {{.name = "epsilon",
                                          .value = 1e-7,
                                          .low = 1e-30,
                                          .high = 1,
                                          .high_open = true,
                                          .meaning = "probabilities below it count as epsilon"}};
  static constexpr Entry entry{
      .name = "categorical_cross_entropy",
      .class_name = "CategoricalCrossEntropy",
      .summary = "Cross-entropy of given probabilities, with one-hot or soft targets.",
      .formula = "L = -\\sum_c t_c \\ln \\max(p_c, \\epsilon)",
      .derivative = "\\partial L / \\partial p_c = -t_c / p_c,\\quad 0 \\text{ where } p_c \\le \\epsilon",
      .parameters = parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
  };
  static constexpr bool averaged = false;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    value = -(t * simd::log(simd::max(y, p[0])));
    gradient = simd::select(y <= p[0], V(0), -(t / y));
  }
  static double second(const Values& p, double y, double t) { return y <= p[0] ? 0 : t / (y * y); }
};

struct LogLikelihood {
  static constexpr Param parameters[] = {{.name = "epsilon",
                                          .value = 1e-7,
                                          .low = 1e-30,
                                          .high = 1,
                                          .high_open = true,
                                          .meaning = "a probability below it counts as epsilon"}};
  static constexpr Entry entry{
      .name = "log_likelihood",
      .class_name = "LogLikelihood",
      .summary = "Negative logarithm of the probability given to the right class.",
      .formula = "L = -\\ln \\max(p_t, \\epsilon)",
      .derivative =
          "\\partial L / \\partial p_c = -[c = t] / p_c,\\quad 0 \\text{ where } p_c \\le \\epsilon",
      .parameters = parameters,
      .target = Target::label,
  };
  template <class T>
  static LogTerm row(const Values& values, std::size_t n, const T* p, std::int32_t label, double scale,
                     T* gradient) {
    using P = simd::Pack<T>;
    const auto t = static_cast<std::size_t>(label);
    const double own = static_cast<double>(p[t]);
    // A NaN anywhere in the row is seen.
    const T spoilt = simd::sum<T>(n, [&](auto span) {
      const P x = span.load(p), nothing = simd::select(x == x, P(0), x);
      span.store(gradient, nothing);
      return nothing;
    });
    if (own > values[0]) gradient[t] = static_cast<T>(-scale / own);
    return {static_cast<double>(spoilt), -1, own <= values[0] ? values[0] : own, 0};
  }
  static void hessian_times(const Values& values, std::size_t n, const double* p, std::int32_t label,
                            const double* v, double* out) {
    const auto t = static_cast<std::size_t>(label);
    std::fill_n(out, n, 0.0);
    if (p[t] > values[0]) out[t] = v[t] / (p[t] * p[t]);
  }
};

struct KlDivergence {
  static constexpr Param parameters[] = {
      {.name = "log_probabilities",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "the outputs are logarithms of probabilities; False: probabilities"},
      {.name = "epsilon",
       .value = 1e-7,
       .low = 1e-30,
       .high = 1,
       .high_open = true,
       .meaning = "probabilities below it count as epsilon; unused with log_probabilities"}};
  static constexpr Entry entry{
      .name = "kl_divergence",
      .class_name = "KLDivergence",
      .aliases = "kl_div",
      .summary = "Kullback-Leibler divergence of the outputs from a target distribution.",
      .formula = "L = \\sum_c t_c (\\ln t_c - \\ln q_c),\\quad y = \\ln q \\text{ or } y = q",
      .derivative =
          "\\partial L / \\partial y_c = -t_c \\text{ or } -t_c / q_c,\\ 0 \\text{ where } q_c \\le "
          "\\epsilon",
      .parameters = parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Kullback & Leibler 1951",
  };
  static constexpr bool averaged = false;
  template <class V>
  static void element(const Broadcast<V>& p, V y, V t, V& value, V& gradient) {
    const auto by_log = p[0] > V(0);
    const V log_t = simd::select(t == V(0), V(0), simd::log(t));
    value = t * (log_t - simd::select(by_log, y, simd::log(simd::max(y, p[1]))));
    const V by_value = simd::select(y <= p[1], V(0), -(t / y));
    gradient = simd::select(by_log, simd::select(y == y, -t, y), by_value);
  }
  static double second(const Values& p, double y, double t) {
    return p[0] > 0 || y <= p[1] ? 0 : t / (y * y);
  }
};

struct LogisticQuadratic {
  static constexpr Entry entry{
      .name = "logistic_quadratic",
      .class_name = "LogisticQuadratic",
      .summary =
          "Half the squared error of a sigmoid, from logits; mean over the outputs. It learns slowly where "
          "the sigmoid saturates: for comparison with sigmoid_cross_entropy.",
      .formula = "L = \\frac{1}{2J} \\sum_j (y_j - t_j)^2,\\quad y = \\sigma(z)",
      .derivative = "\\partial L / \\partial z_j = (y_j - t_j)\\, y_j (1 - y_j) / J",
      .target_low = 0,
      .target_high = 1,
  };
  static constexpr bool averaged = true;
  static constexpr bool from_logits = true;
  template <class V>
  static void element(const Broadcast<V>&, V z, V t, V& value, V& gradient) {
    const V up = simd::logistic(z), down = simd::logistic(-z);
    const V r = (V(1) - t) * up - t * down;  // sigma(z) - t
    value = V(typename V::Scalar(0.5)) * (r * r);
    gradient = r * (up * down);
  }
  static double second(const Values&, double z, double t) {
    const double up = scalar::logistic(z), down = scalar::logistic(-z), slope = up * down;
    return slope * (slope + ((1 - t) * up - t * down) * (down - up));
  }
};

struct BinaryFocal {
  static constexpr Param parameters[] = {
      {.name = "gamma",
       .value = 2,
       .low = 0,
       .high_open = true,
       .meaning = "how much less the outputs count that are right already"},
      {.name = "alpha",
       .value = 0.25,
       .low = 0,
       .high = 1,
       .meaning = "weight of targets 1; targets 0 get 1 - alpha"}};
  static constexpr Entry entry{
      .name = "binary_focal",
      .class_name = "BinaryFocal",
      .summary =
          "Cross-entropy of independent sigmoids, from logits, that looks away from what is right already; "
          "mean "
          "over the outputs.",
      .formula =
          "L = -\\frac{1}{J} \\sum_j \\alpha\\, t_j (1 - p_j)^\\gamma \\ln p_j + (1 - \\alpha) (1 - t_j)\\, "
          "p_j^\\gamma \\ln (1 - p_j),\\quad p = \\sigma(z)",
      .derivative =
          "f(z) = -\\sigma(-z)^\\gamma \\ln \\sigma(z),\\ f'(z) = -\\sigma(-z)^\\gamma (\\sigma(-z) - "
          "\\gamma "
          "\\sigma(z) \\ln \\sigma(z));\\quad \\partial L / \\partial z_j = (\\alpha t_j f'(z_j) - (1 - "
          "\\alpha)(1 - t_j) f'(-z_j)) / J",
      .parameters = parameters,
      .target_low = 0,
      .target_high = 1,
      .source = "Lin, Goyal, Girshick, He & Dollar 2017",
  };
  static constexpr bool averaged = true;
  static constexpr bool from_logits = true;
  // sigma(-z)^gamma = e^(-gamma max(z, 0)) (1 + e^-|z|)^-gamma, the large exponent in two pieces
  template <class V>
  static V power(V gamma, V z, V tail) {
    using T = typename V::Scalar;
    const V bounded = simd::min(simd::max(z, V(0)), V(T(1e15)));
    const auto large = simd::exponential(
        simd::at_least(simd::exp_lowest<T>, simd::exponent_argument(simd::exact_product(-gamma, bounded))));
    return simd::scale(large.p + V(1), large.n) * simd::exp(-(gamma * tail));
  }
  template <class V>
  static void element(const Broadcast<V>& p, V z, V t, V& value, V& gradient) {
    const V tail = simd::softplus(-simd::abs(z)), up = simd::logistic(z), down = simd::logistic(-z);
    const V loss = tail + simd::max(-z, V(0)), opposite = tail + simd::max(z, V(0));
    const V positive = p[1] * t * power(p[0], z, tail);
    const V negative = (V(1) - p[1]) * (V(1) - t) * power(p[0], -z, tail);
    value = positive * loss + negative * opposite;
    gradient = negative * (up + p[0] * down * opposite) - positive * (down + p[0] * up * loss);
  }
  // f'' = sigma(-z)^gamma (gamma sigma(z) (2 sigma(-z) + (gamma sigma(z) - sigma(-z)) l) + sigma(z)
  // sigma(-z))
  static double curvature(double gamma, double z) {
    const double up = scalar::logistic(z), down = scalar::logistic(-z), l = scalar::softplus(-z);
    return std::pow(down, gamma) * up * (gamma * (2 * down + (gamma * up - down) * l) + down);
  }
  static double second(const Values& p, double z, double t) {
    return p[1] * t * curvature(p[0], z) + (1 - p[1]) * (1 - t) * curvature(p[0], -z);
  }
};

}  // namespace deltarule
