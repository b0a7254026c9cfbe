// The loop over batches that a team of threads goes through together. Its memory is kept from call to call.
#pragma once

#include <deltarule/custom.h>
#include <deltarule/engine/team.h>
#include <deltarule/trainer.h>
#include <chrono>

#include "second_order/lbfgs.h"
#include "second_order/natural_gradient.h"
#include "second_order/output_root.h"
#include "team_size.h"

namespace deltarule {

template <class T>
class Trainer<T>::Run final : public engine::BatchHooks<T> {
 public:
  // Room for so many threads; the plan says how many go over the row tiles.
  Run(Trainer& trainer, const engine::PlanOptions& plan, int threads);

  engine::Machine<T>& machine() { return machine_; }
  // Steps first .. last - 1 of an epoch over these rows, in this order (null: as they lie). True when poll
  // asked to stop. Throws NonFiniteError. `all` steps make the epoch; 0: these are not of an epoch.
  bool steps(const Data<T>& data, const std::uint32_t* order, const std::function<bool()>* poll,
             std::ptrdiff_t first, std::ptrdiff_t last, std::int64_t epoch, std::ptrdiff_t all);
  std::ptrdiff_t done() const { return done_; }
  double last_rate() const { return rate_; }
  // Why the rule ended training by itself; empty where it did not.
  std::string stop_reason() const { return end_ == End::converged ? lbfgs_->reason() : ""; }

  void load(const engine::Tile& tile, engine::View<T> input) override;
  bool loss(const engine::Tile& tile, engine::View<const T> prediction, engine::View<T> gradient) override;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr int no_op = 1 << 30;
  enum class End { finished, stopped, converged, failed, bad_loss, bad_gradient, bad_weight };
  // What threads do at one time; they share the tasks of a stage.
  enum class Stage {
    first_refresh,
    tiles,
    row_norms,
    descent,  // of one thread, with the weights' gradients
    weights,
    adjust,
    fisher_loss,  // the Fisher matrices: gradients of the outputs, on their way back, and what they amount to
    fisher_backward,
    fisher_rows,
    factors,
    inverses,
    solve_inputs,
    solve_outputs,
    scale,
    apply,
    pass,
    constrain,
    average,
    refresh
  };
  End run(std::ptrdiff_t first, std::ptrdiff_t last, bool polling);
  void prepare(std::ptrdiff_t step);
  void run_task(int thread, int task);
  void do_task(int thread, int task);
  void run_rule();
  engine::Context<T> context(int thread) {
    return machine_.context(thread, true, rows_, trainer_.seed_, step_number_, &update_);
  }
  // Rows of the batch with their predictions, as losses and metrics take them.
  LossRows<T> batch_rows(engine::View<const T> prediction, std::ptrdiff_t begin, std::ptrdiff_t count) const;
  void complete();  // by one thread, when a stage's tasks are done
  void enter(Stage stage);
  void end_step();
  void time_steps();
  void leave(End end);
  // Steps of several evaluations: second_order/whole_steps.cpp.
  bool searching() const { return lbfgs_ && lbfgs_->searching(); }
  bool begins_where_it_was(std::ptrdiff_t first);
  void evaluated(double loss);
  double objective() const;
  // Steps along natural gradients: second_order/natural_steps.cpp.
  void set_up_natural(int threads);
  void begin_natural();
  void complete_natural();
  int natural_tasks() const;
  void natural_task(int thread, int task);
  void fisher_loss(int thread, const engine::Tile& tile);
  engine::Tile tile(int task) const {
    const std::ptrdiff_t rows = machine_.plan().tile_rows();
    return {task * rows, std::min(rows_, (task + 1) * rows), task};
  }
  int tiles() const { return machine_.plan().tiles(rows_); }
  std::string layer_of_bad_gradient() const;
  // The update apart from the gradient's computation: training_update.cpp.
  struct Piece {
    const TensorSettings* tensor;
    std::ptrdiff_t begin, end;  // of the flat buffer
  };
  struct Columns {
    const TensorSettings* tensor;
    std::ptrdiff_t begin, end;
  };
  void cut();
  void clip_rows(const engine::Tile& tile, const engine::Context<T>& context);
  void adjust(std::size_t task);
  void scale(const Piece& piece);
  void apply(const Piece& piece);
  // A task of a rule on whole parameters.
  struct TensorTask {
    std::size_t tensor;
    int task;
  };
  void plan_passes();
  void run_pass(int thread, const TensorTask& task);
  void constrain(const Columns& columns);
  void fail(const TensorSettings& tensor);
  void fold_adjusted();
  void mix(std::ptrdiff_t i, T* input);
  std::ptrdiff_t place(std::ptrdiff_t i) const {
    return data_.at(order_ ? static_cast<std::ptrdiff_t>(order_[begin_ + i]) : begin_ + i);
  }
  int tasks_of_stage() const;
  const std::vector<engine::Phase<T>>& tile_phases() const {
    return descends_ ? machine_.plan().ascent_phases() : machine_.plan().step_phases();
  }
  void poll();
  void count_in(engine::View<const T> prediction);
  std::string first_bad_layer();
  const T* row(std::ptrdiff_t i) const { return data_.x + place(i) * width_; }
  // Of row i of the batch; null where there are none.
  const T* target(std::ptrdiff_t i) const {
    if (!data_.target) return nullptr;
    return in_place_ ? data_.target + (begin_ + i) * target_width_ : targets_.data() + i * target_width_;
  }
  const std::int32_t* label(std::ptrdiff_t i) const {
    if (!data_.label) return nullptr;
    return in_place_ ? data_.label + begin_ + i : labels_.data() + i;
  }

  struct TensorMemory {
    engine::Buffer<T> scratch;
    std::vector<double> sums;
  };
  struct Snapshot {
    engine::Buffer<T> parameters, statistics;
    std::vector<engine::Buffer<T>> states, layer_states;
    std::vector<double> sums;
    std::int64_t step = 0, averaged = 0;
  };
  // Puts the point that is trained at in place of the weights, and back however training ends.
  struct Exchange {
    explicit Exchange(Run& r) : run(r) { run.exchange(); }
    ~Exchange() { run.exchange(); }
    Exchange(const Exchange&) = delete;
    Exchange& operator=(const Exchange&) = delete;
    Run& run;
  };
  void exchange();
  void take_snapshot();
  void restore_snapshot();

  Trainer& trainer_;
  engine::Machine<T> machine_;
  Data<T> data_{};
  const std::uint32_t* order_ = nullptr;
  bool in_place_ = false;  // the rows of the batch are read where they lie
  std::ptrdiff_t batch_, width_, outputs_, target_width_;
  std::int32_t ignored_;       // label of rows that count as absent
  bool some_ignored_ = false;  // whether there are any
  const std::function<bool()>* poll_ = nullptr;
  engine::Phases phases_;
  engine::TeamSize team_size_;
  int untimed_ = 0;  // steps
  Clock::time_point timed_until_{};
  Snapshot snapshot_;

  // The step under way; written by the one thread that completes a stage.
  Stage stage_ = Stage::tiles;
  std::size_t phase_ = 0;  // of the plan, in Stage::tiles
  bool descends_ = false;
  std::ptrdiff_t step_ = 0, last_ = 0, all_ = 0, partner_ = 0;
  std::int64_t epoch_ = 0;
  double factor_ = 1;  // of clip_norm
  double penalty_ = 0;
  std::ptrdiff_t begin_ = 0, rows_ = 0, done_ = 0;
  double rate_ = 0, scale_ = 1;
  engine::Update<T> update_{};
  T average_rate_ = 0;
  bool averages_apart_ = false;  // after a constraint, not with the update
  struct Kind {
    Values values;
    double learning_rate_factor;
    bool operator==(const Kind&) const = default;
  };
  std::vector<Kind> kinds_;
  std::vector<Values> constants_;
  std::vector<engine::TensorConstants> tensor_constants_;
  std::vector<Piece> pieces_;
  std::vector<std::vector<TensorTask>> passes_;  // of a rule on whole parameters
  std::vector<TensorMemory> tensor_memory_;
  std::vector<engine::Buffer<T>> tensor_workspaces_;  // one per thread
  std::size_t pass_ = 0;
  std::vector<Columns> columns_;
  std::uint64_t step_number_ = 0;
  std::atomic<int> failed_op_{0};
  End end_ = End::finished;
  engine::FirstError error_;  // of functions from outside the catalogue
  const custom::Rule<T>* rule_ = nullptr;

  std::atomic<bool> asked_{false}, bad_loss_{false};
  bool polling_ = false;
  std::exception_ptr poll_error_{};
  Clock::time_point next_poll_{}, last_look_{}, last_end_{};
  int look_every_ = 1, unlooked_ = 0;  // tasks from look to look at the clock, and until the next

  std::optional<second_order::NaturalGradient<T>> natural_;
  std::vector<second_order::OutputRoot> roots_;   // per thread
  std::vector<std::vector<double>> root_memory_;  // per thread: prediction, target, gradient of a row
  std::optional<second_order::Lbfgs<T>> lbfgs_;
  std::uint64_t fingerprint_ = 0;  // of the data that lbfgs_ has seen
  std::vector<T> seen_statistics_;
  bool random_ = false;  // whether steps differ by random numbers

  std::vector<std::int32_t> labels_;
  std::vector<double> losses_, norms_, penalties_, row_norms_;
  engine::Buffer<T> targets_, weights_;
};

}  // namespace deltarule
