// Transposing inside registers, and products with so few columns that the lanes must run over rows. Internal
// to gemm.cpp.
#pragma once

#include <deltarule/engine/gemm_kernel.h>

namespace deltarule::engine {

// Blocks of `side` rows x `few` columns are transposed in registers.
template <class T>
inline constexpr int side =
#if defined(__AVX__)
    32 / sizeof(T);
#else
    16 / sizeof(T);
#endif
template <class T>
inline constexpr int few = 16 / sizeof(T);
template <class T>
using Lane = simd::Pack<T, side<T>>;

#if defined(__AVX__)
// Two 128-bit loads make one register, so that all shuffles stay inside 128-bit lanes.
[[gnu::always_inline]] inline __m256 load_halves(const float* low, const float* high) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(low)), _mm_loadu_ps(high), 1);
}
[[gnu::always_inline]] inline __m256d load_halves(const double* low, const double* high) {
  return _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(low)), _mm_loadu_pd(high), 1);
}
[[gnu::always_inline]] inline void load_columns(const float* in, Index row, Lane<float> (&out)[4]) {
  using Vector = Lane<float>::Vector;
  const float* const low = in + 4 * row;
  const __m256 r0 = load_halves(in, low), r1 = load_halves(in + row, low + row),
               r2 = load_halves(in + 2 * row, low + 2 * row), r3 = load_halves(in + 3 * row, low + 3 * row);
  const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(r0, r1)),
                b = _mm256_castps_pd(_mm256_unpackhi_ps(r0, r1)),
                c = _mm256_castps_pd(_mm256_unpacklo_ps(r2, r3)),
                d = _mm256_castps_pd(_mm256_unpackhi_ps(r2, r3));
  out[0] = Vector(_mm256_castpd_ps(_mm256_unpacklo_pd(a, c)));
  out[1] = Vector(_mm256_castpd_ps(_mm256_unpackhi_pd(a, c)));
  out[2] = Vector(_mm256_castpd_ps(_mm256_unpacklo_pd(b, d)));
  out[3] = Vector(_mm256_castpd_ps(_mm256_unpackhi_pd(b, d)));
}
[[gnu::always_inline]] inline void load_columns(const double* in, Index row, Lane<double> (&out)[2]) {
  using Vector = Lane<double>::Vector;
  const __m256d a = load_halves(in, in + 2 * row), b = load_halves(in + row, in + 3 * row);
  out[0] = Vector(_mm256_unpacklo_pd(a, b));
  out[1] = Vector(_mm256_unpackhi_pd(a, b));
}
#else
template <class T, int N>
inline void load_columns(const T* in, Index row, Lane<T> (&out)[N]) {
  using Register = typename Eigen::internal::packet_traits<T>::type;
  if constexpr (Eigen::internal::packet_traits<T>::size == N) {
    Eigen::internal::PacketBlock<Register, N> block;
    for (int i = 0; i < N; ++i) block.packet[i] = Eigen::internal::ploadu<Register>(in + i * row);
    Eigen::internal::ptranspose(block);
    for (int i = 0; i < N; ++i) out[i] = typename Lane<T>::Vector(block.packet[i]);
  } else {
    for (int i = 0; i < N; ++i) {
      T lanes[N];
      for (int j = 0; j < N; ++j) lanes[j] = in[j * row + i];
      out[i] = Lane<T>::load(lanes);
    }
  }
}
#endif

// S has rows whose steps are adjacent; out(r, q) = start + sum over p of S(r, p) * F(p, q), with the rows r
// in the lanes.
template <class T>
struct Narrow {
  const T* s = nullptr;
  Index s_row = 0;
  const T* f = nullptr;
  Index f_step = 0, f_column = 0;
  T* out = nullptr;
  Index out_row = 0, out_column = 0;
  const T* bias = nullptr;
  Index bias_row = 0, bias_column = 0;
  Index rows = 0, steps = 0;  // rows >= side
  Start start = Start::zero;
  bool relu = false;
};

template <class T, int Q>
void narrow_kernel(const Narrow<T>& x) noexcept {
  using P = Lane<T>;
  constexpr int W = P::width, L = few<T>, groups = Q == 1 ? 4 : 2;
  T factors[sum_block * Q];
  for (Index p = 0; p < x.steps; ++p)
    for (int q = 0; q < Q; ++q) factors[p * Q + q] = x.f[p * x.f_step + q * x.f_column];

  for (Index done = 0; done < x.rows;) {
    Index first[groups];  // a group that would reach beyond the end starts earlier and leaves the lanes
                          // before `done` alone
    const T* rows[groups];
    DELTARULE_UNROLL
    for (int g = 0; g < groups; ++g) {
      first[g] = std::min(done + g * W, x.rows - W);
      rows[g] = x.s + first[g] * x.s_row;
    }
    P sum[Q][groups];
    DELTARULE_UNROLL
    for (int q = 0; q < Q; ++q) DELTARULE_UNROLL
    for (int g = 0; g < groups; ++g) sum[q][g] = P::zero();
    const auto add = [&](int g, const P& column, const T* factor) __attribute__((always_inline)) {
      DELTARULE_UNROLL
      for (int q = 0; q < Q; ++q) sum[q][g] = simd::fma(column, P(factor[q]), sum[q][g]);
    };
    const T* f = factors;
    Index p = 0;
    const auto advance = [&](auto blocks) __attribute__((always_inline)) {
      constexpr int B = decltype(blocks)::value;
      for (; p + B * L <= x.steps; p += B * L, f += B * L * Q) {
        DELTARULE_UNROLL
        for (int g = 0; g < groups; ++g) {
          DELTARULE_UNROLL
          for (int h = 0; h < B; ++h) {
            P column[L];
            load_columns(rows[g] + h * L, x.s_row, column);
            DELTARULE_UNROLL
            for (int t = 0; t < L; ++t) add(g, column[t], f + (h * L + t) * Q);
          }
          rows[g] += B * L;
          asm("" : "+r"(rows[g]));  // or the addresses of all rows are kept, and spilt
        }
      }
    };
    // Best is a few steps of each group in turn: the chain of additions of one runs while the others are
    // shuffled. But rows that share a cache set push each other out, so then whole cache lines are used up at
    // once.
    if (x.s_row * static_cast<Index>(sizeof(T)) % 1024 == 0) advance(std::integral_constant<int, 4>{});
    advance(std::integral_constant<int, 1>{});
    if (const Index left = x.steps - p; left > 0) {
      for (int g = 0; g < groups; ++g) {
        T copy[W * L];
        for (int r = 0; r < W; ++r)
          for (Index t = 0; t < left; ++t) copy[r * L + t] = rows[g][r * x.s_row + t];
        P column[L];
        load_columns(copy, L, column);
        DELTARULE_UNROLL
        for (int t = 0; t < L; ++t)
          if (t < left) add(g, column[t], f + t * Q);
      }
    }
    DELTARULE_UNROLL
    for (int g = 0; g < groups; ++g) {
      const Index skip = done + g * W - first[g];
      if (skip >= W) continue;
      DELTARULE_UNROLL
      for (int q = 0; q < Q; ++q) {
        T lanes[W];
        P result = sum[q][g];
        T* const out = x.out + first[g] * x.out_row + q * x.out_column;
        const bool adjacent = x.out_row == 1 && skip == 0;
        if (x.start == Start::bias) {
          const T* bias = x.bias + first[g] * x.bias_row + q * x.bias_column;
          result = (x.bias_row == 0 ? P(bias[0]) : P::load(bias)) + result;
        } else if (x.start == Start::accumulate) {
          if (x.out_row == 1) {
            result = P::load(out) + result;
          } else {
            for (int r = 0; r < W; ++r) lanes[r] = out[r * x.out_row];
            result = P::load(lanes) + result;
          }
        }
        if (x.relu) result = simd::max(result, P::zero());
        if (adjacent) {
          result.store(out);
        } else {
          result.store(lanes);
          for (Index r = skip; r < W; ++r) out[r * x.out_row] = lanes[r];
        }
      }
    }
    done += groups * W;
  }
}

}  // namespace deltarule::engine
