// What threads do at one time in a step, and what comes after it.
#include "training_run.h"

#include <algorithm>

namespace deltarule {

template <class T>
int Trainer<T>::Run::tasks_of_stage() const {
  switch (stage_) {
    case Stage::first_refresh:
    case Stage::refresh:
      return machine_.refresh_tasks();
    case Stage::tiles:
      return machine_.tasks(tile_phases()[phase_], rows_);
    case Stage::descent:
      return static_cast<int>(machine_.plan().descent_phases().size());
    case Stage::weights:
      return 1 + (descends_ ? 0 : machine_.weight_tasks());
    case Stage::row_norms:
      return tiles();
    case Stage::fisher_loss:
    case Stage::fisher_backward:
    case Stage::fisher_rows:
    case Stage::factors:
    case Stage::inverses:
    case Stage::solve_inputs:
    case Stage::solve_outputs:
      return natural_tasks();
    case Stage::apply:
      if (rule_) return 1;
      [[fallthrough]];
    case Stage::adjust:
    case Stage::scale:
    case Stage::average:
      return static_cast<int>(pieces_.size());
    case Stage::pass:
      return static_cast<int>(passes_[pass_].size());
    case Stage::constrain:
      return static_cast<int>(columns_.size());
  }
  return 0;
}

template <class T>
void Trainer<T>::Run::poll() {
  if (!polling_ || asked_.load(std::memory_order_relaxed)) return;
  // Small networks have tasks that take no longer than a look at the clock.
  if (unlooked_ > 0) {
    --unlooked_;
    return;
  }
  const auto now = Clock::now();
  look_every_ = now - last_look_ < std::chrono::microseconds(100) ? std::min(2 * look_every_, 64) : 1;
  unlooked_ = look_every_ - 1;
  last_look_ = now;
  if (now < next_poll_) return;
  next_poll_ = now + std::chrono::milliseconds(10);
  try {
    if (!(*poll_)()) return;
  } catch (...) {
    poll_error_ = std::current_exception();  // thrown again when the step is done or dropped, as a whole
  }
  asked_.store(true, std::memory_order_relaxed);
}

// What is left of a step in which something was thrown is skipped.
template <class T>
void Trainer<T>::Run::run_task(int thread, int task) {
  if (!error_.any()) error_.guard([&] { do_task(thread, task); });
}

template <class T>
void Trainer<T>::Run::do_task(int thread, int task) {
  if (thread == 0) poll();
  const auto at = static_cast<std::size_t>(task);
  switch (stage_) {
    case Stage::first_refresh:
    case Stage::refresh:
      machine_.run_refresh_task(task);
      break;
    case Stage::tiles:
      // Before the weights change a step can still be dropped: what is left of it is skipped.
      if (asked_.load(std::memory_order_relaxed)) break;
      if (!machine_.run_task(tile_phases()[phase_], context(thread), task, *this))
        bad_loss_.store(true, std::memory_order_relaxed);
      break;
    case Stage::descent:
      machine_.run_descent(task, context(thread), *this);
      break;
    case Stage::weights: {
      const auto prediction = machine_.value(machine_.plan().output_slot().value);
      if (task > 0)
        machine_.run_weight_task(context(thread), task - 1);
      else if (!searching())
        count_in({prediction.data, prediction.row});
      break;
    }
    case Stage::row_norms:
      clip_rows(tile(task), context(thread));
      break;
    case Stage::fisher_loss:
    case Stage::fisher_backward:
    case Stage::fisher_rows:
    case Stage::factors:
    case Stage::inverses:
    case Stage::solve_inputs:
    case Stage::solve_outputs:
      natural_task(thread, task);
      break;
    case Stage::adjust:
      adjust(at);
      break;
    case Stage::scale:
      scale(pieces_[at]);
      break;
    case Stage::apply:
      if (rule_)
        run_rule();
      else
        apply(pieces_[at]);
      break;
    case Stage::pass:
      run_pass(thread, passes_[pass_][at]);
      break;
    case Stage::constrain:
      constrain(columns_[at]);
      break;
    case Stage::average:
      engine::move_average(pieces_[at].end - pieces_[at].begin, average_rate_,
                           update_.parameters + pieces_[at].begin,
                           trainer_.states_.back().data() + pieces_[at].begin);
      break;
  }
}

template <class T>
void Trainer<T>::Run::leave(End end) {
  if (searching()) lbfgs_->withdraw();
  end_ = end;
  last_end_ = Clock::now();
  phases_.finish();
}

// Stages without tasks are passed over.
template <class T>
void Trainer<T>::Run::enter(Stage stage) {
  stage_ = stage;
  if (stage == Stage::tiles) error_.guard([&] { machine_.combine(tile_phases()[phase_], context(0)); });
  if (const int tasks = tasks_of_stage(); tasks > 0)
    phases_.open(tasks);
  else
    complete();
}

template <class T>
void Trainer<T>::Run::complete() {
  if (error_.any()) return leave(End::failed);
  switch (stage_) {
    case Stage::first_refresh:
      phase_ = 0;
      return enter(Stage::tiles);
    case Stage::tiles:
      if (++phase_ < tile_phases().size()) return enter(Stage::tiles);
      if (searching() && bad_loss_.exchange(false)) return evaluated(infinity);
      if (asked_.load()) return leave(End::stopped);
      if (bad_loss_.load()) return leave(End::bad_loss);
      if (descends_) return enter(Stage::descent);
      return enter(trainer_.control_.dp_clip_norm ? Stage::row_norms : Stage::weights);
    case Stage::descent:
    case Stage::row_norms:
      return enter(Stage::weights);
    case Stage::weights:
      return update_.fused ? end_step() : enter(Stage::adjust);
    case Stage::adjust:
      fold_adjusted();
      if (natural_) return begin_natural();
      if (lbfgs_) return evaluated(objective());
      pass_ = 0;
      return enter(passes_.empty() ? Stage::apply : factor_ != 1 ? Stage::scale : Stage::pass);
    case Stage::scale:
      return enter(Stage::pass);
    case Stage::pass:
      return enter(++pass_ < passes_.size() ? Stage::pass : Stage::constrain);
    case Stage::fisher_loss:
    case Stage::fisher_backward:
    case Stage::fisher_rows:
    case Stage::factors:
    case Stage::inverses:
    case Stage::solve_inputs:
    case Stage::solve_outputs:
      return complete_natural();
    case Stage::apply:
      return enter(Stage::constrain);
    case Stage::constrain:
      return enter(averages_apart_ && average_rate_ > 0 ? Stage::average : Stage::refresh);
    case Stage::average:
      return enter(Stage::refresh);
    case Stage::refresh:
      if (!searching()) return end_step();
      phase_ = 0;
      return enter(Stage::tiles);
  }
}

template <class T>
void Trainer<T>::Run::end_step() {
  ++trainer_.step_;
  ++done_;
  update_.keeping = false;
  if (average_rate_ > 0) ++trainer_.averaged_;
  if (failed_op_.load(std::memory_order_relaxed) != no_op) return leave(End::bad_weight);
  if (asked_.load()) return leave(End::stopped);
  if (++step_ == last_) return leave(End::finished);
  prepare(step_);
  phase_ = 0;
  if (++untimed_; timed_until_ != Clock::time_point{}) time_steps();
  enter(Stage::tiles);
}

// Every few microseconds, as long as it is of use.
template <class T>
void Trainer<T>::Run::time_steps() {
  const auto now = Clock::now();
  if (now - timed_until_ < std::chrono::microseconds(20)) return;
  team_size_.passed(untimed_, now - timed_until_, now);
  untimed_ = 0;
  timed_until_ = now;
  phases_.limit(team_size_.threads(now));
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
