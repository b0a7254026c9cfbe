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
  // What is needed next is fetched meanwhile: of each array a row, as wide as the tile, every `part` steps.
  Index part = sum_block;
  std::span<const T* const> next{};
  Index next_at = 0, next_row = 0;
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
  if constexpr (sizeof(P) == 16) {
    // No masked store: who reads the numbers at once would wait until they are in the cache.
    if (n & 2) std::memcpy(to, &x.v, 2 * sizeof(T));
    if (n & 1) to[n - 1] = x[n - 1];
  } else {
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
  else if constexpr (sizeof(P) == 32 && sizeof(T) == 4)
    return P(V(_mm256_maskz_loadu_ps(static_cast<__mmask8>(mask), from)));
  else if constexpr (sizeof(P) == 32)
    return P(V(_mm256_maskz_loadu_pd(static_cast<__mmask8>(mask), from)));
  else if constexpr (sizeof(T) == 4)
    return P(V(_mm_maskz_loadu_ps(static_cast<__mmask8>(mask), from)));
  else
    return P(V(_mm_maskz_loadu_pd(static_cast<__mmask8>(mask), from)));
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
  Index next = tile.next_at;
  for (Index left = tile.far ? 0 : tile.k; left > 0; left -= tile.part, next += tile.next_row) {
    for (const T* array : tile.next)
      for (int v = 0; v < NV; v += std::max(1, static_cast<int>(64 / sizeof(P))))
        __builtin_prefetch(array + next + v * W, 0, 2);
    steps(std::min(left, tile.part), std::false_type{});
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

}  // namespace deltarule::engine
