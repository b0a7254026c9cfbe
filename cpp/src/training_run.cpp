#include "training_run.h"

#include <deltarule/engine/cache.h>
#include <deltarule/subnormals.h>
#include <algorithm>
#include <cmath>

#include "contention.h"

namespace deltarule {

template <class T>
Trainer<T>::Run::Run(Trainer& trainer, const engine::PlanOptions& plan, int threads)
    : trainer_(trainer),
      machine_(trainer.network_, plan, threads),
      batch_(plan.max_rows),
      width_(trainer.network_.input_width()),
      outputs_(trainer.network_.output_width()),
      target_width_(outputs_ / loss_kernel<T>(trainer.loss_.index).outputs_per_target),
      ignored_(loss_kernel<T>(trainer.loss_.index).ignored(trainer.loss_.values)),
      phases_(threads),
      losses_(static_cast<std::size_t>(batch_)) {
  labels_.resize(static_cast<std::size_t>(batch_));
  weights_ = engine::Buffer<T>(static_cast<std::size_t>(batch_));
  update_.kernel = &update_kernel<T>(trainer.optimizer_.index);
  if (trainer.optimizer_.entry->reach == Reach::network)
    lbfgs_.emplace(trainer.optimizer_.values,
                   std::span(trainer.states_).first(static_cast<std::size_t>(trainer.rule_states_)),
                   trainer.network_.parameters(), trainer.network_.gradients());
  update_.states = lbfgs_ ? 0 : trainer.rule_states_;
  update_.keep_statistics = !lbfgs_;
  update_.fused = !trainer.updates_separately();
  if (custom::is_custom(trainer.optimizer_.index)) rule_ = &custom::rule<T>(trainer.optimizer_.index);
  update_.parameters = trainer.network_.parameters().data();
  // A cache hands over fast enough, and what is fetched pushes out what products read.
  update_.uncached =
      trainer.network_.parameters().size_bytes() * static_cast<std::size_t>(1 + update_.states) >
      engine::beyond_caches;
  if (!update_.fused) update_.gradients = trainer.network_.gradients().data();
  for (std::size_t i = 0; i < static_cast<std::size_t>(update_.states); ++i)
    update_.state[i] = trainer.states_[i].data();
  update_.failed_op = &failed_op_;
  for (const TensorSettings& t : trainer.tensors_) {
    const Kind kind{t.values, t.learning_rate_factor};
    const auto known = std::ranges::find(kinds_, kind);
    tensor_constants_.push_back({t.offset, static_cast<std::size_t>(known - kinds_.begin())});
    if (known == kinds_.end()) kinds_.push_back(kind);
  }
  if (kinds_.empty()) kinds_.push_back({trainer.optimizer_.values, 1});  // nothing to train
  constants_.resize(kinds_.size());
  update_.constants = constants_;
  if (kinds_.size() > 1) update_.tensors = tensor_constants_;
  cut();
  plan_passes();
  if (trainer.optimizer_.entry->reach == Reach::layer) set_up_natural(threads);
  seen_statistics_.resize(trainer.network_.statistics().size());
  for (const auto& op : machine_.plan().ops()) random_ = random_ || op->draws();
  averages_apart_ = trainer.averages() && (!columns_.empty() || lbfgs_ || rule_ || update_.kernel->whole);
  if (trainer.averages() && !averages_apart_) update_.average = trainer.states_.back().data();
  if (trainer.control_.dp_clip_norm) row_norms_.resize(static_cast<std::size_t>(batch_));
}

template <class T>
void Trainer<T>::Run::prepare(std::ptrdiff_t step) {
  begin_ = step * batch_;
  rows_ = std::min(batch_, data_.rows - begin_);
  double weight = static_cast<double>(rows_);
  if (data_.weight || some_ignored_) {
    weight = 0;
    for (std::ptrdiff_t i = 0; i < rows_; ++i) {
      const auto at = place(i);
      if (data_.weight) weights_.data()[i] = data_.weight[at];
      if (some_ignored_ && data_.label[at] == ignored_) continue;
      weight += data_.weight ? static_cast<double>(data_.weight[at]) : 1.0;
    }
  }
  scale_ = weight > 0 ? 1 / weight : 0;
  step_number_ = static_cast<std::uint64_t>(trainer_.step_);
  rate_ = trainer_.learning_rate();
  for (std::size_t i = 0; i < kinds_.size(); ++i)
    constants_[i] = update_.kernel->prepare(kinds_[i].values, rate_ * kinds_[i].learning_rate_factor,
                                            static_cast<double>(trainer_.step_ + 1));
  average_rate_ = 0;
  const TrainingControl& control = trainer_.control_;
  if (control.ema_decay) average_rate_ = static_cast<T>(trainer_.averaged_ == 0 ? 1 : 1 - *control.ema_decay);
  if (control.swa_start && all_ > 0 && step + 1 == all_ && epoch_ >= *control.swa_start)
    average_rate_ = static_cast<T>(1 / static_cast<double>(trainer_.averaged_ + 1));
  update_.average_rate = average_rate_;
  // A row's partner in mixup is as many rows further on.
  partner_ = 0;
  if (control.mixup > 0 && rows_ > 1) {
    engine::PhiloxSequence random(engine::philox_key(trainer_.seed_, engine::Stream::mixup, 0), step_number_);
    partner_ = 1 + static_cast<std::ptrdiff_t>(random.below(static_cast<std::uint32_t>(rows_ - 1)));
  }
  // Rows whole pages apart share sets of the first cache; those that are loaded do not.
  const bool share_sets = width_ * static_cast<std::ptrdiff_t>(sizeof(T)) % 4096 == 0;
  in_place_ = !order_ && !data_.index && partner_ == 0 && !share_sets;
  machine_.read_input(in_place_ ? data_.x + begin_ * width_ : nullptr);
  failed_op_.store(no_op, std::memory_order_relaxed);
  if (lbfgs_) lbfgs_->begin(rate_);
}

template <class T>
typename Trainer<T>::Run::End Trainer<T>::Run::run(std::ptrdiff_t first, std::ptrdiff_t last, bool polling) {
  if (first >= last) return end_ = End::finished;
  step_ = first;
  last_ = last;
  polling_ = polling && poll_ && *poll_;
  const auto begin = Clock::now();
  next_poll_ = begin + std::chrono::milliseconds(10);
  asked_.store(false);
  bad_loss_.store(false);
  prepare(first);
  phase_ = 0;
  if (begins_where_it_was(first)) {
    const auto prediction = machine_.value(machine_.plan().output_slot().value);
    count_in({prediction.data, prediction.row});
    if (scale_ > 0) trainer_.sums_[0] += penalty_ / scale_;
    if (lbfgs_->observe(lbfgs_->loss()) == second_order::Lbfgs<T>::Next::converged)
      return end_ = End::converged;
  }
  stage_ = machine_.refresh_tasks() > 0 ? Stage::first_refresh : Stage::tiles;
  int threads =
      std::min(machine_.threads(), trainer_.useful_threads(machine_.plan(), batch_, engine::threads()));
  // Threads that sleep take as long to wake as a small step takes alone; soon after a step they are awake.
  constexpr double flops_to_wake = 8e6;
  if (begin - last_end_ > std::chrono::microseconds(50) &&
      machine_.plan().flops(batch_) * static_cast<double>(last - first) < flops_to_wake)
    threads = 1;
  // Where steps take long, threads pay.
  constexpr double flops_to_time = 5e7;
  const bool small = threads > 1 && machine_.plan().flops(batch_) < flops_to_time * threads;
  int pay = threads;
  if (small) {
    team_size_.limit(threads);
    pay = team_size_.threads(begin);
    // Many steps are timed with one number after the other.
    if (!team_size_.timing() || last - first < 16) threads = pay;
  }
  timed_until_ = small && team_size_.timing() ? begin : Clock::time_point{};
  untimed_ = 0;
  threads = engine::uncontended(threads);
  descends_ = threads == 1 && update_.fused && !machine_.plan().descent_phases().empty();
  phases_.start(threads, tasks_of_stage());
  phases_.limit(pay);
  engine::run_team(threads, [&](int t) {
    // Moments of units that are silent, and gradients of a loss that vanishes, decay into subnormal numbers.
    const FlushSubnormals flush;
    phases_.work(t, [&](int task) { run_task(t, task); }, [&] { complete(); });
  });
  // The others had nothing left to do but to wake up and leave.
  const auto end = Clock::now();
  engine::waited_for_core(end - last_end_);
  if (timed_until_ != Clock::time_point{}) team_size_.passed(untimed_ + 1, end - timed_until_, end);
  last_end_ = end;
  return end_;
}

template <class T>
bool Trainer<T>::Run::steps(const Data<T>& data, const std::uint32_t* order,
                            const std::function<bool()>* poll, std::ptrdiff_t first, std::ptrdiff_t last,
                            std::int64_t epoch, std::ptrdiff_t all) {
  data_ = data;
  order_ = order;
  some_ignored_ = false;
  if (data.label && ignored_ != no_label)
    for (std::ptrdiff_t i = 0; i < data.rows && !some_ignored_; ++i)
      some_ignored_ = data.label[data.at(i)] == ignored_;
  poll_ = poll;
  done_ = 0;
  epoch_ = epoch;
  all_ = all;
  if (data.target && targets_.size() == 0)
    targets_ = engine::Buffer<T>(static_cast<std::size_t>(batch_ * target_width_));
  // Training gives the same bits every time, so the state before a bad step is had by going through the steps
  // again.
  const Exchange exchange(*this);
  if (!lbfgs_) take_snapshot();
  const End end = run(first, last, true);
  const std::exception_ptr thrown = std::exchange(poll_error_, nullptr);
  if (end == End::failed) error_.rethrow();
  if (end == End::finished || end == End::stopped || end == End::converged) {
    if (thrown) std::rethrow_exception(thrown);
    return end == End::stopped;
  }

  std::string layer;
  std::ptrdiff_t bad = first + done_;
  if (end == End::bad_loss) {
    layer = first_bad_layer();
  } else if (end == End::bad_gradient) {
    layer = layer_of_bad_gradient();
  } else {
    --bad;
    for (const auto& op : machine_.plan().ops())
      if (op->number == failed_op_.load()) layer = op->layer;
    restore_snapshot();
    done_ = 0;
    run(first, bad, false);
  }
  const std::string what = end == End::bad_loss       ? "the loss is not finite"
                           : end == End::bad_gradient ? "the gradient is not finite"
                                                      : "a weight is not finite any more";
  const std::string where = layer.empty()          ? ""
                            : end == End::bad_loss ? "; first seen in the output of layer '" + layer + "'"
                                                   : "; in layer '" + layer + "'";
  throw NonFiniteError("training stopped: " + what + " in epoch " + std::to_string(epoch + 1) + ", step " +
                           std::to_string(bad + 1) + where +
                           ". The weights are those of the last finite step. Try a lower learning_rate, "
                           "clip_norm, or standardised inputs" +
                           (trainer_.step_ == 0 ? ", and look for NaN and infinity in the data." : "."),
                       epoch, bad, layer);
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
