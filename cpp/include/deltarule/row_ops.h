// Operations on whole rows: softmax. The same scheme as activations.h, on rows instead of elements.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>

namespace deltarule {

struct Softmax {
  static constexpr Entry entry{
      .name = "softmax",
      .summary = "Exponentials normalised to sum to one, over the last axis.",
      .formula = "y_i = \\frac{e^{x_i - m}}{\\sum_k e^{x_k - m}},\\quad m = \\max_k x_k",
      .derivative = "dx = y \\odot (dy - \\langle dy, y \\rangle)",
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
  template <class T>
  static void backward(const Values&, std::size_t n, const T*, const T* y, const T* dy, T* dx) {
    using P = simd::Pack<T>;
    const T dot = simd::sum<T>(n, [&](auto span) { return span.load(y) * span.load(dy); });
    simd::each<T>(n, [&](auto span) { span.store(dx, span.load(y) * (span.load(dy) - P(dot))); });
  }
};

using RowOps = List<Softmax>;

// Row operations by number. y may be x; dx may be dy, but neither x nor y.
template <class T>
struct RowOpKernel {
  void (*forward)(const Values& values, std::size_t n, const T* x, T* y);
  void (*backward)(const Values& values, std::size_t n, const T* x, const T* y, const T* dy, T* dx);
};

template <class T>
const RowOpKernel<T>& row_op_kernel(int index);

}  // namespace deltarule
