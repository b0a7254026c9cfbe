// A few rows times a matrix too large for the caches. Internal to gemm.cpp.
#pragma once

#include <array>

#include "gemm_packing.h"
#include "gemm_sweep_kernel.h"

namespace deltarule::engine {
namespace {

// Columns at a time: their sums, one row after the other, stay in the first cache, or nearly.
constexpr Index sweep_width(Index rows) {
  return std::max(least_sweep_columns, sweep_columns / rows / 64 * 64);
}

// `sweep_steps` steps of every row side by side: rows that are powers of two apart would share a set of the
// first cache.
template <class T>
void pack_for_sweep(Index m, Index steps, const T* a, Index a_row, Index a_step, T* out) {
  for (Index i = 0; i < m; ++i, a += a_row, out += sweep_steps) {
    Index p = 0;
    T* to = out;
    if (a_step == 1)
      for (; p + sweep_steps <= steps; p += sweep_steps, to += m * sweep_steps)
        std::copy_n(a + p, sweep_steps, to);
    for (; p < steps; ++p) out[p / sweep_steps * m * sweep_steps + p % sweep_steps] = a[p * a_step];
  }
}

// Whether an eighth of these numbers is zero.
template <class T>
bool worth_gathering(const T* a, Index count) {
  using P = simd::Pack<T>;
  P zeros = P::zero();
  Index p = 0;
  for (; p + P::width <= count; p += P::width)
    zeros += simd::select(P::load(a + p) == P::zero(), P(T(1)), P::zero());
  return 8 * static_cast<Index>(simd::reduce_add(zeros)) >= p && p > 0;
}

template <class T>
void multiply_sweep(const Product<T>& x, T* workspace) {
  using P = simd::Pack<T>;
  const Index to_line = columns_to_line(x.b, x.b_step);
  const Index columns = std::min(sweep_width(x.m), round_up(x.n, width<T>) + width<T>);
  T* const packed = workspace + x.m * columns;
  const auto kernel = x.m > 1                  ? sweep_kernel<P, false, true>
                      : x.home == Home::memory ? sweep_kernel<P, true, true>
                                               : sweep_kernel<P, true, false>;
  for (Index p0 = 0; p0 < x.k; p0 += sum_block) {
    Tile<T> tile{};
    tile.k = std::min(sum_block, x.k - p0);
    tile.a = x.a + p0 * x.a_step;
    if (x.m > 1 || x.a_step != 1) {
      pack_for_sweep(x.m, tile.k, tile.a, x.a_row, x.a_step, packed);
      tile.a = packed;
    }
    std::array<Index, sum_block> places;
    bool some_steps = false;
    if (x.m == 1 && x.zeros_win && worth_gathering(tile.a, tile.k)) {
      some_steps = true;
      const Index steps = tile.k;
      tile.k = 0;
      for (Index p = 0; p < steps; ++p) {
        const T value = tile.a[p];
        packed[tile.k] = value;
        places[static_cast<std::size_t>(tile.k)] = p * x.b_step;
        tile.k += value != T(0);
      }
      tile.a = packed, tile.places = places.data();
    }
    tile.b = x.b + p0 * x.b_step, tile.b_step = x.b_step, tile.c = x.c, tile.c_row = x.c_row;
    tile.bias = x.bias, tile.start = p0 == 0 ? x.start : Start::accumulate;
    tile.relu = x.relu && p0 + sum_block >= x.k;
    for (Index j = 0; j < x.n;) {
      const Index head = j == 0 ? to_line : 0, room = columns - (head > 0 ? width<T> : 0);
      const Vectors vectors(head + std::min(x.n - j - head, room), head, width<T>);
      if (some_steps)
        (x.home == Home::memory ? sweep_some_kernel<P, true> : sweep_some_kernel<P, false>)(tile, vectors,
                                                                                            workspace);
      else
        kernel(tile, x.m, vectors, workspace, columns);
      j += vectors.n;
      tile.b += vectors.n, tile.c += vectors.n, tile.bias = shifted(tile.bias, vectors.n);
    }
  }
}

}  // namespace
}  // namespace deltarule::engine
