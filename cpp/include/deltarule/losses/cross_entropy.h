// Cross-entropies from logits.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/losses/scalar.h>
#include <deltarule/losses/softmax.h>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace deltarule {

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
  static double second(const Values& p, double z, double t) {
    return (1 - t + p[0] * t) * scalar::logistic(z) * scalar::logistic(-z);
  }
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
  static LogTerm row(const Values& values, std::size_t n, const T* z, const T* target, double scale,
                     T* gradient) {
    using P = simd::Pack<T>;
    const T keep = static_cast<T>(1 - values[0]), spread = static_cast<T>(values[0] / static_cast<double>(n));
    const T largest = simd::maximum(n, z);
    const std::size_t first = first_largest(n, z, largest);
    const SoftmaxSums<T> s(n, z, gradient, largest, first);
    const auto smooth = [&](auto span) {
      return span.only(simd::fma(P(keep), span.load(target), P(spread)), T(0));
    };
    P all = P::zero();
    // Sum of t (m - z): both factors are non-negative, so nothing cancels.
    const T distance = simd::sum<T>(n, [&](auto span) {
      const P t = smooth(span);
      all += t;
      return simd::select(t == P(0), P(0), t * (P(s.maximum) - span.load(z)));
    });
    const double mass = static_cast<double>(simd::reduce_add(all));
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
    return s.log_total(static_cast<double>(distance), mass);
  }
  static void hessian_times(const Values& values, std::size_t n, const double* z, const double* t,
                            const double* v, double* out) {
    double mass = 0;
    for (std::size_t c = 0; c < n; ++c) mass += (1 - values[0]) * t[c] + values[0] / static_cast<double>(n);
    softmax_jacobian_times(n, z, v, mass, out);
  }
};

struct SparseSoftmaxCrossEntropy {
  static constexpr Param parameters[] = {{.name = "label_smoothing",
                                          .low = 0,
                                          .high = 1,
                                          .high_open = true,
                                          .meaning = "the label gets 1 - s + s / C, every other class s / C"},
                                         {.name = "ignore_index",
                                          .value = -100,
                                          .low = -2147483647,
                                          .high = 2147483647,
                                          .kind = Kind::integer,
                                          .meaning = "rows with this label count as absent"}};
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
  static constexpr int ignore_parameter = 1;
  static constexpr bool from_logits = true;
  template <class T>
  static LogTerm row(const Values& values, std::size_t n, const T* z, std::int32_t label, double scale,
                     T* gradient) {
    using P = simd::Pack<T>;
    const auto t = static_cast<std::size_t>(label);
    const SoftmaxSums<T> s(n, z, gradient, t);
    const P factor(static_cast<T>(scale / s.total));
    const double smoothing = values[0], nearest = static_cast<double>(s.maximum) - static_cast<double>(z[t]);
    const T own = static_cast<T>(-scale * s.rest / s.total);
    if (smoothing == 0) {
      simd::each<T>(n, [&](auto span) { span.store(gradient, factor * span.load(gradient)); });
      gradient[t] = own;
      return s.log_total(nearest, 1);
    }
    const double each = smoothing / static_cast<double>(n);
    const T shift = static_cast<T>(scale * each);
    const double gap =
        static_cast<double>(simd::sum<T>(n, [&](auto span) { return P(s.maximum) - span.load(z); }));
    simd::each<T>(n, [&](auto span) { span.store(gradient, factor * span.load(gradient) - P(shift)); });
    gradient[t] = (own - shift) + static_cast<T>(scale * smoothing);
    return s.log_total((1 - smoothing) * nearest + each * gap, 1);
  }
  // The same for rows in the lanes, n columns of them: `block` holds the logits, and then the gradients.
  static bool turns(const Values& values) { return values[0] == 0; }
  template <class T>
  static void columns(std::size_t n, const T* labels, const double* scales, T* block, LogTerm* terms) {
    using P = simd::Pack<T>;
    constexpr std::size_t width = P::width;
    const P label = P::load(labels),
            m = simd::fold_columns(n, block, [](P a, P b) { return simd::max(a, b); });
    P own = P::zero(), chosen = P::zero();
    alignas(64) T others[simd::most_columns * width], largest[width], logit[width], power[width], rest[width];
    for (std::size_t k = 0; k < n; ++k) {
      const P z = P::load(block + k * width), e = simd::exp(z - m);
      const auto here = label == P(static_cast<T>(k));
      chosen = simd::select(here, z, chosen);
      own = simd::select(here, e, own);
      e.store(block + k * width);
      simd::select(here, P::zero(), e).store(others + k * width);
    }
    simd::fold_columns(n, others, [](P a, P b) { return a + b; }).store(rest);
    m.store(largest), chosen.store(logit), own.store(power);
    alignas(64) T factor[width], slope[width];
    for (std::size_t i = 0; i < width; ++i) {
      const double left = static_cast<double>(rest[i]), total = left + static_cast<double>(power[i]);
      factor[i] = static_cast<T>(scales[i] / total);
      slope[i] = static_cast<T>(-scales[i] * left / total);
      terms[i] = {static_cast<double>(largest[i]) - static_cast<double>(logit[i]), 1,
                  static_cast<double>(power[i]), left};
    }
    for (std::size_t k = 0; k < n; ++k) {
      T* const at = block + k * width;
      simd::select(label == P(static_cast<T>(k)), P::load(slope), P::load(factor) * P::load(at)).store(at);
    }
  }
  static void hessian_times(const Values&, std::size_t n, const double* z, std::int32_t, const double* v,
                            double* out) {
    softmax_jacobian_times(n, z, v, 1, out);
  }
};

}  // namespace deltarule
