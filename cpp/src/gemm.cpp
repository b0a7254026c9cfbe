#include <deltarule/engine/gemm.h>

#include <algorithm>
#include <array>

#include "gemm_blocks.h"
#include "gemm_row.h"
#include "gemm_sweep.h"

namespace deltarule::engine {
namespace {

template <class T>
void finish_only(const Product<T>& x) {
  for (Index i = 0; i < x.m; ++i)
    for (Index j = 0; j < x.n; ++j) {
      T& c = x.c[i * x.c_row + j];
      if (x.start != Start::accumulate) c = x.start == Start::bias ? x.bias[j] : T(0);
      if (x.relu && c < T(0)) c = T(0);
    }
}

// One block of the sum, nothing packed, left out or fetched: no more instructions than needed.
template <class T, bool columns>
void multiply_plainly(const Product<T>& x) {
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
               .relu = x.relu,
               .far = !columns && beyond_first_cache(x)};
  const Cut of_panels(x.m, tile_rows);
  const int widest = widest_panel(of_panels.height(0));
  for (Index j = 0; j < x.n;) {
    const Panel<T> panel = next_panel<T>(x.n - j, widest);
    const Cut cut = panel.vectors > 1 ? of_panels : Cut(x.m, one_vector_rows<columns>);
    tile.last = last_lanes(panel);
    tile.b = x.b + j, tile.bias = shifted(x.bias, j);
    for (Index t = 0, i = 0; t < cut.tiles; i += cut.height(t++)) {
      tile.a = x.a + i * x.a_row, tile.c = x.c + i * x.c_row + j;
      find_kernel<T, columns>(panel.vectors, cut.height(t))(tile);
    }
    j += panel.columns;
  }
}
template <class T>
bool is_plain(const Product<T>& x) {
  if (x.k > sum_block || x.b_column != 1 || (x.a_step != 1 && x.a_row != 1)) return false;
  if (x.m <= std::min(8, tile_rows)) return true;
  const bool fetches = !x.next.empty() || fetches_own_c(x);
  return x.m <= block_rows && !looks_for_zeros(x) && !fetches && !pays_to_pack_a(x) && !pays_to_pack_b(x);
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

// The last columns that are better multiplied apart, or 0. Lanes run along the steps of A, or along its rows
// if those are adjacent.
constexpr Index few_columns = 4;
template <class T>
constexpr Index most_turned = registers == 32 ? width<T> * 5 / 8 : std::max(few_columns, Index{width<T>});
template <class T>
Index last_columns(const Product<T>& x) {
  constexpr Index W = std::max(width<T>, 8);
  const Index beyond = x.n % W;
  if (x.a_step == 1) return beyond <= few_columns && x.m >= side<T> ? beyond : 0;
  if (x.a_row != 1 || x.m < W || x.m <= most_turned<T> || (x.n == 1 && x.c_row == 1)) return 0;
  const Index last = most_turned<T> == W && beyond == 0 ? W : beyond;
  // With a vector that would be alone they make a tile of two.
  const bool pair = (x.n - last) / W % 2 == 1 && 2 * last > W && (x.slack || last == W);
  return last <= most_turned<T> && !pair ? last : 0;
}

template <class T>
void multiply_last_columns(const Product<T>& x, Index columns) {
  const Index first = x.n - columns;
  Narrow<T> y{.start = x.start, .relu = x.relu};
  y.s = x.a, y.s_row = x.a_row;
  y.f = x.b + first * x.b_column, y.f_step = x.b_step, y.f_column = x.b_column;
  y.out = x.c + first, y.out_row = x.c_row, y.out_column = 1;
  y.bias = shifted(x.bias, first), y.bias_column = 1;
  y.rows = x.m;
  multiply_narrow(y, columns, x.k);
}

// As rows of the transposed product.
template <class T>
void multiply_last_columns_turned(const Product<T>& x, Index columns, T* workspace) {
  const Index first = x.n - columns;
  T* const turned = workspace;
  for (Index j = 0; j < columns; ++j)
    for (Index i = 0; i < x.m; ++i)
      turned[j * x.m + i] = x.start == Start::zero   ? T(0)
                            : x.start == Start::bias ? x.bias[first + j]
                                                     : x.c[i * x.c_row + first + j];
  Product<T> y{.m = columns, .n = x.m, .k = x.k};
  y.a = x.b + first * x.b_column, y.a_row = x.b_column, y.a_step = x.b_step;
  y.b = x.a, y.b_step = x.a_step;
  y.c = turned, y.c_row = x.m;
  y.start = x.start == Start::zero ? Start::zero : Start::accumulate;
  y.relu = x.relu, y.slack = false, y.zeros_win = x.zeros_win;
  multiply(y, workspace + round_up(most_turned<T> * x.m, width<T>));
  for (Index i = 0; i < x.m; ++i)
    for (Index j = 0; j < columns; ++j) x.c[i * x.c_row + first + j] = turned[j * x.m + i];
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
std::size_t workspace_size(Index m, Index n, Index k) {
  if (m <= 0 || n <= 0 || k <= 0) return 0;
  const Index steps = std::min(k, sum_block);
  const Index packed = std::min(m, block_rows) * packed_row(steps) + 8 * width<T> * steps;
  // Sums of a sweep, for any number of rows up to m: they do not grow evenly with it.
  const Index rows = std::min(m, sweep_rows);
  const Index sums = std::min(rows * (round_up(std::max(m, n), width<T>) + width<T>),
                              std::max(sweep_columns, rows * least_sweep_columns));
  const Index turned = round_up(most_turned<T> * m, width<T>);
  return static_cast<std::size_t>(turned + std::max(packed, sums + rows * round_up(steps, sweep_steps)));
}

template <class T>
void multiply(const Product<T>& x, T* workspace) noexcept {
  if (x.k <= 0) return finish_only(x);
  if (x.m <= 0 || x.n <= 0) return;
  if (is_near_row(x)) return multiply_row(x);
  if (x.m <= 4 && x.b_step == 1 && x.n >= side<T> && x.n > x.m) {
    Narrow<T> y{.start = x.start, .relu = x.relu};
    y.s = x.b, y.s_row = x.b_column, y.f = x.a, y.f_step = x.a_step, y.f_column = x.a_row;
    y.out = x.c, y.out_row = 1, y.out_column = x.c_row, y.bias = x.bias, y.bias_row = 1, y.rows = x.n;
    return multiply_narrow(y, x.m, x.k);
  }
  if (const Index last = last_columns(x); last > 0) {
    Product<T> rest = x;
    rest.n = x.n - last;
    if (rest.n > 0) multiply(rest, workspace);
    if (x.a_step == 1) return multiply_last_columns(x, last);
    return multiply_last_columns_turned(x, last, workspace);
  }
  if (x.n == 1 && x.a_row == 1 && x.c_row == 1 && x.m >= width<T> && x.start != Start::bias) {
    // The lanes run along A, whose rows are adjacent. A promises no slack, so its last rows are copied first.
    Product<T> y = x;
    y.m = 1, y.n = x.m / width<T> * width<T>, y.c_row = x.m;
    y.a = x.b, y.a_row = x.b_column, y.a_step = x.b_step, y.b = x.a, y.b_step = x.a_step, y.b_column = 1;
    multiply(y, workspace);
    y.b += y.n, y.c += y.n, y.n = x.m - y.n;
    if (y.n > 0) multiply_blocks(y, true, workspace);
    return;
  }
  if (pays_to_sweep(x)) return multiply_sweep(x, workspace);
  if (!x.slack && x.n % width<T> != 0 && (x.b_column == 1 || x.bias)) return multiply_exactly(x, workspace);
  if (is_plain(x)) return (x.a_step == 1 ? multiply_plainly<T, false> : multiply_plainly<T, true>)(x);
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

template std::size_t workspace_size<float>(Index, Index, Index);
template std::size_t workspace_size<double>(Index, Index, Index);
template void multiply<float>(const Product<float>&, float*) noexcept;
template void multiply<double>(const Product<double>&, double*) noexcept;
template void transpose<float>(Index, Index, const float*, Index, float*, Index) noexcept;
template void transpose<double>(Index, Index, const double*, Index, double*, Index) noexcept;

}  // namespace deltarule::engine
