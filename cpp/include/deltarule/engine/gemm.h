// The matrix product: C = start + A B, optionally followed by max(0, .).
//
// The bits of C(i, j) depend on the values that enter it, on k and on the instruction set alone; never on m,
// n, strides, alignment or on how a caller cuts C into parts. The sum over p runs in blocks of `sum_block`
// terms: each block is summed from zero in order of p, one fused multiply-add per term, and the blocks are
// added in order to the start. Terms that are zero for all rows are left out: they change nothing (but, where
// others underflow, the sign of a zero). So a sum that is cut at a multiple of sum_block and continued with
// Start::accumulate has the same bits as well.
#pragma once

#include <deltarule/engine/cache.h>
#include <span>

namespace deltarule::engine {

inline constexpr std::ptrdiff_t sum_block = 384;

enum class Start { zero, bias, accumulate };  // 0, a row vector added to every row, what C holds

template <class T>
struct Product {
  std::ptrdiff_t m = 0, n = 0, k = 0;  // C is m x n, its rows contiguous
  const T* a = nullptr;
  std::ptrdiff_t a_row = 0, a_step = 1;  // A(i, p) = a[i * a_row + p * a_step]
  const T* b = nullptr;
  std::ptrdiff_t b_step = 0, b_column = 1;  // B(p, j) = b[p * b_step + j * b_column]
  T* c = nullptr;
  std::ptrdiff_t c_row = 0;
  Start start = Start::zero;
  const T* bias = nullptr;
  bool relu = false;
  Home home = Home::caches;  // of B, between one product and the next
  bool slack =
      true;  // the rows of B (where b_column == 1) and the bias can be read up to 64 bytes past column n
  bool zeros_win = false;  // 0 times infinity or NaN may count as 0
  // Arrays of the shape of C that are needed next: fetched meanwhile, where that can be done.
  std::span<const T* const> next{};
  std::ptrdiff_t next_row = 0;
};

// Elements of scratch for this product and for every smaller one.
template <class T>
std::size_t workspace_size(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k);

// Writes the m x n elements of C and nothing else. What lies in the slack never reaches C. C overlaps no
// input. The workspace is 64-byte aligned.
template <class T>
void multiply(const Product<T>& product, T* workspace) noexcept;

// out(j, i) = in(i, j) for a rows x cols matrix; reads and writes nothing else.
template <class T>
void transpose(std::ptrdiff_t rows, std::ptrdiff_t cols, const T* in, std::ptrdiff_t in_row, T* out,
               std::ptrdiff_t out_row) noexcept;

extern template std::size_t workspace_size<float>(std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t);
extern template std::size_t workspace_size<double>(std::ptrdiff_t, std::ptrdiff_t, std::ptrdiff_t);
extern template void multiply<float>(const Product<float>&, float*) noexcept;
extern template void multiply<double>(const Product<double>&, double*) noexcept;
extern template void transpose<float>(std::ptrdiff_t, std::ptrdiff_t, const float*, std::ptrdiff_t, float*,
                                      std::ptrdiff_t) noexcept;
extern template void transpose<double>(std::ptrdiff_t, std::ptrdiff_t, const double*, std::ptrdiff_t, double*,
                                       std::ptrdiff_t) noexcept;

}  // namespace deltarule::engine
