#include <deltarule/engine/bfloat16.h>
#include <deltarule/engine/gemm_kernel.h>
#include <deltarule/simd/math.h>

#include <algorithm>
#include <array>
#include <utility>

#if defined(__AVX512F__)
#include <immintrin.h>
#define DELTARULE_BFLOAT16
#endif

namespace deltarule::engine {
namespace {

constexpr Index panel = Bfloat16Matrix::panel;
constexpr Index block_rows = 240;  // rows of A at a time
constexpr int tile_rows =          // what the registers hold
#if defined(__AVX512F__) || defined(__aarch64__)
    12;
#else
    4;
#endif

// Looked for when the library is loaded: a session may not wait for it. Intel's processors multiply half as
// many pairs at a time as AMD's, which is less than they do of floats.
const bool instruction_found = [] {
#if defined(DELTARULE_BFLOAT16)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16") != 0 && __builtin_cpu_is("intel") == 0;
#else
  return false;
#endif
}();

// Some rows of A, rounded, times some columns of B.
struct Piece {
  const float* a;  // with the instruction: its bits are pairs of bfloat16 numbers
  Index a_row;
  const std::uint16_t* b;
  Index panel_size;
  float* c;
  Index c_row;
  const float* bias;
  Index pairs;
  int last;  // lanes of the last vector that belong to C
  bool relu;
};

template <class P>
void finish(P sum, const Piece& x, Index row, Index column, bool is_last) {
  const int n = is_last ? x.last : P::width;
  const bool whole = n == P::width;
  if (x.bias) sum = (whole ? P::load(x.bias + column) : load_first<P>(x.bias + column, n)) + sum;
  if (x.relu) sum = simd::max(sum, P::zero());
  float* const to = x.c + row * x.c_row + column;
  if (whole)
    sum.store(to);
  else
    store_first(sum, to, n);
}

// Without the instruction: both numbers of a pair are widened, which are a shift and a mask. Columns may go
// over several panels.
template <int Rows, int Vectors>
void widened(const Piece& x) noexcept {
  using P = simd::Pack<float>;
  constexpr int W = P::width;
  constexpr int of_panel = panel / W;  // vectors
  using Words = typename P::Mask;
  P sum[Rows][Vectors];
  DELTARULE_UNROLL
  for (int i = 0; i < Rows; ++i) DELTARULE_UNROLL
  for (int v = 0; v < Vectors; ++v) sum[i][v] = P::zero();
  const std::uint16_t* b[(Vectors + of_panel - 1) / of_panel];
  DELTARULE_UNROLL
  for (int v = 0; v < Vectors; v += of_panel) b[v / of_panel] = x.b + v / of_panel * x.panel_size;
  const float* a = x.a;
  for (Index p = 0; p < x.pairs; ++p, a += 2) {
    P first[Vectors], second[Vectors];
    DELTARULE_UNROLL
    for (int v = 0; v < Vectors; ++v) {
      Words pair;
      std::memcpy(&pair, b[v / of_panel] + 2 * (v % of_panel) * W, sizeof(pair));
      first[v] = P(std::bit_cast<typename P::Vector>(pair << 16));
      second[v] = P(std::bit_cast<typename P::Vector>(pair & ~0xffff));
    }
    DELTARULE_UNROLL
    for (int v = 0; v < Vectors; v += of_panel) b[v / of_panel] += 2 * panel;
    DELTARULE_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const P y(a[i * x.a_row]), z(a[i * x.a_row + 1]);
      DELTARULE_UNROLL
      for (int v = 0; v < Vectors; ++v)
        sum[i][v] = simd::fma(z, second[v], simd::fma(y, first[v], sum[i][v]));
    }
  }
  DELTARULE_UNROLL
  for (int i = 0; i < Rows; ++i) DELTARULE_UNROLL
  for (int v = 0; v < Vectors; ++v) finish(sum[i][v], x, i, v * W, v == Vectors - 1);
}

using Kernel = void (*)(const Piece&) noexcept;
template <int Vectors, int Rows>
constexpr auto widened_kernels = []<int... I>(std::integer_sequence<int, I...>) {
  return std::array<Kernel, sizeof...(I)>{&widened<I + 1, Vectors>...};
}(std::make_integer_sequence<int, Rows>{});

#if defined(DELTARULE_BFLOAT16)
// With the instruction.
template <int Rows, int Vectors>
[[gnu::target("avx512bf16")]] void native(const Piece& x) noexcept {
  __m512 sum[Rows][Vectors];
  DELTARULE_UNROLL
  for (int i = 0; i < Rows; ++i) DELTARULE_UNROLL
  for (int v = 0; v < Vectors; ++v) sum[i][v] = _mm512_setzero_ps();
  const std::uint16_t* b[(Vectors + 1) / 2];
  DELTARULE_UNROLL
  for (int v = 0; v < Vectors; v += 2) b[v / 2] = x.b + v / 2 * x.panel_size;
  constexpr int groups = (Rows + 2) / 3;  // x86 addresses base + 0, 1 or 2 strides
  const float* a[groups];
  DELTARULE_UNROLL
  for (int g = 0; g < groups; ++g) a[g] = x.a + 3 * g * x.a_row;
  const Index row = x.a_row;
  for (Index p = 0; p < x.pairs; ++p) {
    __m512i of_b[Vectors];
    DELTARULE_UNROLL
    for (int v = 0; v < Vectors; ++v) of_b[v] = _mm512_loadu_si512(b[v / 2] + v % 2 * panel);
    DELTARULE_UNROLL
    for (int v = 0; v < Vectors; v += 2) b[v / 2] += 2 * panel;
    DELTARULE_UNROLL
    for (int i = 0; i < Rows; ++i) {
      const __m512i of_a = _mm512_castps_si512(_mm512_set1_ps(a[i / 3][i % 3 * row]));
      DELTARULE_UNROLL
      for (int v = 0; v < Vectors; ++v)
        sum[i][v] = _mm512_dpbf16_ps(sum[i][v], (__m512bh)of_a, (__m512bh)of_b[v]);
    }
    DELTARULE_UNROLL
    for (int g = 0; g < groups; ++g) ++a[g];
  }
  using P = simd::Pack<float>;
  DELTARULE_UNROLL
  for (int i = 0; i < Rows; ++i) DELTARULE_UNROLL
  for (int v = 0; v < Vectors; ++v)
    finish(P(typename P::Vector(sum[i][v])), x, i, v * P::width, v == Vectors - 1);
}

template <int Vectors, int Rows>
constexpr auto native_kernels = []<int... I>(std::integer_sequence<int, I...>) {
  return std::array<Kernel, sizeof...(I)>{&native<I + 1, Vectors>...};
}(std::make_integer_sequence<int, Rows>{});

[[gnu::target("avx512bf16")]] void round_row(const float* from, Index k, float* to) {
  for (Index p = 0; p < k; p += 16) {
    const auto mask = static_cast<__mmask16>(k - p < 16 ? (1u << (k - p)) - 1u : 0xffffu);
    const auto rounded = (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, from + p));
    _mm256_store_si256(reinterpret_cast<__m256i*>(to + p / 2), rounded);
  }
}
#endif

void round_wide(const float* from, Index k, float* to) {
  for (Index p = 0; p < k; ++p) to[p] = from_bfloat16(to_bfloat16(from[p]));
  if (k % 2 != 0) to[k] = 0;
}

// Rows of rounded A are this far apart: whole cache lines, no power of two.
Index rounded_row(Index k) { return padded<float>((k + 31) / 32 * 32); }

Kernel find_kernel(int vectors, Index rows) {
  const auto r = static_cast<std::size_t>(rows - 1);
  const auto of = [&](auto count, auto most) {
    constexpr int V = decltype(count)::value, R = decltype(most)::value;
#if defined(DELTARULE_BFLOAT16)
    if (multiplies_bfloat16()) return native_kernels<V, R>[r];
#endif
    return widened_kernels<V, R>[r];
  };
  const std::integral_constant<int, tile_rows> all;
  if (vectors == 8) return of(std::integral_constant<int, 8>{}, std::integral_constant<int, 1>{});
  if (vectors == 4) return of(std::integral_constant<int, 4>{}, std::integral_constant<int, tile_rows / 2>{});
  if (vectors == 2) return of(std::integral_constant<int, 2>{}, all);
  return of(std::integral_constant<int, 1>{}, all);
}

}  // namespace

Bfloat16Matrix::Bfloat16Matrix(std::ptrdiff_t k, std::ptrdiff_t n, const float* b, std::ptrdiff_t b_row)
    : k_(k), n_(n), data_(static_cast<std::size_t>((n + panel - 1) / panel * panel_size())) {
  for (Index p = 0; p < k; ++p)
    for (Index j = 0; j < n; ++j)
      data_.data()[j / panel * panel_size() + p / 2 * 2 * panel + j % panel * 2 + p % 2] =
          to_bfloat16(b[p * b_row + j]);
}

bool multiplies_bfloat16() { return instruction_found; }

std::size_t bfloat16_workspace(std::ptrdiff_t m, std::ptrdiff_t k) {
  return static_cast<std::size_t>(std::min(m, block_rows) * rounded_row(k));
}

void multiply(const Bfloat16Product& x, float* workspace) noexcept {
  constexpr int W = simd::native_width<float>;
  const Index k = x.b->rows(), row = rounded_row(k);
  for (Index i0 = 0; i0 < x.m; i0 += block_rows) {
    const Index rows = std::min(block_rows, x.m - i0), tiles = (rows + tile_rows - 1) / tile_rows;
    for (Index i = 0; i < rows; ++i) {
      const float* from = x.a + (i0 + i) * x.a_row;
      float* to = workspace + i * row;
#if defined(DELTARULE_BFLOAT16)
      if (multiplies_bfloat16()) {
        round_row(from, k, to);
        continue;
      }
#endif
      round_wide(from, k, to);
    }
    for (Index j = 0; j < x.n;) {
      const Index left = x.n - j, start = (x.first + j) % panel;
      int vectors = left > W ? 2 : 1;
      if (rows == 1 && left > 7 * W)
        vectors = 8;
      else if (rows <= tile_rows / 2 && left > 3 * W)
        vectors = 4;
      const Index columns = std::min<Index>(left, vectors * W);
      Piece piece{.a = workspace,
                  .a_row = row,
                  .b = x.b->panel_at(x.first + j) + 2 * start,
                  .panel_size = x.b->panel_size(),
                  .c = x.c + i0 * x.c_row + j,
                  .c_row = x.c_row,
                  .bias = x.bias ? x.bias + j : nullptr,
                  .pairs = (k + 1) / 2,
                  .last = static_cast<int>(columns - (vectors - 1) * W),
                  .relu = x.relu};
      for (Index t = 0, i = 0; t < tiles; ++t) {
        const Index height = (rows - i) / (tiles - t);
        find_kernel(vectors, height)(piece);
        piece.a += height * row, piece.c += height * x.c_row, i += height;
      }
      j += columns;
    }
  }
}

}  // namespace deltarule::engine
