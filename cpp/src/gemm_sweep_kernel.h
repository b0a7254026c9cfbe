// A few rows times a matrix too large for the caches: reads B row after row, as the prefetchers like it.
// Internal to gemm.cpp.
#pragma once

#include <deltarule/engine/gemm_kernel.h>

#include <array>

namespace deltarule::engine {
namespace {

constexpr Index sweep_steps = 8;

// The vectors of a sweep, whose sums lie side by side: first `head` columns, so that what follows begins with
// a line of the cache, then whole vectors, then `tail` columns. The vectors of head and tail are whole as
// well: they overlap their neighbours, and are finished only where those are not.
struct Vectors {
  Index n, head, body, tail;

  Vectors(Index columns, Index to_line, Index width) : n(columns), head(to_line) {
    body = (n - head) / width * width;
    tail = n - head - body;
  }
};

// Calls f(number of vectors as a constant, first column, where their sums lie).
template <int W, int NV, class F>
[[gnu::always_inline]] inline void for_vectors(const Vectors& x, F f) {
  constexpr std::integral_constant<int, 1> one;
  Index at = 0;
  if (x.head > 0) f(one, Index{0}, at), at += W;
  Index j = x.head;
  const Index end = x.head + x.body;
  if constexpr (NV > 1)
    for (; j + NV * W <= end; j += NV * W, at += NV * W) f(std::integral_constant<int, NV>{}, j, at);
  for (; j < end; j += W, at += W) f(one, j, at);
  if (x.tail > 0) f(one, x.n - W, at);
}

// Sums, and what the product begins with, become C: columns that lie side by side.
template <class P>
void finish_columns(const Tile<typename P::Scalar>& tile, Index m, Index first, Index n,
                    const typename P::Scalar* sums, Index sum_row) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width;
  const Index full = n / W * W;
  const int left = static_cast<int>(n - full);
  const auto finish = [&](P sum, P start) __attribute__((always_inline)) {
    if (tile.start != Start::zero) sum = start + sum;
    return tile.relu ? simd::max(sum, P::zero()) : sum;
  };
  for (Index i = 0; i < m; ++i, sums += sum_row) {
    T* const c = tile.c + i * tile.c_row + first;
    const T* const start = tile.start == Start::bias         ? tile.bias + first
                           : tile.start == Start::accumulate ? c
                                                             : sums;
    for (Index j = 0; j < full; j += W) finish(P::load(sums + j), P::load(start + j)).store(c + j);
    if (left > 0)
      store_first(finish(load_first<P>(sums + full, left), load_first<P>(start + full, left)), c + full,
                  left);
  }
}
template <class P>
void finish_sweep(const Tile<typename P::Scalar>& tile, Index m, const Vectors& x,
                  const typename P::Scalar* sums, Index sum_row) noexcept {
  constexpr int W = P::width;
  if (x.head > 0) {
    finish_columns<P>(tile, m, 0, x.head, sums, sum_row);
    sums += W;
  }
  finish_columns<P>(tile, m, x.head, x.body, sums, sum_row);
  if (x.tail > 0) finish_columns<P>(tile, m, x.n - x.tail, x.tail, sums + x.body + W - x.tail, sum_row);
}

// A holds `sweep_steps` steps of every row, then the next of every row. The sums of the block wait in `sums`,
// `sum_row` from row to row.
template <class P, bool one_row, bool fetch>
void sweep_kernel(const Tile<typename P::Scalar>& tile, Index m, const Vectors& vectors,
                  typename P::Scalar* sums, Index sum_row) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width, R = sweep_steps;  // rows of B at a time
  const Index b_step = tile.b_step;
  for_vectors<W, 1>(vectors, [&](auto, Index, Index at) {
    for (Index i = 0; i < m; ++i) P::zero().store(sums + i * sum_row + at);
  });
  const T* a = tile.a;
  const T* b = tile.b;
  Index p = 0;
  for (; p + R <= tile.k; p += R, a += R * m, b += R * b_step) {
    const T *const b4 = b + 4 * b_step, *const ahead = b + R * b_step, *const after = ahead + R * b_step;
    const auto of_b = [&](int r, Index j) __attribute__((always_inline)) {
      return P::load((r < 4 ? b : b4) + (r % 4) * b_step + j);
    };
    if constexpr (one_row) {
      P y[R];
      DELTARULE_UNROLL
      for (int r = 0; r < R; ++r) y[r] = P(a[r]);
      for_vectors<W, 1>(vectors, [&](auto, Index j, Index at) __attribute__((always_inline)) {
        // The prefetchers of the processor stop at the end of a page.
        if constexpr (fetch) {
          DELTARULE_UNROLL
          for (int r = 0; r < R; ++r)
            __builtin_prefetch((r < 4 ? after : after + 4 * b_step) + (r % 4) * b_step + j, 0, 2);
        }
        P sum = P::load(sums + at);
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) sum = simd::fma(y[r], of_b(r, j), sum);
        sum.store(sums + at);
      });
    } else {
      // Two vectors share what is read of A: a core reads no more numbers at a time than it multiplies.
      const auto columns = [&]<int NV>(std::integral_constant<int, NV>, Index j,
                                       Index at) __attribute__((always_inline)) {
        P x[R][NV];
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) DELTARULE_UNROLL
        for (int v = 0; v < NV; ++v) x[r][v] = of_b(r, j + v * W);
        T* to = sums + at;
        const T* y = a;
        // What comes next is on its way while this is used for every row of A, a few lines at a time.
        const T* next = ahead + j;
        Index wanted = R, shown = 0;
        for (Index i = 0; i < m; ++i, to += sum_row, y += R) {
          for (shown += R; shown >= m && wanted > 0; shown -= m, --wanted, next += b_step) {
            DELTARULE_UNROLL
            for (int v = 0; v < NV; ++v) __builtin_prefetch(next + v * W, 0, 2);
          }
          P sum[NV];
          DELTARULE_UNROLL
          for (int v = 0; v < NV; ++v) sum[v] = P::load(to + v * W);
          DELTARULE_UNROLL
          for (int r = 0; r < R; ++r) {
            const P of_a(y[r]);
            DELTARULE_UNROLL
            for (int v = 0; v < NV; ++v) sum[v] = simd::fma(of_a, x[r][v], sum[v]);
          }
          DELTARULE_UNROLL
          for (int v = 0; v < NV; ++v) sum[v].store(to + v * W);
        }
      };
      for_vectors<W, registers == 32 ? 2 : 1>(vectors, columns);
    }
  }
  for (; p < tile.k; ++p, ++a, b += b_step)
    for (Index i = 0; i < m; ++i) {
      const P y(a[i * R]);
      T* const to = sums + i * sum_row;
      for_vectors<W, 1>(vectors, [&](auto, Index j, Index at) {
        simd::fma(y, P::load(b + j), P::load(to + at)).store(to + at);
      });
    }
  finish_sweep<P>(tile, m, vectors, sums, sum_row);
}

// The same for one row of A of which only some steps are there: tile.places says where they begin in B.
template <class P, bool fetch>
void sweep_some_kernel(const Tile<typename P::Scalar>& tile, const Vectors& vectors,
                       typename P::Scalar* sums) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width, R = sweep_steps;
  for_vectors<W, 1>(vectors, [&](auto, Index, Index at) { P::zero().store(sums + at); });
  Index p = 0;
  for (; p + R <= tile.k; p += R) {
    const Index* const place = tile.places + p;
    const T *b[R], *after[R];
    P y[R];
    DELTARULE_UNROLL
    for (int r = 0; r < R; ++r) {
      b[r] = tile.b + place[r];
      y[r] = P(tile.a[p + r]);
      if constexpr (fetch) after[r] = tile.b + tile.places[std::min(p + 2 * R + r, tile.k - 1)];
    }
    for_vectors<W, 1>(vectors, [&](auto, Index j, Index at) __attribute__((always_inline)) {
      if constexpr (fetch) {
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) __builtin_prefetch(after[r] + j, 0, 2);
      }
      P sum = P::load(sums + at);
      DELTARULE_UNROLL
      for (int r = 0; r < R; ++r) sum = simd::fma(y[r], P::load(b[r] + j), sum);
      sum.store(sums + at);
    });
  }
  for (; p < tile.k; ++p) {
    const P y(tile.a[p]);
    const T* const b = tile.b + tile.places[p];
    for_vectors<W, 1>(vectors, [&](auto, Index j, Index at) {
      simd::fma(y, P::load(b + j), P::load(sums + at)).store(sums + at);
    });
  }
  finish_sweep<P>(tile, 1, vectors, sums, 0);
}

}  // namespace
}  // namespace deltarule::engine
