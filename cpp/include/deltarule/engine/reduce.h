// Sums over the rows of a batch, always in the same order.
#pragma once

#include <deltarule/engine/gemm.h>
#include <deltarule/simd/span.h>

namespace deltarule::engine {

// out[j] = sum over i of term(i, span j), in blocks of sum_block rows as the matrix product does.
template <class T, class Term>
inline void column_sums(std::ptrdiff_t rows, std::ptrdiff_t columns, T* out, Term&& term) {
  using P = simd::Pack<T>;
  simd::each<T>(static_cast<std::size_t>(columns), [&](auto span) {
    P total = P::zero();
    for (std::ptrdiff_t begin = 0; begin < rows; begin += sum_block) {
      const std::ptrdiff_t end = std::min(rows, begin + sum_block);
      P block = P::zero();
      for (std::ptrdiff_t i = begin; i < end; ++i) block += term(i, span);
      total += block;
    }
    span.store(out, total);
  });
}

}  // namespace deltarule::engine
