#include "training_run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deltarule/metrics.h>
#include <deltarule/schedules.h>

namespace deltarule {
namespace {

constexpr int no_op = 1 << 30;
constexpr std::ptrdiff_t chunk = 16384;  // elements of a task of a separate update

}  // namespace

template <class T>
Trainer<T>::Run::Run(Trainer& trainer, engine::Machine<T>& machine, const Data<T>& data, const std::uint32_t* order, std::ptrdiff_t batch,
                     const std::function<bool()>& poll)
    : trainer_(trainer), machine_(machine), data_(data), order_(order), batch_(batch), width_(trainer.network_.input_width()),
      outputs_(trainer.network_.output_width()), poll_(poll), losses_(static_cast<std::size_t>(batch)) {
  if (data.label) labels_.resize(static_cast<std::size_t>(batch));
  if (data.target) targets_ = engine::Buffer<T>(static_cast<std::size_t>(batch * outputs_));
  if (data.weight) weights_ = engine::Buffer<T>(static_cast<std::size_t>(batch));
  update_.kernel = &update_kernel<T>(trainer.optimizer_.index);
  update_.states = static_cast<int>(trainer.states_.size());
  update_.fused = !trainer.clip_norm_ && !trainer.clip_value_;
  update_.parameters = trainer.network_.parameters().data();
  if (!update_.fused) update_.gradients = trainer.network_.gradients().data();
  for (std::size_t i = 0; i < trainer.states_.size(); ++i) update_.state[i] = trainer.states_[i].data();
  update_.failed_op = &failed_op_;
}

template <class T>
void Trainer<T>::Run::prepare(std::ptrdiff_t step) {
  begin_ = step * batch_;
  rows_ = std::min(batch_, data_.rows - begin_);
  double weight = static_cast<double>(rows_);
  if (data_.weight) {
    weight = 0;
    for (std::ptrdiff_t i = 0; i < rows_; ++i) {
      const auto at = order_ ? static_cast<std::ptrdiff_t>(order_[begin_ + i]) : begin_ + i;
      weights_.data()[i] = data_.weight[at];
      weight += static_cast<double>(data_.weight[at]);
    }
  }
  scale_ = weight > 0 ? 1 / weight : 0;
  step_number_ = static_cast<std::uint64_t>(trainer_.step_);
  rate_ = scheduled_rate(trainer_.schedule_, trainer_.base_rate_, static_cast<double>(trainer_.step_));
  update_.constants = update_.kernel->prepare(trainer_.optimizer_.values, rate_, static_cast<double>(trainer_.step_ + 1));
  failed_op_.store(no_op, std::memory_order_relaxed);
}

template <class T>
void Trainer<T>::Run::load(engine::Tile tile, engine::View<T> input) {
  for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
    std::copy_n(row(i), width_, input.at(i));
    const auto at = order_ ? static_cast<std::ptrdiff_t>(order_[begin_ + i]) : begin_ + i;
    if (data_.label) labels_[static_cast<std::size_t>(i)] = data_.label[at];
    if (data_.target) std::copy_n(data_.target + at * outputs_, outputs_, targets_.data() + i * outputs_);
  }
}

template <class T>
bool Trainer<T>::Run::loss(engine::Tile tile, engine::View<const T> prediction, engine::View<T> gradient) {
  const LossRows<T> rows{static_cast<std::size_t>(tile.rows()), static_cast<std::size_t>(outputs_), prediction.at(tile.begin), prediction.row,
                         data_.target ? targets_.data() + tile.begin * outputs_ : nullptr, outputs_,
                         data_.label ? labels_.data() + tile.begin : nullptr, data_.weight ? weights_.data() + tile.begin : nullptr};
  double* losses = losses_.data() + tile.begin;
  loss_kernel<T>(trainer_.loss_.index).run(trainer_.loss_.values, rows, scale_, losses, gradient.at(tile.begin), gradient.row);
  double sum = 0;
  for (std::ptrdiff_t i = 0; i < tile.rows(); ++i) sum += losses[i];
  return std::isfinite(sum);
}

template <class T>
void Trainer<T>::Run::count_in(engine::View<const T> prediction) {
  const LossRows<T> rows{static_cast<std::size_t>(rows_), static_cast<std::size_t>(outputs_), prediction.data, prediction.row,
                         data_.target ? targets_.data() : nullptr, outputs_, data_.label ? labels_.data() : nullptr,
                         data_.weight ? weights_.data() : nullptr};
  trainer_.add_up(rows, losses_.data(), trainer_.sums_);
}

// Gradients are complete in their flat buffer: clip them, then apply the rule to runs of it.
template <class T>
void Trainer<T>::Run::separate_update(const engine::Context<T>& context, typename engine::Machine<T>::Team& team, int& parity) {
  const auto size = static_cast<std::ptrdiff_t>(trainer_.network_.parameters().size());
  const int tasks = static_cast<int>((size + chunk - 1) / chunk);
  T* gradients = update_.gradients;
  const auto piece = [&](int task) { return std::pair{task * chunk, std::min(size, (task + 1) * chunk)}; };
  if (trainer_.clip_value_) {
    const T limit = static_cast<T>(*trainer_.clip_value_);
    machine_.share(tasks, context.thread, team, parity, [&](int task) {
      const auto [begin, end] = piece(task);
      for (std::ptrdiff_t i = begin; i < end; ++i) gradients[i] = std::clamp(gradients[i], -limit, limit);
    });
  }
  double factor = 1;
  if (trainer_.clip_norm_) {
    machine_.share(tasks, context.thread, team, parity, [&](int task) {
      const auto [begin, end] = piece(task);
      double sum = 0;
      for (std::ptrdiff_t i = begin; i < end; ++i) sum += static_cast<double>(gradients[i]) * static_cast<double>(gradients[i]);
      norms_[static_cast<std::size_t>(task)] = sum;
    });
    double sum = 0;
    for (const double s : norms_) sum += s;
    const double norm = std::sqrt(sum);
    if (norm > *trainer_.clip_norm_) factor = *trainer_.clip_norm_ / norm;
  }
  machine_.share(tasks, context.thread, team, parity, [&](int task) {
    const auto [begin, end] = piece(task);
    if (factor != 1)
      for (std::ptrdiff_t i = begin; i < end; ++i) gradients[i] = static_cast<T>(static_cast<double>(gradients[i]) * factor);
    if (!update_.apply(begin, 1, end - begin, end - begin, gradients + begin, end - begin)) {
      for (const Tensor& t : trainer_.network_.tensors()) {  // the layer of the first bad number
        if (!t.trained() || t.offset + t.size() <= begin) continue;
        const auto values = trainer_.network_.parameters().subspan(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.size()));
        if (std::all_of(values.begin(), values.end(), [](T x) { return std::isfinite(x); })) continue;
        for (const auto& op : machine_.plan().ops())
          if (op->layer == t.layer) return update_.fail(op->number);
      }
    }
  });
  machine_.run_refresh(context.thread, team, parity);
}

template <class T>
void Trainer<T>::Run::body(int thread, typename engine::Machine<T>::Team& team, std::ptrdiff_t first, std::ptrdiff_t last, bool polling) {
  using Clock = std::chrono::steady_clock;
  auto next_poll = Clock::now() + std::chrono::milliseconds(10);
  bool weights_under_way = false;
  std::atomic<bool>& hurry = team.hurry;
  bool asked = false;  // thread 0's own
  const auto tick = [&] {
    if (!polling || !poll_ || asked) return;
    const auto now = Clock::now();
    if (now < next_poll) return;
    next_poll = now + std::chrono::milliseconds(10);
    if (poll_()) {
      asked = true;
      // Before the weights change the step can be dropped; after that it has to be finished.
      if (!weights_under_way) hurry.store(true, std::memory_order_relaxed);
    }
  };
  int parity = 0;
  machine_.run_refresh(thread, team, parity);
  const engine::Slot out = machine_.plan().output_slot();
  for (std::ptrdiff_t step = first; step < last; ++step) {
    const auto context = machine_.context(thread, true, rows_, trainer_.seed_, step_number_, &update_);
    machine_.run(std::span(machine_.plan().step_phases()), context, team, parity, *this, tick);
    if (team.bad_loss.load(std::memory_order_relaxed) || hurry.load(std::memory_order_relaxed)) {
      if (thread == 0) end_ = hurry.load() ? End::stopped : End::bad_loss;
      return;
    }
    weights_under_way = true;
    const auto prediction = machine_.value(out.value);
    machine_.run_weights(context, team, parity, tick, [&] { count_in({prediction.data, prediction.row}); });
    if (!update_.fused) separate_update(context, team, parity);
    weights_under_way = false;
    if (thread == 0) {
      ++trainer_.step_;
      ++done_;
      leave_ = asked;
      if (asked) end_ = End::stopped;
      if (failed_op_.load(std::memory_order_relaxed) != no_op) {
        leave_ = true;
        end_ = End::bad_weight;
      }
      if (!leave_ && step + 1 < last) prepare(step + 1);
    }
    team.barrier.wait([] {});
    if (leave_) return;
  }
}

template <class T>
typename Trainer<T>::Run::End Trainer<T>::Run::run(std::ptrdiff_t first, std::ptrdiff_t last, bool polling) {
  end_ = End::finished;
  leave_ = false;
  if (first >= last) return end_;
  if (trainer_.clip_norm_) norms_.assign((trainer_.network_.parameters().size() + chunk - 1) / chunk, 0.0);
  prepare(first);
  const int threads = std::min(machine_.threads(), machine_.plan().useful_threads(batch_, engine::threads()));
  typename engine::Machine<T>::Team team(threads);
  engine::run_team(threads, [&](int t) { body(t, team, first, last, polling); });
  return end_;
}

template <class T>
std::string Trainer<T>::Run::first_bad_layer() const {
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
bool Trainer<T>::Run::steps(std::ptrdiff_t first, std::ptrdiff_t last, std::int64_t epoch) {
  // Training gives the same bits every time, so the state before a bad step is had by going through the steps again.
  const engine::Buffer<T> parameters = [&] {
    engine::Buffer<T> copy(trainer_.network_.parameters().size());
    std::copy(trainer_.network_.parameters().begin(), trainer_.network_.parameters().end(), copy.data());
    return copy;
  }();
  std::vector<T> statistics(trainer_.network_.statistics().begin(), trainer_.network_.statistics().end());
  const std::vector<engine::Buffer<T>> states = trainer_.states_;
  const std::vector<double> sums = trainer_.sums_;
  const std::int64_t step = trainer_.step_;

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
    std::copy_n(parameters.data(), parameters.size(), trainer_.network_.parameters().begin());
    std::copy(statistics.begin(), statistics.end(), trainer_.network_.statistics().begin());
    for (std::size_t i = 0; i < states.size(); ++i) std::copy_n(states[i].data(), states[i].size(), trainer_.states_[i].data());
    trainer_.sums_ = sums;
    trainer_.step_ = step;
    done_ = 0;
    run(first, bad, false);
  }
  const std::string what = end == End::bad_loss ? "the loss is not finite" : "a weight is not finite any more";
  const std::string where = layer.empty() ? "" : end == End::bad_loss ? "; first seen in the output of layer '" + layer + "'" : "; in layer '" + layer + "'";
  throw NonFiniteError("training stopped: " + what + " in epoch " + std::to_string(epoch + 1) + ", step " + std::to_string(bad + 1) + where +
                           ". The weights are those of the last finite step. Try a lower learning_rate, clip_norm, or standardised inputs.",
                       epoch, bad, layer);
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
