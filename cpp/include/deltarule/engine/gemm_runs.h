// Which columns of a matrix hold nothing but zeros, so that a product can leave them out. Internal to
// gemm.cpp.
#pragma once

#include <deltarule/elementwise.h>
#include <deltarule/engine/gemm_kernel.h>
#include <array>
#include <cmath>
#include <cstdint>

namespace deltarule::engine {

// The other columns, as runs of neighbours.
struct Runs {
  struct Run {
    std::int16_t begin, length;
  };
  std::array<Run, sum_block / 2> list;
  Index count = 0, columns = 0;  // runs, and columns in all of them

  // Calls f(begin, length, place): columns `first` to `first + many` of those in the runs, and where a run's
  // first one comes among these.
  template <class F>
  void each(Index first, Index many, F f) const {
    Index before = 0;  // columns in the runs before this one
    for (Index r = 0; r < count && before < first + many;
         before += list[static_cast<std::size_t>(r++)].length) {
      const Run run = list[static_cast<std::size_t>(r)];
      const Index from = std::max(first, before), to = std::min(first + many, before + run.length);
      if (from < to) f(run.begin + from - before, to - from, from - first);
    }
  }
  template <class F>
  void each(F f) const {
    each(0, columns, f);
  }
};

// Shares of columns that were empty in some rows and in twice as many: what is to be expected `times` as many
// rows as the first ones, if some columns are always empty and the others have a number with one and the same
// chance.
inline double expected_share(double once, double twice, double times) {
  const double curve = 1 + twice - 2 * once;
  if (!(curve > 0)) return twice;
  const double always = std::max(0.0, (twice - once * once) / curve);
  return always < 1 ? always + (1 - always) * std::pow((once - always) / (1 - always), times) : 1;
}

// False where fewer columns than `least` are empty; most matrices show that in a few rows.
template <class T>
bool find_runs(Index rows, Index columns, const T* a, Index a_row, Index least, Runs& runs) {
  using P = simd::Pack<T>;
  constexpr Index W = P::width;
  if (columns < 2 * W || columns > sum_block) return false;
  alignas(64) std::array<T, sum_block> seen;  // bits that are set in some row
  const Index padded = (columns + W - 1) / W * W;
  for (Index j = 0; j < padded; j += W) P::zero().store(seen.data() + j);
  const auto merge = [&](Index begin, Index end, Index j) {
    typename P::Mask together = simd::bits(P::load(seen.data() + j));
    for (Index i = begin; i < end; ++i) together |= simd::bits(P::load(a + i * a_row + j));
    simd::from_bits<P>(together).store(seen.data() + j);
  };
  Index before = columns;  // empty ones
  for (Index begin = 0, end = 1; begin < rows; begin = end, end = std::min(rows, 2 * end)) {
    Index j = 0;
    for (; j + W <= columns; j += W) merge(begin, end, j);
    if (j < columns) merge(begin, end, columns - W);
    P empty = P::zero();
    for (j = 0; j < columns; j += W)
      empty += simd::select(P::load(seen.data() + j) == P::zero(), P(T(1)), P::zero());
    const Index now = static_cast<Index>(simd::reduce_add(empty)) - (padded - columns);
    if (now < least) return false;
    const auto share = [columns](Index count) {
      return static_cast<double>(count) / static_cast<double>(columns);
    };
    if (begin >= 8 && end == 2 * begin &&
        expected_share(share(before), share(now), static_cast<double>(rows) / static_cast<double>(begin)) <
            0.8 * share(least))
      return false;
    before = now;
  }
  runs.count = runs.columns = 0;
  for (Index j = 0; j < columns;) {
    const Index begin = j;
    while (j < columns && seen[static_cast<std::size_t>(j)] != T(0)) ++j;
    if (j > begin) {
      runs.list[static_cast<std::size_t>(runs.count++)] = {static_cast<std::int16_t>(begin),
                                                           static_cast<std::int16_t>(j - begin)};
      runs.columns += j - begin;
    }
    while (j < columns && seen[static_cast<std::size_t>(j)] == T(0)) ++j;
  }
  return true;
}

// Whether the rows of B between the runs are finite: then zero times them is zero.
template <class T>
bool finite_between(const Runs& runs, Index rows, Index columns, const T* b, Index b_step, Index b_column) {
  const auto finite = [&](Index begin, Index end) {
    if (b_column == 1) {
      for (Index p = begin; p < end; ++p)
        if (!all_finite(static_cast<std::size_t>(columns), b + p * b_step)) return false;
    } else {
      for (Index j = 0; j < columns; ++j)
        for (Index p = begin; p < end; ++p)
          if (!std::isfinite(b[p * b_step + j * b_column])) return false;
    }
    return true;
  };
  Index end = 0;
  bool all = true;
  runs.each([&](Index begin, Index length, Index) {
    all = all && finite(end, begin);
    end = begin + length;
  });
  return all && finite(end, rows);
}

}  // namespace deltarule::engine
