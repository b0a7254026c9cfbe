#include "training_run.h"

#include <deltarule/metrics.h>
#include <algorithm>
#include <cmath>

namespace deltarule {
namespace {

constexpr int no_op = 1 << 30;
constexpr std::ptrdiff_t chunk = 16384;  // elements of a task of a separate update

}  // namespace

template <class T>
Trainer<T>::Run::Run(Trainer& trainer, std::ptrdiff_t batch, int threads)
    : trainer_(trainer),
      machine_(trainer.network_, {.max_rows = batch, .training = true}, threads),
      batch_(batch),
      width_(trainer.network_.input_width()),
      outputs_(trainer.network_.output_width()),
      target_width_(outputs_ / loss_kernel<T>(trainer.loss_.index).outputs_per_target),
      ignored_(loss_kernel<T>(trainer.loss_.index).ignored(trainer.loss_.values)),
      phases_(threads),
      losses_(static_cast<std::size_t>(batch)) {
  labels_.resize(static_cast<std::size_t>(batch));
  weights_ = engine::Buffer<T>(static_cast<std::size_t>(batch));
  update_.kernel = &update_kernel<T>(trainer.optimizer_.index);
  update_.states = static_cast<int>(trainer.states_.size());
  update_.fused = !trainer.clip_norm_ && !trainer.clip_value_;
  update_.parameters = trainer.network_.parameters().data();
  if (!update_.fused) update_.gradients = trainer.network_.gradients().data();
  for (std::size_t i = 0; i < trainer.states_.size(); ++i) update_.state[i] = trainer.states_[i].data();
  update_.failed_op = &failed_op_;
  if (trainer.clip_norm_) norms_.assign((trainer.network_.parameters().size() + chunk - 1) / chunk, 0.0);
}

template <class T>
void Trainer<T>::Run::prepare(std::ptrdiff_t step) {
  begin_ = step * batch_;
  rows_ = std::min(batch_, data_.rows - begin_);
  double weight = static_cast<double>(rows_);
  if (data_.weight || some_ignored_) {
    weight = 0;
    for (std::ptrdiff_t i = 0; i < rows_; ++i) {
      const auto at = order_ ? static_cast<std::ptrdiff_t>(order_[begin_ + i]) : begin_ + i;
      if (data_.weight) weights_.data()[i] = data_.weight[at];
      if (some_ignored_ && data_.label[at] == ignored_) continue;
      weight += data_.weight ? static_cast<double>(data_.weight[at]) : 1.0;
    }
  }
  scale_ = weight > 0 ? 1 / weight : 0;
  step_number_ = static_cast<std::uint64_t>(trainer_.step_);
  rate_ = trainer_.learning_rate();
  update_.constants =
      update_.kernel->prepare(trainer_.optimizer_.values, rate_, static_cast<double>(trainer_.step_ + 1));
  failed_op_.store(no_op, std::memory_order_relaxed);
}

template <class T>
void Trainer<T>::Run::load(engine::Tile tile, engine::View<T> input) {
  for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
    std::copy_n(row(i), width_, input.at(i));
    const auto at = order_ ? static_cast<std::ptrdiff_t>(order_[begin_ + i]) : begin_ + i;
    if (data_.label) labels_[static_cast<std::size_t>(i)] = data_.label[at];
    if (data_.target)
      std::copy_n(data_.target + at * target_width_, target_width_, targets_.data() + i * target_width_);
  }
}

template <class T>
bool Trainer<T>::Run::loss(engine::Tile tile, engine::View<const T> prediction, engine::View<T> gradient) {
  const LossRows<T> rows{static_cast<std::size_t>(tile.rows()),
                         static_cast<std::size_t>(outputs_),
                         prediction.at(tile.begin),
                         prediction.row,
                         data_.target ? targets_.data() + tile.begin * target_width_ : nullptr,
                         target_width_,
                         data_.label ? labels_.data() + tile.begin : nullptr,
                         data_.weight ? weights_.data() + tile.begin : nullptr,
                         ignored_};
  double* losses = losses_.data() + tile.begin;
  loss_kernel<T>(trainer_.loss_.index)
      .run(trainer_.loss_.values, rows, scale_, losses, gradient.at(tile.begin), gradient.row);
  double sum = 0;
  for (std::ptrdiff_t i = 0; i < tile.rows(); ++i) sum += losses[i];
  return std::isfinite(sum);
}

template <class T>
void Trainer<T>::Run::count_in(engine::View<const T> prediction) {
  const LossRows<T> rows{static_cast<std::size_t>(rows_),
                         static_cast<std::size_t>(outputs_),
                         prediction.data,
                         prediction.row,
                         data_.target ? targets_.data() : nullptr,
                         target_width_,
                         data_.label ? labels_.data() : nullptr,
                         data_.weight ? weights_.data() : nullptr,
                         ignored_};
  trainer_.add_up(rows, losses_.data(), trainer_.sums_);
}

template <class T>
int Trainer<T>::Run::chunks() const {
  return static_cast<int>((static_cast<std::ptrdiff_t>(trainer_.network_.parameters().size()) + chunk - 1) /
                          chunk);
}

template <class T>
int Trainer<T>::Run::tasks_of_stage() const {
  switch (stage_) {
    case Stage::first_refresh:
    case Stage::refresh:
      return machine_.refresh_tasks();
    case Stage::tiles:
      return machine_.tasks(machine_.plan().step_phases()[phase_], rows_);
    case Stage::weights:
      return 1 + machine_.weight_tasks();
    case Stage::clip_values:
    case Stage::norms:
    case Stage::apply:
      return chunks();
  }
  return 0;
}

template <class T>
void Trainer<T>::Run::poll() {
  if (!polling_ || asked_.load(std::memory_order_relaxed)) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_poll_) return;
  next_poll_ = now + std::chrono::milliseconds(10);
  if ((*poll_)()) asked_.store(true, std::memory_order_relaxed);
}

template <class T>
void Trainer<T>::Run::run_task(int thread, int task) {
  if (thread == 0) poll();
  const auto size = static_cast<std::ptrdiff_t>(trainer_.network_.parameters().size());
  const std::ptrdiff_t begin = task * chunk, end = std::min(size, begin + chunk);
  T* gradients = update_.gradients;
  switch (stage_) {
    case Stage::first_refresh:
    case Stage::refresh:
      machine_.run_refresh_task(task);
      break;
    case Stage::tiles:
      // Before the weights change a step can still be dropped: what is left of it is skipped.
      if (asked_.load(std::memory_order_relaxed)) break;
      if (!machine_.run_task(machine_.plan().step_phases()[phase_],
                             machine_.context(thread, true, rows_, trainer_.seed_, step_number_, &update_),
                             task, *this))
        bad_loss_.store(true, std::memory_order_relaxed);
      break;
    case Stage::weights: {
      const auto prediction = machine_.value(machine_.plan().output_slot().value);
      if (task == 0)
        count_in({prediction.data, prediction.row});
      else
        machine_.run_weight_task(
            machine_.context(thread, true, rows_, trainer_.seed_, step_number_, &update_), task - 1);
      break;
    }
    case Stage::clip_values: {
      const T limit = static_cast<T>(*trainer_.clip_value_);
      for (std::ptrdiff_t i = begin; i < end; ++i) gradients[i] = std::clamp(gradients[i], -limit, limit);
      break;
    }
    case Stage::norms: {
      double sum = 0;
      for (std::ptrdiff_t i = begin; i < end; ++i)
        sum += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
      norms_[static_cast<std::size_t>(task)] = sum;
      break;
    }
    case Stage::apply:
      apply_chunk(task);
      break;
  }
}

template <class T>
void Trainer<T>::Run::apply_chunk(int task) {
  const auto size = static_cast<std::ptrdiff_t>(trainer_.network_.parameters().size());
  const std::ptrdiff_t begin = task * chunk, end = std::min(size, begin + chunk);
  T* gradients = update_.gradients;
  if (factor_ != 1)
    for (std::ptrdiff_t i = begin; i < end; ++i)
      gradients[i] = static_cast<T>(static_cast<double>(gradients[i]) * factor_);
  if (update_.apply(begin, 1, end - begin, end - begin, gradients + begin, end - begin)) return;
  for (const Tensor& t : trainer_.network_.tensors()) {  // the layer of the first bad number
    if (!t.trained() || t.offset + t.size() <= begin || t.offset >= end) continue;
    const auto from = std::max(begin, t.offset), to = std::min(end, t.offset + t.size());
    const T* w = trainer_.network_.parameters().data();
    if (std::all_of(w + from, w + to, [](T x) { return std::isfinite(x); })) continue;
    for (const auto& op : machine_.plan().ops())
      if (op->layer == t.layer) return update_.fail(op->number);
  }
}

template <class T>
void Trainer<T>::Run::leave(End end) {
  end_ = end;
  phases_.finish();
}

// Stages without tasks are passed over.
template <class T>
void Trainer<T>::Run::enter(Stage stage) {
  stage_ = stage;
  if (stage == Stage::tiles)
    machine_.combine(machine_.plan().step_phases()[phase_],
                     machine_.context(0, true, rows_, trainer_.seed_, step_number_, &update_));
  if (const int tasks = tasks_of_stage(); tasks > 0)
    phases_.open(tasks);
  else
    complete();
}

template <class T>
void Trainer<T>::Run::complete() {
  switch (stage_) {
    case Stage::first_refresh:
      phase_ = 0;
      return enter(Stage::tiles);
    case Stage::tiles:
      if (++phase_ < machine_.plan().step_phases().size()) return enter(Stage::tiles);
      if (asked_.load()) return leave(End::stopped);
      if (bad_loss_.load()) return leave(End::bad_loss);
      return enter(Stage::weights);
    case Stage::weights:
      if (update_.fused) return end_step();
      factor_ = 1;
      if (trainer_.clip_value_) return enter(Stage::clip_values);
      [[fallthrough]];
    case Stage::clip_values:
      if (trainer_.clip_norm_) return enter(Stage::norms);
      return enter(Stage::apply);
    case Stage::norms: {
      double sum = 0;
      for (const double s : norms_) sum += s;
      const double norm = std::sqrt(sum);
      if (norm > *trainer_.clip_norm_) factor_ = *trainer_.clip_norm_ / norm;
      return enter(Stage::apply);
    }
    case Stage::apply:
      return enter(Stage::refresh);
    case Stage::refresh:
      return end_step();
  }
}

template <class T>
void Trainer<T>::Run::end_step() {
  ++trainer_.step_;
  ++done_;
  if (failed_op_.load(std::memory_order_relaxed) != no_op) return leave(End::bad_weight);
  if (asked_.load()) return leave(End::stopped);
  if (++step_ == last_) return leave(End::finished);
  prepare(step_);
  phase_ = 0;
  enter(Stage::tiles);
}

template <class T>
typename Trainer<T>::Run::End Trainer<T>::Run::run(std::ptrdiff_t first, std::ptrdiff_t last, bool polling) {
  if (first >= last) return end_ = End::finished;
  step_ = first;
  last_ = last;
  polling_ = polling && poll_ && *poll_;
  next_poll_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(10);
  asked_.store(false);
  bad_loss_.store(false);
  prepare(first);
  phase_ = 0;
  stage_ = machine_.refresh_tasks() > 0 ? Stage::first_refresh : Stage::tiles;
  const int threads = std::min(machine_.threads(), machine_.plan().useful_threads(batch_, engine::threads()));
  phases_.start(threads, tasks_of_stage());
  engine::run_team(
      threads, [&](int t) { phases_.work(t, [&](int task) { run_task(t, task); }, [&] { complete(); }); });
  return end_;
}

template <class T>
void Trainer<T>::Run::exchange() {
  const int other = update_.kernel->exchanged;
  if (other >= 0 && trainer_.step_ > 0)  // before the first step both are the same
    std::ranges::swap_ranges(trainer_.network_.parameters(),
                             trainer_.states_[static_cast<std::size_t>(other)].span());
}

template <class T>
void Trainer<T>::Run::take_snapshot() {
  const auto copy = [](std::span<const T> from, engine::Buffer<T>& to) {
    if (to.size() != from.size()) to = engine::Buffer<T>(from.size());
    std::copy(from.begin(), from.end(), to.data());
  };
  copy(trainer_.network_.parameters(), snapshot_.parameters);
  copy(trainer_.network_.statistics(), snapshot_.statistics);
  snapshot_.states.resize(trainer_.states_.size());
  for (std::size_t i = 0; i < trainer_.states_.size(); ++i)
    copy(trainer_.states_[i].span(), snapshot_.states[i]);
  snapshot_.sums = trainer_.sums_;
  snapshot_.step = trainer_.step_;
}

template <class T>
void Trainer<T>::Run::restore_snapshot() {
  std::ranges::copy(snapshot_.parameters.span(), trainer_.network_.parameters().begin());
  std::ranges::copy(snapshot_.statistics.span(), trainer_.network_.statistics().begin());
  for (std::size_t i = 0; i < snapshot_.states.size(); ++i)
    std::ranges::copy(snapshot_.states[i].span(), trainer_.states_[i].data());
  trainer_.sums_ = snapshot_.sums;
  trainer_.step_ = snapshot_.step;
}

template <class T>
std::string Trainer<T>::Run::first_bad_layer() {
  for (const auto& op : machine_.plan().ops()) {
    const auto view = machine_.value(op->output);
    const auto columns = machine_.plan().value_columns()[static_cast<std::size_t>(op->output)];
    for (std::ptrdiff_t i = 0; i < rows_; ++i)
      for (std::ptrdiff_t j = 0; j < columns; ++j)
        if (!std::isfinite(view.at(i)[j])) return op->layer;
  }
  return {};
}

template <class T>
bool Trainer<T>::Run::steps(const Data<T>& data, const std::uint32_t* order,
                            const std::function<bool()>* poll, std::ptrdiff_t first, std::ptrdiff_t last,
                            std::int64_t epoch) {
  data_ = data;
  order_ = order;
  some_ignored_ = data.label && ignored_ != no_label &&
                  std::find(data.label, data.label + data.rows, ignored_) != data.label + data.rows;
  poll_ = poll;
  done_ = 0;
  if (data.target && targets_.size() == 0)
    targets_ = engine::Buffer<T>(static_cast<std::size_t>(batch_ * target_width_));
  // Training gives the same bits every time, so the state before a bad step is had by going through the steps
  // again.
  const Exchange exchange(*this);
  take_snapshot();
  const End end = run(first, last, true);
  if (end == End::finished || end == End::stopped) return end == End::stopped;

  std::string layer;
  std::ptrdiff_t bad = first + done_;
  if (end == End::bad_loss) {
    layer = first_bad_layer();
  } else {
    --bad;
    for (const auto& op : machine_.plan().ops())
      if (op->number == failed_op_.load()) layer = op->layer;
    restore_snapshot();
    done_ = 0;
    run(first, bad, false);
  }
  const std::string what =
      end == End::bad_loss ? "the loss is not finite" : "a weight is not finite any more";
  const std::string where = layer.empty()          ? ""
                            : end == End::bad_loss ? "; first seen in the output of layer '" + layer + "'"
                                                   : "; in layer '" + layer + "'";
  throw NonFiniteError("training stopped: " + what + " in epoch " + std::to_string(epoch + 1) + ", step " +
                           std::to_string(bad + 1) + where +
                           ". The weights are those of the last finite step. Try a lower learning_rate, "
                           "clip_norm, or standardised inputs.",
                       epoch, bad, layer);
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
