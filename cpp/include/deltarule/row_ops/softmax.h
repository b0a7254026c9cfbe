// Exponentials normalised over a row, and their logarithms.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/simd/columns.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <cmath>

namespace deltarule {

struct Softmax {
  static constexpr Entry entry{
      .name = "softmax",
      .summary = "Exponentials normalised to sum to one, over the last axis.",
      .formula = "y_i = \\frac{e^{x_i - m}}{\\sum_k e^{x_k - m}},\\quad m = \\max_k x_k",
      .derivative = "dx = y \\odot (dy - \\langle dy, y \\rangle)",
      .c = "size_t i;\n"
           "real m = x[0], sum = 0;\n"
           "for (i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;\n"
           "for (i = 0; i < n; ++i) sum += y[i] = exp(x[i] - m);\n"
           "for (i = 0; i < n; ++i) y[i] /= sum;",
      .reads = Reads::output,
      .source = "Bridle 1990",
  };
  template <class T>
  static void forward(const Values&, std::size_t n, const T* x, T* y) {
    using P = simd::Pack<T>;
    const T m = simd::maximum(n, x);
    const T sum = simd::sum<T>(n, [&](auto span) {
      const P e = simd::exp(span.load(x) - P(m));
      span.store(y, e);
      return e;
    });
    simd::each<T>(n, [&](auto span) { span.store(y, span.load(y) / P(sum)); });
  }
  // Of rows in the lanes, n columns of them, in place.
  template <class T>
  static void forward_columns(std::size_t n, T* block) {
    using P = simd::Pack<T>;
    const P m = simd::fold_columns(n, block, [](P a, P b) { return simd::max(a, b); });
    T* const end = block + n * P::width;
    for (T* at = block; at < end; at += P::width) simd::exp(P::load(at) - m).store(at);
    const P sum = simd::fold_columns(n, block, [](P a, P b) { return a + b; });
    for (T* at = block; at < end; at += P::width) (P::load(at) / sum).store(at);
  }
  template <class T>
  static void backward(const Values&, std::size_t n, const T*, const T* y, const T* dy, T* dx) {
    using P = simd::Pack<T>;
    const T dot = simd::sum<T>(n, [&](auto span) { return span.load(y) * span.load(dy); });
    simd::each<T>(n, [&](auto span) { span.store(dx, span.load(y) * (span.load(dy) - P(dot))); });
  }
  // The Jacobian is symmetric.
  template <class T>
  [[gnu::cold]] static void tangent(std::size_t n, const T* x, const T* y, const T* rx, T* ry) {
    backward<T>({}, n, x, y, rx, ry);
  }
  template <class T>
  [[gnu::cold]] static void tangent_backward(std::size_t n, const T*, const T*, const T* y, const T* ry,
                                             const T* dy, const T* rdy, T* rdx) {
    T dot = 0, change = 0;
    for (std::size_t j = 0; j < n; ++j) {
      dot += dy[j] * y[j];
      change += rdy[j] * y[j] + dy[j] * ry[j];
    }
    for (std::size_t j = 0; j < n; ++j) rdx[j] = ry[j] * (dy[j] - dot) + y[j] * (rdy[j] - change);
  }
};

struct LogSoftmax {
  static constexpr Entry entry{
      .name = "log_softmax",
      .summary = "Logarithm of the softmax, over the last axis.",
      .formula = "y_i = x_i - m - \\ln \\sum_k e^{x_k - m},\\quad m = \\max_k x_k",
      .derivative = "dx = dy - e^{y} \\sum_k dy_k",
      .c = "size_t i;\n"
           "real m = x[0], largest = -1, others = 0;\n"
           "for (i = 1; i < n; ++i) m = x[i] > m ? x[i] : m;\n"
           "for (i = 0; i < n; ++i) if (x[i] == m) largest += 1; else others += exp(x[i] - m);\n"
           "others = log1p(others + largest);\n"
           "for (i = 0; i < n; ++i) y[i] = (x[i] - m) - others;",
      .reads = Reads::output,
      .source = "Bridle 1990",
  };
  // The sum is 1 + rest, where 1 is the largest element: log1p keeps the digits of a small rest.
  template <class T>
  static void forward(const Values&, std::size_t n, const T* x, T* y) {
    using P = simd::Pack<T>;
    const T m = simd::maximum(n, x);
    P ones = P::zero();
    const T others = simd::sum<T>(n, [&](auto span) {
      const P v = span.load(x);
      ones += span.only(simd::apply_mask(v == P(m), P(1)), T(0));
      return simd::apply_mask(v != P(m), simd::exp(v - P(m)));
    });
    const T largest = simd::reduce_add(ones);
    const T log_sum = simd::log1p(P(others + (largest - T(1))))[0];
    simd::each<T>(n, [&](auto span) { span.store(y, (span.load(x) - P(m)) - P(log_sum)); });
  }
  // Of rows in the lanes, n columns of them, in place.
  template <class T>
  static void forward_columns(std::size_t n, T* block) {
    using P = simd::Pack<T>;
    const P m = simd::fold_columns(n, block, [](P a, P b) { return simd::max(a, b); });
    T* const end = block + n * P::width;
    alignas(64) T terms[simd::most_columns * P::width];
    P largest = P::zero();
    for (T *at = block, *to = terms; at < end; at += P::width, to += P::width) {
      const P v = P::load(at);
      largest += simd::apply_mask(v == m, P(1));
      simd::apply_mask(v != m, simd::exp(v - m)).store(to);
    }
    const P others = simd::fold_columns(n, terms, [](P a, P b) { return a + b; });
    const P log_sum = simd::log1p(others + (largest - P(1)));
    for (T* at = block; at < end; at += P::width) ((P::load(at) - m) - log_sum).store(at);
  }
  template <class T>
  static void backward(const Values&, std::size_t n, const T*, const T* y, const T* dy, T* dx) {
    using P = simd::Pack<T>;
    const T total = simd::sum<T>(n, [&](auto span) { return span.load(dy); });
    simd::each<T>(n, [&](auto span) { span.store(dx, span.load(dy) - simd::exp(span.load(y)) * P(total)); });
  }
  template <class T>
  [[gnu::cold]] static void tangent(std::size_t n, const T*, const T* y, const T* rx, T* ry) {
    T mean = 0;
    for (std::size_t j = 0; j < n; ++j) mean += std::exp(y[j]) * rx[j];
    for (std::size_t j = 0; j < n; ++j) ry[j] = rx[j] - mean;
  }
  template <class T>
  [[gnu::cold]] static void tangent_backward(std::size_t n, const T*, const T*, const T* y, const T* ry,
                                             const T* dy, const T* rdy, T* rdx) {
    T total = 0, change = 0;
    for (std::size_t j = 0; j < n; ++j) {
      total += dy[j];
      change += rdy[j];
    }
    for (std::size_t j = 0; j < n; ++j) rdx[j] = rdy[j] - std::exp(y[j]) * (ry[j] * total + change);
  }
};

}  // namespace deltarule
