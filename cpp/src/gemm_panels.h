// How columns are cut into panels, and the kernel for a tile of one. Internal to gemm.cpp.
#pragma once

#include <array>
#include <utility>

#include "gemm_packing.h"

namespace deltarule::engine {
namespace {

template <class T>
using Kernel = void (*)(const Tile<T>&) noexcept;

template <class P, int NV, bool columns, int Rows>
constexpr auto kernels = []<int... I>(std::integer_sequence<int, I...>) {
  return std::array<Kernel<typename P::Scalar>, sizeof...(I)>{&tile_kernel<P, I + 1, NV, columns>...};
}(std::make_integer_sequence<int, Rows>{});

// Vectors of the widest panel for tiles of so many rows: as many sums as registers hold.
constexpr int widest_panel(Index rows) {
  return rows == 1 ? 8 : rows <= wide_rows ? 4 : rows <= medium_rows ? 3 : 2;
}

// Rows in tiles of nearly the same height: the first `large` ones of small + 1 rows, then of small.
struct Cut {
  Index tiles, small, large;

  Cut() = default;
  Cut(Index rows, Index highest) : tiles(1), small(rows), large(0) {
    if (rows <= highest) return;  // no division
    tiles = (rows + highest - 1) / highest;
    small = rows / tiles;
    large = rows - small * tiles;
  }
  Index height(Index tile) const { return small + (tile < large); }
};

// Columns are cut into panels of one register tile; what is left over at the end is cut into narrower ones.
template <class T>
struct Panel {
  int vectors;  // 8, 4, 3, 2, 1; 0 for half a vector
  Index columns;
};
template <class T>
Panel<T> next_panel(Index left, int widest) {
  constexpr int W = width<T>;
  constexpr bool halves = W * sizeof(T) > 16;
  if (widest == 8 && left > 7 * W) return {8, std::min<Index>(left, 8 * W)};
  if (widest >= 4 && left > 3 * W) return {4, std::min<Index>(left, 4 * W)};
  if (widest == 3 && left > 2 * W && (left <= 3 * W || left > 4 * W))
    return {3, std::min<Index>(left, 3 * W)};
  if (left > (halves ? W + W / 2 : W)) return {2, std::min<Index>(left, 2 * W)};
  if (left > (halves ? W / 2 : 0)) return {1, std::min<Index>(left, W)};
  return {0, left};
}

template <class T>
bool looks_for_zeros(const Product<T>& x) {
  return x.m >= 16 && x.n >= 4 * width<T> && x.k >= 16;
}
template <class T>
bool fetches_own_c(const Product<T>& x) {
  return x.a_step != 1 && x.k >= 64;
}

// Rows of a tile of one vector: as many as fit how A lies.
template <bool columns>
constexpr int one_vector_rows = columns ? tile_rows : highest_tile;

template <class T, bool columns>
Kernel<T> find_kernel(int vectors, Index rows) {
  using P = simd::Pack<T>;
  const auto r = static_cast<std::size_t>(rows - 1);
  if (vectors == 8) return kernels<P, 8, columns, 1>[r];
  if (vectors == 4) return kernels<P, 4, columns, wide_rows>[r];
  if (vectors == 3) return kernels<P, 3, columns, medium_rows>[r];
  if (vectors == 2) return kernels<P, 2, columns, tile_rows>[r];
  constexpr int highest = one_vector_rows<columns>;
  if (vectors == 1) return kernels<P, 1, columns, highest>[r];
  if constexpr (sizeof(P) > 16) return kernels<simd::Pack<T, P::width / 2>, 1, columns, highest>[r];
  return nullptr;
}
// Of a tile among many.
template <class P, int NV>
constexpr auto some_steps_kernels = []<int... I>(std::integer_sequence<int, I...>) {
  return std::array<Kernel<typename P::Scalar>, sizeof...(I)>{
      &tile_kernel<P, I + least_rows, NV, false, true>...};
}(std::make_integer_sequence<int, tile_rows - least_rows + 1>{});
template <class T>
Kernel<T> find_some_steps_kernel(int vectors, Index rows) {
  using P = simd::Pack<T>;
  const auto r = static_cast<std::size_t>(rows - least_rows);
  if (vectors == 2) return some_steps_kernels<P, 2>[r];
  if (vectors == 1) return some_steps_kernels<P, 1>[r];
  if constexpr (sizeof(P) > 16) return some_steps_kernels<simd::Pack<T, P::width / 2>, 1>[r];
  return nullptr;
}
template <class T>
int last_lanes(Panel<T> panel) {
  if (panel.vectors == 0) return static_cast<int>(panel.columns);
  return static_cast<int>(panel.columns) - (panel.vectors - 1) * width<T>;
}

}  // namespace
}  // namespace deltarule::engine
