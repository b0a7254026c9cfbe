#include <deltarule/engine/gemm.h>
#include <deltarule/engine/gemm_kernel.h>
#include <deltarule/engine/gemm_runs.h>
#include <deltarule/engine/gemm_transpose.h>

#include <algorithm>
#include <array>

#include "gemm_packing.h"
#include "gemm_sweep.h"

namespace deltarule::engine {
namespace {

template <class T>
using Kernel = void (*)(const Tile<T>&) noexcept;

template <class P, int NV, bool columns, int Rows>
constexpr auto kernels = []<int... I>(std::integer_sequence<int, I...>) {
  return std::array<Kernel<typename P::Scalar>, sizeof...(I)>{&tile_kernel<P, I + 1, NV, columns>...};
}(std::make_integer_sequence<int, Rows>{});

// Columns are cut into panels of one register tile; what is left over at the end is cut into narrower ones.
template <class T>
struct Panel {
  int vectors;  // 8, 4, 2, 1; 0 for half a vector
  Index columns;
};
template <class T>
Panel<T> next_panel(Index left, bool wide, bool one) {
  constexpr int W = width<T>;
  constexpr bool halves = W * sizeof(T) > 16;
  if (one && left > 7 * W) return {8, std::min<Index>(left, 8 * W)};
  if (wide && left > 3 * W) return {4, std::min<Index>(left, 4 * W)};
  if (left > (halves ? W + W / 2 : W)) return {2, std::min<Index>(left, 2 * W)};
  if (left > (halves ? W / 2 : 0)) return {1, std::min<Index>(left, W)};
  return {0, left};
}

template <class T, bool columns>
Kernel<T> find_kernel(int vectors, Index rows) {
  using P = simd::Pack<T>;
  const auto r = static_cast<std::size_t>(rows - 1);
  if (vectors == 8) return kernels<P, 8, columns, 1>[r];
  if (vectors == 4) return kernels<P, 4, columns, wide_rows>[r];
  if (vectors == 2) return kernels<P, 2, columns, tile_rows>[r];
  if (vectors == 1) return kernels<P, 1, columns, tile_rows>[r];
  if constexpr (sizeof(P) > 16) return kernels<simd::Pack<T, P::width / 2>, 1, columns, tile_rows>[r];
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

template <class T>
void finish_only(const Product<T>& x) {
  for (Index i = 0; i < x.m; ++i)
    for (Index j = 0; j < x.n; ++j) {
      T& c = x.c[i * x.c_row + j];
      if (x.start != Start::accumulate) c = x.start == Start::bias ? x.bias[j] : T(0);
      if (x.relu && c < T(0)) c = T(0);
    }
}

// All rows in one tile, one block of the sum, nothing packed: no more instructions than needed.
template <class T, bool columns>
void multiply_one_tile(const Product<T>& x) {
  Tile<T> tile{.a = x.a,
               .a_stride = columns ? x.a_step : x.a_row,
               .b = x.b,
               .b_step = x.b_step,
               .c = x.c,
               .c_row = x.c_row,
               .bias = x.bias,
               .k = x.k,
               .last = 0,
               .start = x.start,
               .relu = x.relu};
  for (Index left = x.n; left > 0;) {
    const Panel<T> panel = next_panel<T>(left, x.m <= wide_rows, x.m == 1);
    tile.last = last_lanes(panel);
    find_kernel<T, columns>(panel.vectors, x.m)(tile);
    left -= panel.columns;
    tile.b += panel.columns, tile.c += panel.columns, tile.bias = shifted(tile.bias, panel.columns);
  }
}

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
  const bool wide = m <= wide_rows;
  const bool away = x.home != Home::core && bytes_of_b(x) > (1 << 19);
  const bool fetch = x.b_column == 1 && (pack_b || away);

  for (Index p0 = 0; p0 < x.k; p0 += sum_block) {
    const Index all_steps = std::min(sum_block, x.k - p0);
    const bool few_steps =
        !columns && look &&
        find_runs(m, all_steps, x.a + p0, x.a_row, worth_leaving_out(all_steps, x.n), runs) &&
        (x.zeros_win || finite_between(runs, all_steps, x.n, x.b + p0 * x.b_step, x.b_step, x.b_column));
    const Index steps = few_steps ? runs.columns : all_steps;
    if (few_steps && !pack_b)
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
        const Panel<T> panel = next_panel<T>(x.n - j0, wide, m == 1);
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
        const bool some_steps = few_steps && !pack_b;
        if (some_steps) tile.places = places.data();
        tile.c_row = x.c_row;
        tile.bias = shifted(x.bias, j0);
        tile.k = steps;
        tile.last = last_lanes(panel);
        tile.start = start;
        tile.relu = relu;
        // What is needed after the sum, or else the panel that comes after this one.
        const bool last_panel = j0 + panel_width >= x.n, last_block = p0 + all_steps == x.k;
        const T* after = last_panel ? x.b + (p0 + all_steps) * x.b_step : b + panel_width;
        const bool fetch_c = last_block && !x.next.empty();
        if (fetch_c)
          tile.next = x.next, tile.next_row = x.next_row;
        else if (fetch && block + 1 == blocks && !(last_panel && last_block))
          tile.next = {&after, 1}, tile.next_row = x.b_step;
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
          } else if (!tile.next.empty()) {
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

template <class T>
void multiply_narrow(Narrow<T> x, Index columns, Index k) {
  const Start start = x.start;
  const bool relu = x.relu;
  for (Index p0 = 0; p0 < k; p0 += sum_block) {
    x.steps = std::min(sum_block, k - p0);
    x.start = p0 == 0 ? start : Start::accumulate;
    x.relu = relu && p0 + x.steps == k;
    if (columns == 1)
      narrow_kernel<T, 1>(x);
    else if (columns == 2)
      narrow_kernel<T, 2>(x);
    else if (columns == 3)
      narrow_kernel<T, 3>(x);
    else
      narrow_kernel<T, 4>(x);
    x.s += x.steps;
    x.f += x.steps * x.f_step;
  }
}

// The columns of the last register that is not full come out of copies, which have room to read on.
template <class T>
void multiply_exactly(const Product<T>& x, T* workspace) {
  const Index whole = x.n / width<T> * width<T>, left = x.n - whole;
  Product<T> part = x;
  part.slack = true;
  if (whole > 0) {
    part.n = whole;
    multiply(part, workspace);
  }
  std::array<T, 2 * width<T>> bias{};
  if (x.bias) std::copy_n(x.bias + whole, left, bias.data());
  part.n = left;
  part.b = x.b + whole * x.b_column;
  part.c = x.c + whole;
  part.bias = x.bias ? bias.data() : nullptr;
  multiply_blocks(part, true, workspace);
}

}  // namespace

template <class T>
std::size_t workspace_size(Index m, Index n, Index k, bool) {
  if (m <= 0 || n <= 0 || k <= 0) return 0;
  const Index steps = std::min(k, sum_block);
  const Index packed = std::min(m, block_rows) * packed_row(steps) + 8 * width<T> * steps;
  // Sums of a sweep, for any number of rows up to m: they do not grow evenly with it.
  const Index rows = std::min(m, sweep_rows);
  const Index sums = std::min(rows * round_up(std::max(m, n), width<T>),
                              std::max(sweep_columns, rows * least_sweep_columns));
  return static_cast<std::size_t>(std::max(packed, sums + rows * round_up(steps, sweep_steps)));
}

template <class T>
void multiply(const Product<T>& x, T* workspace) noexcept {
  if (x.k <= 0) return finish_only(x);
  if (x.m <= 0 || x.n <= 0) return;
  if (x.m <= 4 && x.b_step == 1 && x.n >= side<T> && x.n > x.m) {
    Narrow<T> y{.start = x.start, .relu = x.relu};
    y.s = x.b, y.s_row = x.b_column, y.f = x.a, y.f_step = x.a_step, y.f_column = x.a_row;
    y.out = x.c, y.out_row = 1, y.out_column = x.c_row, y.bias = x.bias, y.bias_row = 1, y.rows = x.n;
    return multiply_narrow(y, x.m, x.k);
  }
  // One to four columns beyond a multiple of the register width.
  const Index narrow = x.n % std::max(width<T>, 8);
  if (x.a_step == 1 && x.m >= side<T> && narrow >= 1 && narrow <= 4) {
    Product<T> rest = x;
    rest.n = x.n - narrow;
    if (rest.n > 0) multiply(rest, workspace);
    Narrow<T> y{.start = x.start, .relu = x.relu};
    y.s = x.a, y.s_row = x.a_row, y.f = x.b + rest.n * x.b_column, y.f_step = x.b_step,
    y.f_column = x.b_column;
    y.out = x.c + rest.n, y.out_row = x.c_row, y.out_column = 1, y.bias = shifted(x.bias, rest.n),
    y.bias_column = 1;
    y.rows = x.m;
    return multiply_narrow(y, narrow, x.k);
  }
  if (x.n == 1 && x.a_row == 1 && x.c_row == 1 && x.m >= width<T> && x.start != Start::bias) {
    // The lanes run along A, whose rows are adjacent. A promises no slack, so its last rows are copied first.
    Product<T> y = x;
    y.m = 1, y.n = x.m / width<T> * width<T>, y.c_row = x.m;
    y.a = x.b, y.a_row = x.b_column, y.a_step = x.b_step, y.b = x.a, y.b_step = x.a_step, y.b_column = 1;
    multiply(y, workspace);
    y.b += y.n, y.c += y.n, y.n = x.m - y.n;
    if (y.n > 0) multiply_blocks<T, true>(y, y.a_row != 1, true, workspace);
    return;
  }
  if (!x.slack && x.n % width<T> != 0 && (x.b_column == 1 || x.bias)) return multiply_exactly(x, workspace);
  if (pays_to_sweep(x)) return multiply_sweep(x, workspace);
  if (x.m <= std::min(8, tile_rows) && x.k <= sum_block && x.b_column == 1) {
    if (x.a_step == 1) return multiply_one_tile<T, false>(x);
    if (x.a_row == 1) return multiply_one_tile<T, true>(x);
  }
  multiply_blocks(x, pays_to_pack_b(x), workspace);
}

template <class T>
void transpose(Index rows, Index cols, const T* in, Index in_row, T* out, Index out_row) noexcept {
  constexpr int N = side<T>, L = few<T>;
  if (rows < N || cols < L) {
    for (Index i = 0; i < rows; ++i)
      for (Index j = 0; j < cols; ++j) out[j * out_row + i] = in[i * in_row + j];
    return;
  }
  // The last block of a row or column overlaps the one before.
  for (Index i = 0; i < rows; i += N) {
    i = std::min(i, rows - N);
    for (Index j = 0; j < cols; j += L) {
      j = std::min(j, cols - L);
      Lane<T> block[L];
      load_columns(in + i * in_row + j, in_row, block);
      DELTARULE_UNROLL
      for (int q = 0; q < L; ++q) block[q].store(out + (j + q) * out_row + i);
    }
  }
}

template std::size_t workspace_size<float>(Index, Index, Index, bool);
template std::size_t workspace_size<double>(Index, Index, Index, bool);
template void multiply<float>(const Product<float>&, float*) noexcept;
template void multiply<double>(const Product<double>&, double*) noexcept;
template void transpose<float>(Index, Index, const float*, Index, float*, Index) noexcept;
template void transpose<double>(Index, Index, const double*, Index, double*, Index) noexcept;

}  // namespace deltarule::engine
