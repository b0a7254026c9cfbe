// What a layer lowers to: operations on buffers of rows, run tile by tile.
#pragma once

#include <deltarule/engine/arena.h>
#include <deltarule/engine/stream.h>
#include <deltarule/update_kernel.h>
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace deltarule::engine {

// A matrix with its rows `row` elements apart.
template <class T>
struct View {
  T* data = nullptr;
  std::ptrdiff_t row = 0;
  T* at(std::ptrdiff_t i) const { return data + i * row; }
};

// Rows [begin, end) of the batch; `index` numbers the tile.
struct Tile {
  std::ptrdiff_t begin, end;
  int index;
  std::ptrdiff_t rows() const { return end - begin; }
};

// Which constants a parameter tensor is updated with.
struct TensorConstants {
  std::ptrdiff_t offset;  // of the tensor
  std::size_t which;
};

// a + rate * (w - a); w itself where the rate is one.
template <class T>
void move_average(std::ptrdiff_t n, T rate, const T* w, T* a) {
  if (rate == 1)
    std::copy_n(w, n, a);
  else
    for (std::ptrdiff_t i = 0; i < n; ++i) a[i] += rate * (w[i] - a[i]);
}

// The flat buffers of a network and the update rule. With `fused`, a block of the gradient becomes new
// weights while it is hot and is never stored.
template <class T>
struct Update {
  const UpdateKernel<T>* kernel = nullptr;
  std::span<const Values> constants{};         // one, or as many as there are kinds of parameters
  std::span<const TensorConstants> tensors{};  // by offset; none: the first constants for all
  int states = 0;
  bool fused = false;
  bool uncached = false;        // parameters and states come from memory
  bool keep_statistics = true;  // running means move along
  T* parameters = nullptr;
  T* gradients = nullptr;
  std::array<T*, max_states> state{};
  T* average = nullptr;  // of the weights; moves along with every update
  T average_rate = 0;
  // While `keeping`, what an update replaces is left here: parameters, then states.
  bool keeping = false;
  std::array<T*, max_states + 1> kept{};
  std::atomic<int>* failed_op = nullptr;  // smallest number of an op whose new weights are not finite

  void fail(int op) const {
    int seen = failed_op->load();
    while (op < seen && !failed_op->compare_exchange_weak(seen, op)) {
    }
  }
  // What the update of a block at this offset reads, but for its gradient, where that has to be fetched.
  struct Memory {
    std::array<const T*, max_states + 2> at{};
    std::size_t count = 0;
    std::span<const T* const> all() const { return {at.data(), count}; }
  };
  Memory memory(std::ptrdiff_t offset) const {
    Memory memory;
    if (!uncached || !fused) return memory;
    memory.at[memory.count++] = parameters + offset;
    for (int i = 0; i < states; ++i) memory.at[memory.count++] = state[static_cast<std::size_t>(i)] + offset;
    if (average && average_rate > 0) memory.at[memory.count++] = average + offset;
    return memory;
  }
  const Values& constants_at(std::ptrdiff_t offset) const {
    if (tensors.empty()) return constants[0];
    const auto next =
        std::upper_bound(tensors.begin(), tensors.end(), offset,
                         [](std::ptrdiff_t at, const TensorConstants& t) { return at < t.offset; });
    return constants[std::prev(next)->which];
  }
  // A block that lies in one tensor.
  bool apply(std::ptrdiff_t offset, std::ptrdiff_t rows, std::ptrdiff_t columns, std::ptrdiff_t row,
             const T* gradient, std::ptrdiff_t gradient_row) const {
    UpdateBlock<T> block{rows, columns, gradient, gradient_row, parameters + offset, row, {}};
    for (int i = 0; i < states; ++i)
      block.state[static_cast<std::size_t>(i)] = state[static_cast<std::size_t>(i)] + offset;
    if (keeping) keep(offset, block);
    const bool finite = kernel->update(constants_at(offset), states, block);
    if (average && average_rate > 0)
      for (std::ptrdiff_t r = 0; r < rows; ++r)
        move_average(columns, average_rate, block.weight + r * row, average + offset + r * row);
    return finite;
  }
  void keep(std::ptrdiff_t offset, const UpdateBlock<T>& block) const {
    for (std::size_t k = 0; k <= static_cast<std::size_t>(states); ++k) {
      const T* from = k == 0 ? block.weight : block.state[k - 1];
      T* to = kept[k] + offset;
      for (std::ptrdiff_t r = 0; r < block.rows; ++r, from += block.weight_row, to += block.weight_row)
        if (uncached)
          stream(static_cast<std::size_t>(block.columns), from, to);
        else
          std::copy_n(from, block.columns, to);
    }
    if (uncached) finish_streams();
  }
};

// How many parts of this size a whole has, the last of which may be smaller.
constexpr std::ptrdiff_t pieces(std::ptrdiff_t whole, std::ptrdiff_t size) {
  return (whole + size - 1) / size;
}

// Everything an operation may look at while it runs on one thread.
template <class T>
struct Context {
  std::span<const View<T>> values, gradients;  // by buffer number
  bool training = false;
  std::ptrdiff_t rows = 0, tile_rows = 0;  // of this batch
  int tiles() const { return static_cast<int>(pieces(rows, tile_rows)); }
  std::uint64_t seed = 0, step = 0;
  int thread = 0;
  T* scratch = nullptr;  // this thread's own
  const Update<T>* update = nullptr;
};

// Floating-point operations for one row.
struct Work {
  double forward = 0, backward = 0, weights = 0;  // weights: their gradients
  double all() const { return forward + backward + weights; }
};

template <class T>
class Op {
 public:
  virtual ~Op() = default;
  virtual std::string describe() const = 0;

  virtual bool backward_only() const { return false; }  // forward does nothing
  virtual void forward(const Context<T>& context, const Tile& tile) = 0;
  virtual void backward(const Context<T>& context, const Tile& tile) = 0;

  // Operations that need the whole batch: collect() sums up a tile, combine() runs once after all tiles are
  // in and before forward() is called.
  virtual bool needs_batch() const { return false; }
  virtual void collect(const Context<T>&, const Tile&) {}
  virtual void combine(const Context<T>&) {}
  virtual void collect_backward(const Context<T>&, const Tile&) {}
  virtual void combine_backward(const Context<T>&) {}
  virtual void reserve(std::ptrdiff_t /*max_rows*/, int /*tiles*/) {}

  // Operations too large to go through row tile by row tile: independent tasks over the whole batch instead
  // (finish_forward and start_backward are their row-by-row part).
  virtual bool by_tasks() const { return false; }
  virtual void finish_forward(const Context<T>&, const Tile&) {}
  virtual void start_backward(const Context<T>&, const Tile&) {}
  virtual int forward_tasks(std::ptrdiff_t /*rows*/) const { return 0; }
  virtual void forward_task(const Context<T>&, int) {}
  virtual int backward_tasks(std::ptrdiff_t /*rows*/) const { return 0; }
  virtual void backward_task(const Context<T>&, int) {}

  // Whether forward() draws random numbers in training.
  virtual bool draws() const { return false; }

  // Gradients of the parameters over the whole batch, and their update.
  virtual int weight_tasks() const { return 0; }
  virtual void weight_task(const Context<T>&, int) {}
  // The gradient of the parameters by one row alone: add_row_norms adds its squared norm to the row's number,
  // scale_rows multiplies it. Only where no row depends on another one.
  virtual bool has_row_norms() const { return weight_tasks() == 0 && !needs_batch(); }
  virtual void add_row_norms(const Context<T>&, const Tile&, double* /*squared*/) {}
  virtual void scale_rows(const Context<T>&, const Tile&, const double* /*factors*/) {}
  // Running averages take in the batch that went forward last.
  virtual void learn_statistics(const Context<T>&) {}
  // Parameters were written to from outside or by a separate update: renew what is derived from them.
  virtual int refresh_tasks() const { return 0; }
  virtual void refresh_task(int) {}

  virtual std::size_t scratch_size(std::ptrdiff_t /*rows*/) const { return 0; }
  virtual Work work() const { return {}; }
  // Whether numbers of tiles are added up: their size must not depend on the threads then.
  virtual bool adds_up_tiles() const { return needs_batch(); }

  int number = 0;          // place in the plan
  int layer_number = 0;    // place of its layer in the network
  std::string layer = {};  // name of that layer, "residual_1.dense_1" for one inside another
  int output = -1;         // buffer number of what its layer writes
};

// The update of an array of which `gradient` holds `count` numbers from `first` on, or its gradient where
// the rule runs later.
template <class T>
void finish_gradient(Op<T>& op, const Update<T>& update, std::ptrdiff_t offset, std::ptrdiff_t count,
                     const T* gradient) {
  if (!update.fused) {
    if (gradient != update.gradients + offset) std::copy_n(gradient, count, update.gradients + offset);
  } else if (!update.apply(offset, 1, count, count, gradient, count)) {
    update.fail(op.number);
  }
}

}  // namespace deltarule::engine
