// The product in blocks: rows of A that stay in the second cache, panels of B, register tiles. Internal to
// gemm.cpp.
#pragma once

#include <deltarule/engine/gemm_runs.h>

#include "gemm_panels.h"

namespace deltarule::engine {
namespace {

// Of so many columns or rows of A: what it takes to put the others side by side is less than what is saved.
constexpr Index worth_leaving_out(Index count, Index n) { return count * (n + 64) / (8 * n) + 1; }

// Rows of C that were made side by side go to where they belong; between them there is nothing but zeros.
template <class T>
void spread(const Runs& runs, const Product<T>& x) {
  Index end = x.m;  // what is done lies from here on
  const auto clear = [&](Index begin) {
    for (Index i = begin; i < end; ++i) std::fill_n(x.c + i * x.c_row, x.n, T(0));
  };
  for (Index r = runs.count, from = runs.columns; r-- > 0;) {
    const auto [begin, length] = runs.list[static_cast<std::size_t>(r)];
    clear(begin + length);
    for (Index i = begin + length; i-- > begin;)
      if (--from != i) std::copy_n(x.c + from * x.c_row, x.n, x.c + i * x.c_row);
    end = begin;
  }
  clear(0);
}

template <class T, bool columns>
void multiply_blocks(const Product<T>& x, bool pack_a, bool pack_b, T* workspace) {
  const Index most_steps = std::min(x.k, sum_block);
  const bool look = x.m >= 16 && x.n >= 4 * width<T> && x.k >= 16;
  Runs runs;
  std::array<Index, sum_block> places;
  const bool few_rows = columns && look && x.zeros_win && x.start == Start::zero &&
                        find_runs(x.k, x.m, x.a, x.a_step, worth_leaving_out(x.m, x.n), runs);
  const Index m = few_rows ? runs.columns : x.m;
  T* const packed_a = workspace;
  T* const packed_b = workspace + std::min(m, block_rows) * packed_row(most_steps);
  const bool far = !columns && !pack_b && beyond_first_cache(x);

  for (Index p0 = 0; p0 < x.k; p0 += sum_block) {
    const Index all_steps = std::min(sum_block, x.k - p0);
    const bool few_steps =
        !columns && look &&
        find_runs(m, all_steps, x.a + p0, x.a_row, worth_leaving_out(all_steps, x.n), runs) &&
        (x.zeros_win || finite_between(runs, all_steps, x.n, x.b + p0 * x.b_step, x.b_step, x.b_column));
    const Index steps = few_steps ? runs.columns : all_steps;
    const bool some_steps = few_steps && !pack_b;
    if (some_steps)
      runs.each([&](Index begin, Index length, Index place) {
        for (Index p = 0; p < length; ++p)
          places[static_cast<std::size_t>(place + p)] = (begin + p) * x.b_step;
      });
    const Index row = packed_row(steps);
    const Start start = p0 == 0 ? x.start : Start::accumulate;
    const bool relu = x.relu && p0 + all_steps == x.k;
    const Index blocks = (m + block_rows - 1) / block_rows;
    for (Index block = 0, i0 = 0; block < blocks; ++block) {
      const Index rows = blocks == 1 ? m : (m - i0) / (blocks - block);
      const Index tiles = (rows + tile_rows - 1) / tile_rows;
      const Index small = tiles == 1 ? rows : rows / tiles, large_tiles = rows - small * tiles;
      const int widest = some_steps ? 2 : widest_panel(small + (large_tiles > 0));
      const bool copy_a = pack_a || few_steps || few_rows;
      if (copy_a) {
        const T* a = x.a + p0 * x.a_step + (few_rows ? 0 : i0 * x.a_row);
        if constexpr (!columns) {
          if (few_steps)
            runs.each([&](Index begin, Index length, Index place) {
              pack(rows, length, a + begin, x.a_row, Index{1}, packed_a + place, row);
            });
          else
            pack(rows, steps, a, x.a_row, Index{1}, packed_a, row);
        } else {
          for (Index t = 0, i = 0; t < tiles; ++t) {
            const Index height = small + (t < large_tiles);
            T* const to = packed_a + i * row;
            if (few_rows)
              runs.each(i0 + i, height, [&](Index begin, Index length, Index place) {
                pack(steps, length, a + begin * x.a_row, x.a_step, x.a_row, to + place, height);
              });
            else
              pack(steps, height, a + i * x.a_row, x.a_step, x.a_row, to, height);
            i += height;
          }
        }
      }
      for (Index j0 = 0; j0 < x.n;) {
        const Panel<T> panel = next_panel<T>(x.n - j0, widest);
        const Index panel_width = std::max(panel.vectors, 1) * width<T>;
        const T* b = x.b + p0 * x.b_step + j0 * x.b_column;
        if (pack_b && few_steps)
          runs.each([&](Index begin, Index length, Index place) {
            pack(length, panel.columns, b + begin * x.b_step, x.b_step, x.b_column,
                 packed_b + place * panel_width, panel_width);
          });
        else if (pack_b)
          pack(steps, panel.columns, b, x.b_step, x.b_column, packed_b, panel_width);
        Tile<T> tile;
        tile.b = pack_b ? packed_b : b;
        tile.b_step = pack_b ? panel_width : x.b_step;
        if (some_steps) tile.places = places.data();
        tile.c_row = x.c_row;
        tile.bias = shifted(x.bias, j0);
        tile.k = steps;
        tile.last = last_lanes(panel);
        tile.start = start;
        tile.relu = relu;
        // What is needed after the sum; or else the steps to come, or the panel after this one, if it is
        // copied.
        const bool last_panel = j0 + panel_width >= x.n, last_block = p0 + all_steps == x.k;
        const bool fetch_c = last_block && !x.next.empty();
        const bool fetch_panel =
            pack_b && x.b_column == 1 && block + 1 == blocks && !(last_panel && last_block);
        const T* const next_panel_of_b = last_panel ? x.b + (p0 + all_steps) * x.b_step : b + panel_width;
        if (fetch_c)
          tile.next = x.next, tile.next_row = x.next_row;
        else if (fetch_panel)
          tile.next = {&next_panel_of_b, 1}, tile.next_row = x.b_step;
        tile.far = far && !fetch_c && !some_steps;
        const auto kernel_for = [&](Index height) {
          return some_steps ? find_some_steps_kernel<T>(panel.vectors, height)
                            : find_kernel<T, columns>(panel.vectors, height);
        };
        const Kernel<T> kernel_small = kernel_for(small);
        const Kernel<T> kernel_large = large_tiles > 0 ? kernel_for(small + 1) : nullptr;
        for (Index t = 0, i = 0; t < tiles; ++t) {
          const Index height = small + (t < large_tiles);
          if (copy_a) {
            tile.a = packed_a + i * row;
            tile.a_stride = columns ? height : row;
          } else {
            tile.a = x.a + (i0 + i) * x.a_row + p0 * x.a_step;
            tile.a_stride = columns ? x.a_step : x.a_row;
          }
          if (fetch_c) {
            tile.next_at = (i0 + i) * x.next_row + j0, tile.next_rows = height;
          } else if (fetch_panel) {
            const Index begin = steps * t / tiles, end = steps * (t + 1) / tiles;
            tile.next_at = begin * x.b_step, tile.next_rows = end - begin;
          }
          tile.c = x.c + (i0 + i) * x.c_row + j0;
          (t < large_tiles ? kernel_large : kernel_small)(tile);
          i += height;
        }
        j0 += panel.columns;
      }
      i0 += rows;
    }
  }
  if (few_rows) spread(runs, x);
}

template <class T>
void multiply_blocks(const Product<T>& x, bool pack_b, T* workspace) {
  const auto run = x.a_step == 1 ? multiply_blocks<T, false> : multiply_blocks<T, true>;
  run(x, pays_to_pack_a(x), pack_b, workspace);
}

}  // namespace
}  // namespace deltarule::engine
