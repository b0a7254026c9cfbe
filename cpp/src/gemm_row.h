// One row by a matrix that is near. Internal to gemm.cpp.
#pragma once

#include "gemm_panels.h"

namespace deltarule::engine {
namespace {

// Columns from j on. Little but the multiply-adds, each of which waits for the one before.
template <class P, int NV>
[[gnu::always_inline]] inline void row_kernel(const Product<typename P::Scalar>& x, Index j, int last) {
  using T = typename P::Scalar;
  constexpr int W = P::width;
  P sum[NV];
  DELTARULE_UNROLL
  for (int v = 0; v < NV; ++v) sum[v] = P::zero();
  const T* b = x.b + j;
  for (Index p = 0; p < x.k; ++p, b += x.b_step) {
    const P y(x.a[p]);
    DELTARULE_UNROLL
    for (int v = 0; v < NV; ++v) sum[v] = simd::fma(y, P::load(b + v * W), sum[v]);
  }
  T* const c = x.c + j;
  DELTARULE_UNROLL
  for (int v = 0; v < NV; ++v) {
    const bool whole = v + 1 < NV || last == W;
    if (x.start == Start::bias) sum[v] = P::load(x.bias + j + v * W) + sum[v];
    if (x.start == Start::accumulate)
      sum[v] = (whole ? P::load(c + v * W) : load_first<P>(c + v * W, last)) + sum[v];
    if (x.relu) sum[v] = simd::max(sum[v], P::zero());
    if (whole)
      sum[v].store(c + v * W);
    else
      store_first(sum[v], c + v * W, last);
  }
}
template <class T>
bool is_near_row(const Product<T>& x) {
  return x.m == 1 && x.a_step == 1 && x.b_column == 1 && x.slack && x.k <= sum_block &&
         bytes_of_b(x) <= 1 << 16;
}
template <class T>
void multiply_row(const Product<T>& x) {
  using P = simd::Pack<T>;
  for (Index j = 0; j < x.n;) {
    const Panel<T> panel = next_panel<T>(x.n - j, 8);
    const int last = last_lanes(panel);
    if (panel.vectors == 8)
      row_kernel<P, 8>(x, j, last);
    else if (panel.vectors == 4)
      row_kernel<P, 4>(x, j, last);
    else if (panel.vectors == 2)
      row_kernel<P, 2>(x, j, last);
    else if (panel.vectors == 1)
      row_kernel<P, 1>(x, j, last);
    else if (sizeof(P) == 64 && last <= P::width / 4)
      row_kernel<simd::Pack<T, 16 / sizeof(T)>, 1>(x, j, last);
    else if constexpr (sizeof(P) > 16)
      row_kernel<simd::Pack<T, P::width / 2>, 1>(x, j, last);
    j += panel.columns;
  }
}

}  // namespace
}  // namespace deltarule::engine
