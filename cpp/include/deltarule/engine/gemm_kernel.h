// The innermost part of the matrix product: a tile of C that lives in registers. Internal to gemm.cpp.
#pragma once

#include <deltarule/engine/gemm.h>
#include <deltarule/simd/pack.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace deltarule::engine {

using Index = std::ptrdiff_t;

// Vectors that a core holds.
constexpr int registers =
#if defined(__AVX512F__) || defined(__aarch64__)
    32;
#else
    16;
#endif

// Loops over registers must vanish, or the arrays of packs land in memory.
#if defined(__clang__)
#define DELTARULE_UNROLL _Pragma("unroll")
#else
#define DELTARULE_UNROLL _Pragma("GCC unroll 16")
#endif

constexpr std::ptrdiff_t steps_to_come = 8;  // after which what is fetched is needed

template <class T>
struct Tile {
  const T* a;
  Index a_stride;  // from row to row, or from step to step
  const T* b;
  Index b_step;
  T* c;
  Index c_row;
  const T* bias;
  Index k;   // at most sum_block
  int last;  // lanes of the last column vector that belong to C
  Start start;
  bool relu;
  // What is needed next is fetched meanwhile: of each array so many rows, as wide as the tile.
  std::span<const T* const> next{};
  Index next_at = 0, next_row = 0, next_rows = 0;
  bool far = false;  // B comes from the second cache: what steps to come need is fetched, instead of `next`
  // Where the steps begin in B, if they are not all of its rows; after the last, `steps_to_come` that exist.
  const Index* places = nullptr;
};

// Calls f(std::integral_constant) for the powers of two that make up n < width, greatest first.
template <class P, class F>
[[gnu::always_inline]] inline void for_parts(int n, F f) {
  if constexpr (P::width > 8)
    if (n & 8) f(std::integral_constant<std::size_t, 8>{});
  if constexpr (P::width > 4)
    if (n & 4) f(std::integral_constant<std::size_t, 4>{});
  if constexpr (P::width > 2)
    if (n & 2) f(std::integral_constant<std::size_t, 2>{});
  if (n & 1) f(std::integral_constant<std::size_t, 1>{});
}

// The first n lanes, 0 < n < width, without a call to memcpy.
template <class P>
[[gnu::always_inline]] inline void store_first(P x, typename P::Scalar* to, int n) {
  using T = typename P::Scalar;
#if defined(__AVX512VL__)
  const auto mask = (1u << n) - 1u;
  if constexpr (sizeof(P) == 64 && sizeof(T) == 4)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>(mask), __m512(x.v));
  else if constexpr (sizeof(P) == 64)
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask), __m512d(x.v));
  else if constexpr (sizeof(T) == 4)
    _mm256_mask_storeu_ps(to, static_cast<__mmask8>(mask), __m256(x.v));
  else
    _mm256_mask_storeu_pd(to, static_cast<__mmask8>(mask), __m256d(x.v));
#else
  T buffer[P::width];
  x.store(buffer);
  std::size_t done = 0;
  for_parts<P>(n, [&](auto part) {
    std::memcpy(to + done, buffer + done, part() * sizeof(T));
    done += part();
  });
#endif
}
template <class P>
[[gnu::always_inline]] inline P load_first(const typename P::Scalar* from, int n) {
  using T = typename P::Scalar;
#if defined(__AVX512VL__)
  using V = typename P::Vector;
  const auto mask = (1u << n) - 1u;
  if constexpr (sizeof(P) == 64 && sizeof(T) == 4)
    return P(V(_mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), from)));
  else if constexpr (sizeof(P) == 64)
    return P(V(_mm512_maskz_loadu_pd(static_cast<__mmask8>(mask), from)));
  else if constexpr (sizeof(T) == 4)
    return P(V(_mm256_maskz_loadu_ps(static_cast<__mmask8>(mask), from)));
  else
    return P(V(_mm256_maskz_loadu_pd(static_cast<__mmask8>(mask), from)));
#else
  T buffer[P::width] = {};
  std::size_t done = 0;
  for_parts<P>(n, [&](auto part) {
    std::memcpy(buffer + done, from + done, part() * sizeof(T));
    done += part();
  });
  return P::load(buffer);
#endif
}

// C tile of MR rows and NV vectors. The elements of A lie either row by row (steps adjacent) or, with
// `columns`, step by step (rows adjacent).
template <class P, int MR, int NV, bool columns, bool some_steps = false>
void tile_kernel(const Tile<typename P::Scalar>& tile) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width;
  constexpr int groups = columns ? 1 : (MR + 2) / 3;  // x86 addresses base + 0, 1 or 2 strides
  P sum[MR][NV];
  DELTARULE_UNROLL
  for (int i = 0; i < MR; ++i) DELTARULE_UNROLL
  for (int v = 0; v < NV; ++v) sum[i][v] = P::zero();

  const Index b_step = tile.b_step, a_stride = tile.a_stride;
  const T* b = tile.b;
  if (tile.k >= 64 && tile.next.empty())  // C is needed at the end
    for (int i = 0; i < MR; ++i)
      for (int v = 0; v < NV; v += std::max(1, static_cast<int>(64 / sizeof(P))))
        __builtin_prefetch(tile.c + i * tile.c_row + v * W, 1);
  const Index* place = tile.places;
  const T* a[groups];
  DELTARULE_UNROLL
  for (int g = 0; g < groups; ++g) a[g] = tile.a + 3 * g * a_stride;
  // The prefetchers do not follow rows of B that are a page apart.
  const Index to_come = steps_to_come * b_step;
  const auto step = [&](int ahead, auto far) __attribute__((always_inline)) {
    P x[NV];
    if constexpr (far) {
      DELTARULE_UNROLL
      for (int v = 0; v < NV; v += std::max(1, static_cast<int>(64 / sizeof(P))))
        __builtin_prefetch((some_steps ? tile.b + place[steps_to_come] : b + to_come) + v * W, 0, 3);
    }
    if constexpr (some_steps) b = tile.b + *place++;
    DELTARULE_UNROLL
    for (int v = 0; v < NV; ++v) x[v] = P::load(b + v * W);
    b += b_step;
    DELTARULE_UNROLL
    for (int i = 0; i < MR; ++i) {
      const P y(columns ? a[0][i] : a[i / 3][(i % 3) * a_stride + ahead]);
      DELTARULE_UNROLL
      for (int v = 0; v < NV; ++v) sum[i][v] = simd::fma(y, x[v], sum[i][v]);
    }
  };
  const auto steps = [&](Index count, auto far) __attribute__((always_inline)) {
    if constexpr (columns) {
      for (; count > 0; --count) {
        step(0, far);
        a[0] += a_stride;
      }
    } else {
      for (; count >= 2; count -= 2) {
        step(0, far);
        step(1, far);
        DELTARULE_UNROLL
        for (int g = 0; g < groups; ++g) a[g] += 2;
      }
      if (count > 0) step(0, far);
    }
  };
  if constexpr (!columns) {
    if (tile.far) steps(tile.k, std::true_type{});
  }
  // All at once they would wait for each other: a core has room for some ten lines on their way.
  const Index parts = std::max(Index{1}, tile.next_rows);
  const Index part = ((tile.k + parts - 1) / parts + 1) / 2 * 2;
  Index next = tile.next_at;
  for (Index left = tile.far ? 0 : tile.k; left > 0; left -= part, next += tile.next_row) {
    for (const T* array : tile.next)
      for (int v = 0; v < NV; v += std::max(1, static_cast<int>(64 / sizeof(P))))
        __builtin_prefetch(array + next + v * W, 0, 2);
    steps(std::min(left, part), std::false_type{});
  }

  const Index c_row = tile.c_row;
  const int last = tile.last;
  // go_down() hides from the optimiser where the rows are: it would compute all addresses at once and spill
  // them.
  const auto go_down = [c_row](T*& row) __attribute__((always_inline)) {
    row += c_row;
    asm("" : "+r"(row));
  };
  if (tile.start == Start::bias) {
    DELTARULE_UNROLL
    for (int v = 0; v < NV; ++v) {
      const P bias = P::load(tile.bias + v * W);
      DELTARULE_UNROLL
      for (int i = 0; i < MR; ++i) sum[i][v] = bias + sum[i][v];
    }
  } else if (tile.start == Start::accumulate) {
    T* row = tile.c;
    DELTARULE_UNROLL
    for (int i = 0; i < MR; ++i, go_down(row)) {
      DELTARULE_UNROLL
      for (int v = 0; v < NV - 1; ++v) sum[i][v] = P::load(row + v * W) + sum[i][v];
      const T* end = row + (NV - 1) * W;
      sum[i][NV - 1] = (last == W ? P::load(end) : load_first<P>(end, last)) + sum[i][NV - 1];
    }
  }
  if (tile.relu) {
    DELTARULE_UNROLL
    for (int i = 0; i < MR; ++i) DELTARULE_UNROLL
    for (int v = 0; v < NV; ++v) sum[i][v] = simd::max(sum[i][v], P::zero());
  }
  T* row = tile.c;
  if (last == W) {
    DELTARULE_UNROLL
    for (int i = 0; i < MR; ++i, go_down(row)) DELTARULE_UNROLL
    for (int v = 0; v < NV; ++v) sum[i][v].store(row + v * W);
  } else {
    DELTARULE_UNROLL
    for (int i = 0; i < MR; ++i, go_down(row)) {
      DELTARULE_UNROLL
      for (int v = 0; v < NV - 1; ++v) sum[i][v].store(row + v * W);
      store_first(sum[i][NV - 1], row + (NV - 1) * W, last);
    }
  }
}

constexpr Index sweep_steps = 8;

// Sums of a sweep, and what the product begins with, become C.
template <class P>
void finish_sweep(const Tile<typename P::Scalar>& tile, Index m, Index n, const typename P::Scalar* sums,
                  Index sum_row) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width;
  const Index full = n / W * W;
  const int left = static_cast<int>(n - full);
  const auto finish = [&](P sum, P start) __attribute__((always_inline)) {
    if (tile.start != Start::zero) sum = start + sum;
    return tile.relu ? simd::max(sum, P::zero()) : sum;
  };
  for (Index i = 0; i < m; ++i, sums += sum_row) {
    T* const c = tile.c + i * tile.c_row;
    const T* const start = tile.start == Start::bias ? tile.bias : tile.start == Start::accumulate ? c : sums;
    for (Index j = 0; j < full; j += W) finish(P::load(sums + j), P::load(start + j)).store(c + j);
    if (left > 0)
      store_first(finish(P::load(sums + full), load_first<P>(start + full, left)), c + full, left);
  }
}

// A few rows times a matrix too large for the caches: reads B row after row, as the prefetchers like it. A
// holds `sweep_steps` steps of every row, then the next of every row. The sums of the block wait in `sums`,
// `sum_row` from row to row.
template <class P, bool one_row, bool fetch>
void sweep_kernel(const Tile<typename P::Scalar>& tile, Index m, Index n, typename P::Scalar* sums,
                  Index sum_row) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width, R = sweep_steps;  // rows of B at a time
  const Index full = n / W * W, b_step = tile.b_step;
  const int left = static_cast<int>(n - full);
  const Index padded = left > 0 ? full + W : full;
  for (Index i = 0; i < m; ++i)
    for (Index j = 0; j < padded; j += W) P::zero().store(sums + i * sum_row + j);
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
      for (Index j = 0; j < padded; j += W) {
        // The prefetchers of the processor stop at the end of a page.
        if constexpr (fetch) {
          DELTARULE_UNROLL
          for (int r = 0; r < R; ++r)
            __builtin_prefetch((r < 4 ? after : after + 4 * b_step) + (r % 4) * b_step + j, 0, 2);
        }
        P sum = P::load(sums + j);
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) sum = simd::fma(y[r], of_b(r, j), sum);
        sum.store(sums + j);
      }
    } else {
      // Two vectors share what is read of A: a core reads no more numbers at a time than it multiplies.
      const auto columns = [&]<int NV>(std::integral_constant<int, NV>,
                                       Index j) __attribute__((always_inline)) {
        P x[R][NV];
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) DELTARULE_UNROLL
        for (int v = 0; v < NV; ++v) x[r][v] = of_b(r, j + v * W);
        T* to = sums + j;
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
      Index j = 0;
      if constexpr (registers == 32)
        for (; j + 2 * W <= padded; j += 2 * W) columns(std::integral_constant<int, 2>{}, j);
      for (; j < padded; j += W) columns(std::integral_constant<int, 1>{}, j);
    }
  }
  for (; p < tile.k; ++p, ++a, b += b_step)
    for (Index i = 0; i < m; ++i) {
      const P y(a[i * R]);
      T* const to = sums + i * sum_row;
      for (Index j = 0; j < padded; j += W) simd::fma(y, P::load(b + j), P::load(to + j)).store(to + j);
    }
  finish_sweep<P>(tile, m, n, sums, sum_row);
}

// The same for one row of A of which only some steps are there: tile.places says where they begin in B.
template <class P, bool fetch>
void sweep_some_kernel(const Tile<typename P::Scalar>& tile, Index n, typename P::Scalar* sums) noexcept {
  using T = typename P::Scalar;
  constexpr int W = P::width, R = sweep_steps;
  for (Index j = 0; j < n; j += W) P::zero().store(sums + j);
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
    for (Index j = 0; j < n; j += W) {
      if constexpr (fetch) {
        DELTARULE_UNROLL
        for (int r = 0; r < R; ++r) __builtin_prefetch(after[r] + j, 0, 2);
      }
      P sum = P::load(sums + j);
      DELTARULE_UNROLL
      for (int r = 0; r < R; ++r) sum = simd::fma(y[r], P::load(b[r] + j), sum);
      sum.store(sums + j);
    }
  }
  for (; p < tile.k; ++p) {
    const P y(tile.a[p]);
    const T* const b = tile.b + tile.places[p];
    for (Index j = 0; j < n; j += W) simd::fma(y, P::load(b + j), P::load(sums + j)).store(sums + j);
  }
  finish_sweep<P>(tile, 1, n, sums, 0);
}

}  // namespace deltarule::engine
