// Sums over the rows of a batch, always in the same order.
#pragma once

#include <deltarule/engine/gemm.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <array>

namespace deltarule::engine {

// The sums of some spans of columns, which do not wait for one another.
template <std::size_t count, class T, class Span, class Term>
[[gnu::always_inline]] inline void sum_spans(std::ptrdiff_t rows, const std::array<Span, count>& spans,
                                             T* out, Term&& term) {
  using P = simd::Pack<T>;
  std::array<P, count> total;
  total.fill(P::zero());
  for (std::ptrdiff_t begin = 0; begin < rows; begin += sum_block) {
    const std::ptrdiff_t end = std::min(rows, begin + sum_block);
    std::array<P, count> block;
    block.fill(P::zero());
    for (std::ptrdiff_t i = begin; i < end; ++i)
      for (std::size_t s = 0; s < count; ++s) block[s] += term(i, spans[s]);
    for (std::size_t s = 0; s < count; ++s) total[s] += block[s];
  }
  for (std::size_t s = 0; s < count; ++s) spans[s].store(out, total[s]);
}

// out[j] = sum over i of term(i, span j), in blocks of sum_block rows as the matrix product does.
template <class T, class Term>
inline void column_sums(std::ptrdiff_t rows, std::ptrdiff_t columns, T* out, Term&& term) {
  using Full = simd::FullSpan<T>;
  constexpr std::size_t W = simd::Pack<T>::width;
  const auto n = static_cast<std::size_t>(columns);
  std::size_t j = 0;
  for (; j + 4 * W <= n; j += 4 * W)
    sum_spans(rows, std::array{Full{j}, Full{j + W}, Full{j + 2 * W}, Full{j + 3 * W}}, out, term);
  for (; j + 2 * W <= n; j += 2 * W) sum_spans(rows, std::array{Full{j}, Full{j + W}}, out, term);
  if (j + W <= n) {
    sum_spans(rows, std::array{Full{j}}, out, term);
    j += W;
  }
  if (j < n) sum_spans(rows, std::array{simd::TailSpan<T>{j, static_cast<int>(n - j)}}, out, term);
}

}  // namespace deltarule::engine
