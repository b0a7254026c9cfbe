// EVERY loss: entry, value and gradient in one pass; the list is the last line.
//
// A loss of independent outputs is an element(p, y, t, value, gradient) on packs, averaged or summed over the
// outputs. A loss of whole rows is a row(...) that writes scale * gradient and returns the value.
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
};

struct SigmoidCrossEntropy {
  static constexpr Param parameters[] = {{.name = "pos_weight",
                                          .value = 1,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning = "factor on the loss of positive targets"}};
  static constexpr Entry entry{
      .name = "sigmoid_cross_entropy",
      .class_name = "SigmoidCrossEntropy",
      .aliases = "bce_with_logits",
      .summary = "Cross-entropy of independent sigmoids, from logits, summed over the outputs.",
      .formula = "L = \\sum_j (1 - t_j) \\ln(1 + e^{z_j}) + w\\, t_j \\ln(1 + e^{-z_j})",
      .derivative = "\\partial L / \\partial z_j = (1 - t_j)\\, \\sigma(z_j) - w\\, t_j\\, \\sigma(-z_j)",
      .parameters = parameters,
      .target_low = 0,
      .target_high = 1,
  };
  static constexpr bool averaged = false;
  static constexpr bool from_logits = true;
  // sigma(z) - t is written so that nothing cancels when the sigmoid saturates.
  template <class V>
  static void element(const Broadcast<V>& p, V z, V t, V& value, V& gradient) {
    const V tail = simd::softplus(-simd::abs(z));  // ln(1 + e^-|z|)
    const V negative = (V(1) - t), positive = p[0] * t;
    value = negative * (simd::max(z, V(0)) + tail) + positive * (simd::max(-z, V(0)) + tail);
    gradient = negative * simd::logistic(z) - positive * simd::logistic(-z);
  }
};

// The shared part of the softmax losses: e_k = exp(z_k - m) goes to `e`, but 0 in place `left_out`. What is
// left out is added last, so that neither p - 1 nor a loss near zero loses its digits.
template <class T>
struct SoftmaxSums {
  T maximum, own;
  double rest, total;
  SoftmaxSums(std::size_t n, const T* z, T* e, std::size_t left_out) : maximum(simd::maximum(n, z)) {
    using P = simd::Pack<T>;
    simd::each<T>(n, [&](auto span) { span.store(e, simd::exp(span.load(z) - P(maximum))); });
    own = e[left_out];
    e[left_out] = 0;
    rest = static_cast<double>(simd::sum<T>(n, [&](auto span) { return span.load(e); }));
    total = rest + static_cast<double>(own);
  }
  // ln of the sum of all e
  double log_total() const { return own == T(1) ? std::log1p(rest) : std::log(total); }
};

struct SoftmaxCrossEntropy {
  static constexpr Param parameters[] = {{.name = "label_smoothing",
                                          .low = 0,
                                          .high = 1,
                                          .high_open = true,
                                          .meaning = "targets become (1 - s) t + s / C"}};
  static constexpr Entry entry{
      .name = "softmax_cross_entropy",
      .class_name = "SoftmaxCrossEntropy",
      .summary = "Cross-entropy of a softmax, from logits, with one-hot or soft targets.",
      .formula = "L = \\sum_c t_c \\left(\\ln \\sum_k e^{z_k} - z_c\\right)",
      .derivative = "\\partial L / \\partial z_c = p_c \\sum_k t_k - t_c,\\quad p = \\mathrm{softmax}(z)",
      .parameters = parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Bridle 1990",
  };
  static constexpr bool from_logits = true;
  template <class T>
  static double row(const Values& values, std::size_t n, const T* z, const T* target, double scale,
                    T* gradient) {
    using P = simd::Pack<T>;
    const T keep = static_cast<T>(1 - values[0]), spread = static_cast<T>(values[0] / static_cast<double>(n));
    const auto first = static_cast<std::size_t>(std::max_element(z, z + n) - z);
    const SoftmaxSums<T> s(n, z, gradient, first);
    const auto smooth = [&](auto span) {
      return span.only(simd::fma(P(keep), span.load(target), P(spread)), T(0));
    };
    const double mass = static_cast<double>(simd::sum<T>(n, smooth));
    // Sum of t (m - z): both factors are non-negative, so nothing cancels.
    const T distance = simd::sum<T>(n, [&](auto span) {
      const P t = smooth(span);
      return simd::select(t == P(0), P(0), t * (P(s.maximum) - span.load(z)));
    });
    const double share = scale * mass / s.total;
    const T first_target = keep * target[first] + spread;
    simd::each<T>(n, [&](auto span) {
      span.store(gradient, simd::fma(P(static_cast<T>(share)), span.load(gradient),
                                     -(P(static_cast<T>(scale)) * smooth(span))));
    });
    // p - t of the largest logit, in the form of which less cancels
    const double own = static_cast<double>(s.own), target_first = static_cast<double>(first_target);
    gradient[first] = static_cast<T>(own > s.rest ? scale * (mass - target_first) - share * s.rest
                                                  : share * own - scale * target_first);
    return static_cast<double>(distance) + mass * s.log_total();
  }
};

struct SparseSoftmaxCrossEntropy {
  static constexpr Param parameters[] = {
      {.name = "label_smoothing",
       .low = 0,
       .high = 1,
       .high_open = true,
       .meaning = "the label gets 1 - s + s / C, every other class s / C"}};
  static constexpr Entry entry{
      .name = "sparse_softmax_cross_entropy",
      .class_name = "SparseSoftmaxCrossEntropy",
      .summary =
          "Cross-entropy of a softmax, from logits, with integer labels; the one-hot matrix is never built.",
      .formula = "L = \\ln \\sum_k e^{z_k} - z_t",
      .derivative = "\\partial L / \\partial z_c = p_c - [c = t],\\quad p = \\mathrm{softmax}(z)",
      .parameters = parameters,
      .target = Target::label,
      .source = "Bridle 1990",
  };
  static constexpr bool from_logits = true;
  template <class T>
  static double row(const Values& values, std::size_t n, const T* z, std::int32_t label, double scale,
                    T* gradient) {
    using P = simd::Pack<T>;
    const auto t = static_cast<std::size_t>(label);
    const SoftmaxSums<T> s(n, z, gradient, t);
    const P factor(static_cast<T>(scale / s.total));
    simd::each<T>(n, [&](auto span) { span.store(gradient, factor * span.load(gradient)); });
    gradient[t] = static_cast<T>(-scale * s.rest / s.total);
    const double nearest = static_cast<double>(s.maximum) - static_cast<double>(z[t]);
    double loss = nearest + s.log_total();
    if (const double smoothing = values[0]; smoothing > 0) {
      const double each = smoothing / static_cast<double>(n);
      const T shift = static_cast<T>(scale * each);
      const double gap =
          static_cast<double>(simd::sum<T>(n, [&](auto span) { return P(s.maximum) - span.load(z); }));
      simd::each<T>(n, [&](auto span) { span.store(gradient, span.load(gradient) - P(shift)); });
      gradient[t] += static_cast<T>(scale * smoothing);
      loss = (1 - smoothing) * loss + smoothing * s.log_total() + each * gap;
    }
    return loss;
  }
};

using Losses =
    List<MeanSquaredError, Quadratic, SigmoidCrossEntropy, SoftmaxCrossEntropy, SparseSoftmaxCrossEntropy>;

}  // namespace deltarule
