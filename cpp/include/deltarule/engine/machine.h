// A plan with its memory, ready to run: the tasks of every phase.
#pragma once

#include <deltarule/engine/plan.h>
#include <algorithm>
#include <memory>

namespace deltarule::engine {

// Who runs a plan provides the batch and the loss.
template <class T>
struct BatchHooks {
  virtual ~BatchHooks() = default;
  // Writes rows tile.begin .. tile.end of the batch to `input`.
  virtual void load(const Tile& tile, View<T> input) = 0;
  // Writes the gradient of the loss of these rows; false when a loss is not finite.
  virtual bool loss(const Tile& tile, View<const T> prediction, View<T> gradient) = 0;
};

// Rows that lie one after the other, for passes without a loss.
template <class T>
struct CopiedRows final : BatchHooks<T> {
  CopiedRows(const T* rows, std::ptrdiff_t columns) : x(rows), width(columns) {}
  void load(const Tile& tile, View<T> input) override {
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) std::copy_n(x + i * width, width, input.at(i));
  }
  bool loss(const Tile&, View<const T>, View<T>) override { return true; }
  const T* x;
  std::ptrdiff_t width;
};

template <class T>
class Machine {
 public:
  Machine(const Network<T>& network, const PlanOptions& options, int threads);

  Plan<T>& plan() { return plan_; }
  const Plan<T>& plan() const { return plan_; }
  int threads() const { return threads_; }
  View<T> value(int number) const { return values_[static_cast<std::size_t>(number)]; }
  View<T> gradient(int number) const { return gradients_[static_cast<std::size_t>(number)]; }
  // Rows of the batch that are read where they lie; null: those that `load` writes.
  void read_input(const T* rows);

  // The calling thread's view of this machine.
  Context<T> context(int thread, bool training, std::ptrdiff_t rows, std::uint64_t seed, std::uint64_t step,
                     const Update<T>* update);

  int tasks(const Phase<T>& phase, std::ptrdiff_t rows) const;
  // False when a loss is not finite.
  bool run_task(const Phase<T>& phase, const Context<T>& context, int task, BatchHooks<T>& hooks);
  // Before a phase begins, by one thread.
  void combine(const Phase<T>& phase, const Context<T>& context);
  // A part of the plan's way down.
  void run_descent(int part, const Context<T>& context, BatchHooks<T>& hooks);
  // All phases on this thread.
  void run(std::span<const Phase<T>> phases, const Context<T>& context, BatchHooks<T>& hooks);

  // Weight gradients (and the update where it is fused).
  int weight_tasks() const { return weight_tasks_; }
  void run_weight_task(const Context<T>& context, int task);
  // What is derived from the parameters, after they changed other than by a fused update.
  int refresh_tasks() const { return refresh_tasks_; }
  void run_refresh_task(int task);

 private:
  Plan<T> plan_;
  int threads_;
  Buffer<T> arena_;
  std::vector<Buffer<T>> scratch_;  // per thread
  std::vector<View<T>> values_, gradients_;
  View<T> loaded_;  // the input that `load` writes
  int weight_tasks_ = 0, refresh_tasks_ = 0;
};

extern template class Machine<float>;
extern template class Machine<double>;

}  // namespace deltarule::engine
