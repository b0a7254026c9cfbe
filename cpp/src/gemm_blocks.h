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

// `columns`: the rows of A are adjacent, not the steps.
template <class T, bool columns>
class Blocks {
 public:
  Blocks(const Product<T>& product, bool pack_b, T* workspace)
      : x_(product), pack_b_(pack_b), look_(looks_for_zeros(x_)) {
    few_rows_ = columns && x_.a_row == 1 && look_ && x_.zeros_win && x_.start == Start::zero &&
                find_runs(x_.k, x_.m, x_.a, x_.a_step, worth_leaving_out(x_.m, x_.n), runs_);
    m_ = few_rows_ ? runs_.columns : x_.m;
    packed_a_ = workspace;
    packed_b_ = workspace + std::min(m_, block_rows) * packed_row(std::min(x_.k, sum_block));
    pack_a_ = few_rows_ || pays_to_pack_a(x_);
    far_ = !columns && !pack_b && beyond_first_cache(x_);
    // A large C itself, a row now and then, rather than all rows of a tile at once.
    next_ = x_.next.empty() && fetches_own_c(x_) ? std::span(&own_c_, 1) : x_.next;
    next_row_ = x_.next.empty() ? x_.c_row : x_.next_row;
  }

  void run() {
    for (p0_ = 0; p0_ < x_.k; p0_ += sum_block) {
      find_steps();
      const Index blocks = (m_ + block_rows - 1) / block_rows;
      i0_ = 0;
      for (Index block = 0; block < blocks; ++block, i0_ += rows_) {
        rows_ = blocks == 1 ? m_ : (m_ - i0_) / (blocks - block);
        last_rows_ = block + 1 == blocks;
        cut_ = Cut(rows_, tile_rows);
        if (copies_a()) pack_rows();
        const int widest = some_steps() ? 2 : widest_panel(cut_.height(0));
        for (Index j0 = 0; j0 < x_.n;) {
          const Panel<T> panel = next_panel<T>(x_.n - j0, widest);
          multiply_panel(panel, j0);
          j0 += panel.columns;
        }
      }
    }
    if (few_rows_) spread(runs_, x_);
  }

 private:
  // The steps of this block of the sum that are not left out.
  void find_steps() {
    all_steps_ = std::min(sum_block, x_.k - p0_);
    const T* const b = x_.b + p0_ * x_.b_step;
    few_steps_ =
        !columns && look_ &&
        find_runs(m_, all_steps_, x_.a + p0_, x_.a_row, worth_leaving_out(all_steps_, x_.n), runs_) &&
        (x_.zeros_win || finite_between(runs_, all_steps_, x_.n, b, x_.b_step, x_.b_column));
    steps_ = few_steps_ ? runs_.columns : all_steps_;
    packed_row_ = packed_row(steps_);
    if (!some_steps()) return;
    runs_.each([&](Index begin, Index length, Index place) {
      for (Index p = 0; p < length; ++p)
        places_[static_cast<std::size_t>(place + p)] = (begin + p) * x_.b_step;
    });
    std::fill_n(places_.begin() + steps_, steps_to_come, Index{0});
  }
  // Of a B that is not copied.
  bool some_steps() const { return few_steps_ && !pack_b_; }
  bool copies_a() const { return pack_a_ || few_steps_; }
  // Steps from one of so many rows that are fetched to the next. All at once they would wait for each other:
  // a core has room for some ten lines on their way.
  Index part_of(Index rows) const {
    const Index parts = std::max(Index{1}, rows);
    return ((steps_ + parts - 1) / parts + 1) / 2 * 2;
  }
  bool last_block() const { return p0_ + all_steps_ == x_.k; }

  void pack_rows() {
    const T* a = x_.a + p0_ * x_.a_step + (few_rows_ ? 0 : i0_ * x_.a_row);
    if constexpr (!columns) {
      if (few_steps_)
        runs_.each([&](Index begin, Index length, Index place) {
          pack(rows_, length, a + begin, x_.a_row, Index{1}, packed_a_ + place, packed_row_);
        });
      else
        pack(rows_, steps_, a, x_.a_row, Index{1}, packed_a_, packed_row_);
    } else {
      for (Index t = 0, i = 0; t < cut_.tiles; i += cut_.height(t++)) {
        const Index wide = cut_.height(t);
        T* const to = packed_a_ + i * packed_row_;
        if (few_rows_)
          runs_.each(i0_ + i, wide, [&](Index begin, Index length, Index place) {
            pack(steps_, length, a + begin * x_.a_row, x_.a_step, x_.a_row, to + place, wide);
          });
        else
          pack(steps_, wide, a + i * x_.a_row, x_.a_step, x_.a_row, to, wide);
      }
    }
  }

  void pack_panel(const T* b, Panel<T> panel, Index panel_width) {
    if (few_steps_)
      runs_.each([&](Index begin, Index length, Index place) {
        pack(length, panel.columns, b + begin * x_.b_step, x_.b_step, x_.b_column,
             packed_b_ + place * panel_width, panel_width);
      });
    else
      pack(steps_, panel.columns, b, x_.b_step, x_.b_column, packed_b_, panel_width);
  }

  void multiply_panel(Panel<T> panel, Index j0) {
    const Index panel_width = std::max(panel.vectors, 1) * width<T>;
    const T* const b = x_.b + p0_ * x_.b_step + j0 * x_.b_column;
    if (pack_b_) pack_panel(b, panel, panel_width);
    Tile<T> tile;
    tile.b = pack_b_ ? packed_b_ : b;
    tile.b_step = pack_b_ ? panel_width : x_.b_step;
    if (some_steps()) tile.places = places_.data();
    tile.c_row = x_.c_row;
    tile.bias = shifted(x_.bias, j0);
    tile.k = steps_;
    tile.last = last_lanes(panel);
    tile.start = p0_ == 0 ? x_.start : Start::accumulate;
    tile.relu = x_.relu && last_block();

    // What is needed after the sum; or else the steps to come, or the panel after this one, if it is copied.
    const bool last_panel = j0 + panel_width >= x_.n;
    const bool fetch_c = last_block() && !next_.empty();
    const bool fetch_panel = pack_b_ && x_.b_column == 1 && last_rows_ && !(last_panel && last_block());
    const T* const after = last_panel ? x_.b + (p0_ + all_steps_) * x_.b_step : b + panel_width;
    if (fetch_c)
      tile.next = next_, tile.next_row = next_row_;
    else if (fetch_panel)
      tile.next = {&after, 1}, tile.next_row = x_.b_step;
    tile.far = far_ && !fetch_c;

    const auto kernel_for = [&](Index rows) {
      return some_steps() ? find_some_steps_kernel<T>(panel.vectors, rows)
                          : find_kernel<T, columns>(panel.vectors, rows);
    };
    const Cut cut = !some_steps() && panel.vectors <= 1 ? Cut(rows_, one_vector_rows<columns>) : cut_;
    const Kernel<T> kernel_small = kernel_for(cut.small);
    const Kernel<T> kernel_large = cut.large > 0 ? kernel_for(cut.small + 1) : nullptr;
    for (Index t = 0, i = 0; t < cut.tiles; i += cut.height(t++)) {
      if (copies_a()) {
        tile.a = packed_a_ + i * packed_row_;
        tile.a_stride = columns ? cut.height(t) : packed_row_;
      } else {
        tile.a = x_.a + (i0_ + i) * x_.a_row + p0_ * x_.a_step;
        tile.a_stride = columns ? x_.a_step : x_.a_row;
      }
      if (fetch_c) {
        tile.next_at = (i0_ + i) * next_row_ + j0, tile.part = part_of(cut.height(t));
      } else if (fetch_panel) {
        const Index begin = steps_ * t / cut.tiles, end = steps_ * (t + 1) / cut.tiles;
        tile.next_at = begin * x_.b_step, tile.part = part_of(end - begin);
      }
      tile.c = x_.c + (i0_ + i) * x_.c_row + j0;
      (t < cut.large ? kernel_large : kernel_small)(tile);
    }
  }

  const Product<T>& x_;
  const bool pack_b_;
  const bool look_;  // for zeros
  bool pack_a_, far_;
  const T* own_c_ = x_.c;
  std::span<const T* const> next_;  // fetched during the last block of the sum
  Index next_row_;
  bool few_rows_;  // rows of A, the runs, are all that is multiplied
  Index m_;        // their number
  T *packed_a_, *packed_b_;
  Runs runs_;
  // Of this block of the sum.
  Index p0_, all_steps_, steps_, packed_row_;
  bool few_steps_;  // only the runs
  std::array<Index, sum_block + steps_to_come> places_;
  // Of this block of rows.
  Index i0_, rows_;
  Cut cut_;
  bool last_rows_;
};

template <class T>
void multiply_blocks(const Product<T>& x, bool pack_b, T* workspace) {
  if (x.a_step == 1)
    Blocks<T, false>(x, pack_b, workspace).run();
  else
    Blocks<T, true>(x, pack_b, workspace).run();
}

}  // namespace
}  // namespace deltarule::engine
