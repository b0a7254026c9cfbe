// Narrow rows, turned: a register holds one column of as many rows as it has lanes.
#pragma once

#include <deltarule/simd/pack.h>
#include <cstddef>

namespace deltarule::simd {

// Rows no wider than this are turned, so that the lanes are rows: one exponential for a column of them, and
// no sums over lanes.
inline constexpr std::size_t most_columns = 16;

// Columns of a block, one register of rows each: all of them combined in the order in which sum() and
// maximum() go over a row, so that the bits are theirs.
template <class T, class Combine>
Pack<T> fold_columns(std::size_t n, const T* block, Combine combine) {
  using P = Pack<T>;
  constexpr std::size_t width = P::width;
  const std::size_t lanes = n < width ? n : width;
  P total[width];
  for (std::size_t j = 0; j < lanes; ++j) total[j] = P::load(block + j * width);
  for (std::size_t j = width; j < n && j < most_columns; ++j)
    total[j % width] = combine(P::load(block + j * width), total[j % width]);
  for (std::size_t half = width / 2; half > 0; half /= 2)
    for (std::size_t j = 0; j < half && j + half < lanes; ++j) total[j] = combine(total[j], total[j + half]);
  return total[0];
}

}  // namespace deltarule::simd
