// What the matrix product copies before it multiplies, and where that pays. Internal to gemm.cpp.
#pragma once

#include <deltarule/engine/gemm_kernel.h>
#include <deltarule/engine/gemm_transpose.h>

#include <cstdint>

namespace deltarule::engine {
namespace {

template <class T>
constexpr int width = simd::native_width<T>;
// Rows of a register tile: 24 accumulators of 32 registers, 12 of 16.
constexpr int tile_rows = registers == 32 ? 12 : 6;
constexpr int highest_tile = 12;  // of one vector: what is read of B and the latency of a sum cost less so
constexpr int wide_rows = registers == 32 ? 6 : 3;  // up to so many rows a tile is four vectors wide
constexpr int medium_rows = tile_rows * 2 / 3;      // three vectors
constexpr int least_rows = tile_rows * 2 / 3;       // of a tile, where there are more than tile_rows in all
constexpr Index block_rows = 32 * tile_rows;        // rows of A at a time: they stay in the second cache
constexpr Index page = 4096;  // bytes; lines so far apart share a set of the first cache
constexpr Index sweep_columns = 4096, least_sweep_columns = 128, sweep_rows = 48;

template <class T>
const T* shifted(const T* bias, Index by) {
  return bias == nullptr ? bias : bias + by;
}

constexpr Index round_up(Index x, Index to) { return (x + to - 1) / to * to; }

// Copies a panel of B, or some rows of A, so that the `count` elements of a step are adjacent.
template <class T>
void pack(Index steps, Index count, const T* in, Index in_step, Index in_item, T* out, Index out_step) {
  using P = simd::Pack<T>;
  if (in_item == 1) {
    const Index full = count / P::width * P::width;
    const int left = static_cast<int>(count - full);
    for (Index p = 0; p < steps; ++p, in += in_step, out += out_step) {
      for (Index i = 0; i < full; i += P::width) P::load(in + i).store(out + i);
      if (left > 0) store_first(load_first<P>(in + full, left), out + full, left);
    }
  } else if (in_step == 1) {
    transpose(count, steps, in, in_item, out, out_step);
  } else {
    for (Index p = 0; p < steps; ++p)
      for (Index i = 0; i < count; ++i) out[p * out_step + i] = in[p * in_step + i * in_item];
  }
}

// What measuring showed: packing A costs more than it gives, unless its rows share cache sets (their distance
// is a large power of two) or, read column by column, it is reread for very many panels of B, or for some
// where its rows lie on more pages than a core has at hand.
template <class T>
bool pays_to_pack_a(const Product<T>& x) {
  constexpr Index size = sizeof(T), panel = 2 * width<T>;
  if (x.a_step == 1) {
    if (x.m <= 8) return false;
    return x.a_row * size % page == 0 ? x.n > panel : x.a_row * size % 2048 == 0 && x.n > 8 * panel;
  }
  if (x.a_row != 1) return true;
  const bool many_pages = std::min(x.k, sum_block) * x.a_step * size > 48 * page;
  return many_pages ? x.n > 4 * panel : x.m > tile_rows && x.n > 16 * panel;
}
template <class T>
std::size_t bytes_of_b(const Product<T>& x) {
  return static_cast<std::size_t>(x.n * x.k) * sizeof(T);
}
template <class T>
bool beyond_first_cache(const Product<T>& x) {
  return bytes_of_b(x) > 1 << 18;
}
template <class T>
bool shares_sets(const Product<T>& x) {  // the rows of B, of the first cache
  return x.b_step * Index{sizeof(T)} % page == 0 && x.k > 64;
}
// Columns before those that begin with a line of the cache, or at least with a part of a line as wide as a
// vector; none where every row would differ.
template <class T>
Index columns_to_line(const T* b, Index b_step) {
  if (b_step % width<T> != 0) return 0;
  return -static_cast<Index>(reinterpret_cast<std::uintptr_t>(b) / sizeof(T)) & (width<T> - 1);
}
// Panels of a B far from the core fetch little at a time, and push each other out where rows are
// powers of two apart. For one or two rows of A, a B that is not in line with the cache is far sooner.
template <class T>
bool pays_to_sweep(const Product<T>& x) {
  if (x.m > sweep_rows || x.b_column != 1 || x.n <= 4 * width<T>) return false;
  const bool in_line = x.b_step % width<T> == 0 && columns_to_line(x.b, x.b_step) == 0;
  if (x.m == 1) return bytes_of_b(x) > (in_line ? 1 << 18 : 1 << 16);
  return bytes_of_b(x) > (in_line || x.m > 2 ? 2 << 20 : 1 << 18);
}
template <class T>
bool pays_to_pack_b(const Product<T>& x) {
  return x.b_column != 1 || (x.m > sweep_rows && (bytes_of_b(x) > second_cache || shares_sets(x)));
}

// Rows of A whose steps are adjacent are packed as rows; this is how far apart (no power of two, all in
// line).
constexpr Index packed_row(Index steps) { return (steps + 31) / 32 * 32 + 16; }

}  // namespace
}  // namespace deltarule::engine
