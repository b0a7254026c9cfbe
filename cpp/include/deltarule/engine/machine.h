// Runs a plan for training: its memory, and the loop in which a team of threads goes through the phases.
#pragma once

#include <deltarule/engine/plan.h>
#include <deltarule/engine/team.h>
#include <memory>

namespace deltarule::engine {

// Who runs a plan provides the batch and the loss.
template <class T>
struct BatchHooks {
  virtual ~BatchHooks() = default;
  // Writes rows tile.begin .. tile.end of the batch to `input`.
  virtual void load(Tile tile, View<T> input) = 0;
  // Writes the gradient of the loss of these rows; false when a loss is not finite.
  virtual bool loss(Tile tile, View<const T> prediction, View<T> gradient) = 0;
};

template <class T>
class Machine {
 public:
  Machine(const Network<T>& network, const PlanOptions& options, int threads);

  Plan<T>& plan() { return plan_; }
  int threads() const { return threads_; }
  View<T> value(int number) const { return values_[static_cast<std::size_t>(number)]; }
  View<T> gradient(int number) const { return gradients_[static_cast<std::size_t>(number)]; }

  // What the threads share while a team is running.
  struct Team {
    explicit Team(int threads) : barrier(threads), even(threads), odd(threads) {}
    Barrier barrier;
    TaskQueue even, odd;
    std::atomic<bool> hurry{false};     // skip what is left of the step
    std::atomic<bool> bad_loss{false};
  };

  // The calling thread's view of this machine.
  Context<T> context(int thread, bool training, std::ptrdiff_t rows, std::uint64_t seed, std::uint64_t step, const Update<T>* update);

  // All threads of a team call these together; each ends with a meeting. `tick` runs between the tasks of thread 0.
  template <class Tick>
  void run(std::span<const Phase<T>> phases, const Context<T>& context, Team& team, int& parity, BatchHooks<T>& hooks, Tick&& tick) {
    for (const Phase<T>& phase : phases) {
      for (Op<T>* op : phase.combine) op->combine(context);
      for (Op<T>* op : phase.combine_backward) op->combine_backward(context);
      const int tasks = phase.tasks_of ? (phase.backward_tasks ? phase.tasks_of->backward_tasks(context.rows) : phase.tasks_of->forward_tasks(context.rows))
                                       : tile_count(context.rows);
      share(tasks, context.thread, team, parity, [&](int task) {
        if (context.thread == 0) tick();
        if (team.hurry.load(std::memory_order_relaxed)) return;
        if (phase.tasks_of) {
          if (phase.backward_tasks) phase.tasks_of->backward_task(context, task);
          else phase.tasks_of->forward_task(context, task);
        } else {
          run_tile(phase, context, tile(task, context.rows), team, hooks);
        }
      });
    }
  }
  // Weight gradients (and the update where it is fused); `extra` is one more task, run by one thread.
  template <class Tick, class Extra>
  void run_weights(const Context<T>& context, Team& team, int& parity, Tick&& tick, Extra&& extra) {
    share(1 + weight_tasks_, context.thread, team, parity, [&](int task) {
      if (context.thread == 0) tick();
      if (task == 0) extra();
      else run_weight_task(context, task - 1);
    });
  }
  // After the parameters changed other than by a fused update.
  void run_refresh(int thread, Team& team, int& parity);
  void refresh();

  template <class F>
  void share(int tasks, int thread, Team& team, int& parity, F&& f) {
    TaskQueue& queue = parity == 0 ? team.even : team.odd;
    TaskQueue& used = parity == 0 ? team.odd : team.even;
    queue.take_all(thread, tasks, f);
    team.barrier.wait([&] { used.reset(); });
    parity ^= 1;
  }

 private:
  int tile_count(std::ptrdiff_t rows) const { return static_cast<int>((rows + plan_.tile_rows() - 1) / plan_.tile_rows()); }
  Tile tile(int index, std::ptrdiff_t rows) const {
    const std::ptrdiff_t begin = index * plan_.tile_rows();
    return {begin, std::min(rows, begin + plan_.tile_rows()), index};
  }
  void run_tile(const Phase<T>& phase, const Context<T>& context, Tile tile, Team& team, BatchHooks<T>& hooks);
  void run_weight_task(const Context<T>& context, int task);

  Plan<T> plan_;
  int threads_;
  Buffer<T> arena_;
  std::vector<Buffer<T>> scratch_;  // per thread
  std::vector<View<T>> values_, gradients_;
  int weight_tasks_ = 0, refresh_tasks_ = 0;
};

extern template class Machine<float>;
extern template class Machine<double>;

}  // namespace deltarule::engine
