// The plan of a network: its operations, the buffers between them, and the phases in which threads run them.
#pragma once

#include <deltarule/engine/lowering.h>
#include <deltarule/network.h>

namespace deltarule::engine {

enum class Action {
  load,
  forward,
  finish_forward,
  collect,
  loss,
  start_backward,
  collect_backward,
  backward
};

// One thing done to a row tile. load and loss have no operation: they belong to whoever runs the plan.
template <class T>
struct Call {
  Action action;
  Op<T>* op = nullptr;
};

// A phase is over when all its tasks are done: its calls on every row tile, or one operation's own tasks.
template <class T>
struct Phase {
  std::vector<Op<T>*> combine = {}, combine_backward = {};  // first, by one thread
  std::vector<Call<T>> calls = {};
  Op<T>* tasks_of = nullptr;
  bool backward_tasks = false;
  bool whole = false;  // its calls see all rows at once
  bool empty() const { return calls.empty() && tasks_of == nullptr; }
};

struct PhaseCost {
  int tasks = 1;
  double flops = 0;
};

struct PlanOptions {
  std::ptrdiff_t max_rows = 1;
  bool training = false;
  bool input_gradient = false;  // the gradient of the network's input is wanted too
  bool whole_loss = false;      // the loss sees all rows at once
  int threads = 1;              // that will share the row tiles
};

template <class T>
class Plan final : public Lowering<T> {
 public:
  Plan(const Network<T>& network, const PlanOptions& options);

  Parameter<T> parameter(std::string_view tensor) override;
  T* statistic(std::string_view tensor) override;
  Slot new_slot(std::ptrdiff_t columns) override;
  Slot new_value(Slot like) override;
  Slot branch(Slot shared) override;
  void lower(const Layer& inner) override;
  void add(std::unique_ptr<Op<T>> op) override;
  void now_trainable() override { trainable_ = true; }

  const std::vector<std::unique_ptr<Op<T>>>& ops() const { return ops_; }
  const std::vector<Phase<T>>& forward_phases() const { return forward_; }  // without the loss
  const std::vector<Phase<T>>& backward_phases() const {
    return backward_;
  }  // from the gradient of the output on
  const std::vector<Phase<T>>& step_phases() const { return step_; }  // load, forward, loss, backward
  // The same for one thread, which goes down operation by operation and leaves each one's weight gradients
  // while what they read is near: load, forward, loss; then a call each, for all rows. No way down: it does
  // not pay, or cannot be done.
  const std::vector<Phase<T>>& ascent_phases() const { return ascent_; }
  const std::vector<Phase<T>>& descent_phases() const { return descent_; }
  Slot input_slot() const { return first_; }
  Slot output_slot() const { return this->input; }
  std::span<const std::ptrdiff_t> value_columns() const { return values_; }
  std::span<const std::ptrdiff_t> gradient_columns() const { return gradients_; }
  double flops(std::ptrdiff_t rows) const { return flops_ * static_cast<double>(rows); }
  std::ptrdiff_t tile_rows() const { return tile_rows_; }
  int tiles(std::ptrdiff_t rows) const { return static_cast<int>(pieces(rows, tile_rows_)); }
  int threads() const { return options_.threads; }  // that share the row tiles
  std::ptrdiff_t max_rows() const { return options_.max_rows; }
  std::size_t scratch_size() const { return scratch_; }
  // Threads worth using for this many rows: a team must save more than its phases cost. `more` FLOP come
  // besides.
  int useful_threads(std::ptrdiff_t rows, int available, double more = 0) const;
  // Memory that the operations keep beside the arena.
  void reserve();
  // Of every phase of a step, the weight gradients' last, for max_rows rows.
  std::vector<PhaseCost> costs() const;
  std::string explain(std::size_t state_arrays, std::string_view rule, bool fused) const;

 private:
  void make_phases();
  void make_descent();
  bool pays_to_descend() const;
  Network<T>& network_;
  PlanOptions options_;
  std::string layer_ = {};  // what is being lowered
  int layer_number_ = 0, layers_ = 0;
  bool trainable_ = false;
  Slot first_{};
  std::vector<std::unique_ptr<Op<T>>> ops_;
  std::vector<std::ptrdiff_t> values_, gradients_;
  std::vector<bool> kept_;  // values that inference must not write over
  std::vector<Phase<T>> forward_, backward_, step_, ascent_, descent_;
  std::ptrdiff_t tile_rows_ = 1;
  std::size_t scratch_ = 0;
  double flops_ = 0;
};

extern template class Plan<float>;
extern template class Plan<double>;

}  // namespace deltarule::engine
