#include <deltarule/custom.h>
#include <deltarule/engine/philox.h>
#include <deltarule/engine/squares.h>
#include <deltarule/engine/team.h>
#include <deltarule/metrics.h>
#include <deltarule/schedules.h>
#include <deltarule/session.h>
#include <deltarule/trainer.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>

#include "message_text.h"
#include "second_order/natural_gradient.h"
#include "second_order/output_root.h"
#include "second_order/whole_steps.h"
#include "trainer_checks.h"
#include "training_run.h"

namespace deltarule {
namespace {

void check_range(const char* operation, const char* name, std::int64_t given, std::int64_t least,
                 std::int64_t most = std::numeric_limits<std::int64_t>::max()) {
  if (least <= given && given <= most) return;
  throw std::invalid_argument(
      std::string(operation) + ": " + name + " = " + std::to_string(given) + " is not allowed; allowed: " +
      (given < least ? std::to_string(least) + " or more" : "at most " + std::to_string(most)));
}

}  // namespace

template <class T>
Trainer<T>::Trainer(Network<T>& network, const TrainerSpec& spec)
    : network_(network),
      loss_(catalog::choose(Family::loss, spec.loss)),
      optimizer_(catalog::choose(Family::optimizer, spec.optimizer)),
      clip_norm_(spec.clip_norm),
      clip_value_(spec.clip_value),
      seed_(spec.seed),
      control_(spec.control) {
  if (!network.built())
    throw std::invalid_argument("trainer: the network is not built; call build(input_width) first");
  trainer_checks::refuse_flat_activations<T>(network.layers());
  schedule_ = trainer_checks::choose_schedule(spec.schedule);
  metrics_ = trainer_checks::choose_metrics<T>(spec.metrics, loss_);
  trainer_checks::check_number("clip_norm", clip_norm_, false);
  trainer_checks::check_number("clip_value", clip_value_, false);
  trainer_checks::check_loss<T>(loss_, static_cast<std::size_t>(network.output_width()), !metrics_.empty());
  if (optimizer_.entry->name == "delta_rule") trainer_checks::check_delta_rule(network.spec(), *loss_.entry);
  base_rate_ = optimizer_.values[0];
  tensors_ = tensor_settings(network.tensors(), optimizer_, control_);
  second_order::check_control(optimizer_, control_, tensors_, clip_norm_ || clip_value_);
  trainer_checks::check_control<T>(network, control_, loss_, optimizer_, tensors_);
  layer_states_ = second_order::layer_states(network, optimizer_);
  if (second_order::asks_the_loss(optimizer_)) second_order::OutputRoot::check(loss_, network.output_width());
  rule_states_ = update_kernel<T>(optimizer_.index).states_used(optimizer_.values);
  for (int i = 0; i < rule_states_ + (averages() ? 1 : 0); ++i)
    states_.emplace_back(network.parameters().size());
}

template <class T>
TrainerSpec Trainer<T>::spec() const {
  TrainerSpec spec{catalog::spec_of(loss_),
                   catalog::spec_of(optimizer_),
                   {},
                   {},
                   clip_norm_,
                   clip_value_,
                   seed_,
                   control_};
  spec.optimizer.settings[0].value = base_rate_;
  for (const Choice& c : schedule_) spec.schedule.push_back(catalog::spec_of(c));
  for (const Choice& c : metrics_) spec.metrics.push_back(catalog::spec_of(c));
  return spec;
}

template <class T>
double Trainer<T>::learning_rate() const {
  const auto at = static_cast<std::size_t>(step_ - rates_from_);
  if (step_ >= rates_from_ && at < rates_.size()) return rates_[at];
  return scheduled_rate(schedule_, base_rate_, static_cast<double>(step_));
}

template <class T>
void Trainer<T>::set_rates(std::vector<double> rates) {
  for (const double rate : rates)
    if (!(rate >= 0 && std::isfinite(rate)))
      throw std::invalid_argument("trainer: the learning rate " + number(rate) +
                                  " is not allowed; allowed: a finite number >= 0");
  rates_ = std::move(rates);
  rates_from_ = step_;
}

template <class T>
void Trainer<T>::set_learning_rate(double rate) {
  const Setting setting{"learning_rate", rate};
  base_rate_ = catalog::resolve(*optimizer_.entry, std::span(&setting, 1))[0];
}

// Whether gradients are written out before the rule sees them.
template <class T>
bool Trainer<T>::updates_separately() const {
  return custom::is_custom(optimizer_.index) || clip_norm_ || clip_value_ || control_.dp_clip_norm ||
         optimizer_.entry->reach != Reach::element ||
         std::ranges::any_of(tensors_, [](const auto& t) { return t.penalized() || t.max_norm > 0; });
}

// What a rule on whole parameters takes; that of others counts as part of the weight gradients.
template <class T>
double Trainer<T>::update_flops() const {
  const auto* rule = update_kernel<T>(optimizer_.index).whole;
  double sum = 0;
  if (rule)
    for (const TensorSettings& t : tensors_) sum += rule->cost(optimizer_.values, t.shape()).flops;
  return sum;
}

template <class T>
bool Trainer<T>::penalized() const {
  return std::ranges::any_of(tensors_, &TensorSettings::penalized);
}

template <class T>
double Trainer<T>::penalty(const TensorSettings& tensor, std::ptrdiff_t begin, std::ptrdiff_t end) const {
  const T* w = network_.parameters().data();
  double sum = tensor.l2 > 0 ? tensor.l2 * engine::squared_norm(w + begin, end - begin) : 0;
  if (tensor.l1 > 0) {
    double magnitudes = 0;
    for (std::ptrdiff_t i = begin; i < end; ++i) magnitudes += std::abs(static_cast<double>(w[i]));
    sum += tensor.l1 * magnitudes;
  }
  return sum;
}

template <class T>
void Trainer<T>::check_data(const Data<T>& data) const {
  if (!network_.built()) throw std::invalid_argument("trainer: its network was moved away");
  deltarule::check_data(network_, loss_, data);
}

template <class T>
void Trainer<T>::check_training(const Data<T>& data) const {
  check_data(data);
  if (data.weight && (control_.mixup > 0 || control_.dp_clip_norm))
    throw std::invalid_argument(std::string(control_.mixup > 0 ? "mixup" : "dp_clip_norm") +
                                ": weights of rows are given; allowed: none");
}

// Weights would be trained for inputs that a later fit shifts.
template <class T>
void Trainer<T>::check_adapted() const {
  if (run_ || step_ > 0) return;
  if (const std::string layer = network_.waits_for_data(); !layer.empty())
    throw std::invalid_argument("trainer: layer '" + layer +
                                "' (standardize) has not learned mean and deviation yet; allowed: adapt() of "
                                "the network first, with the training data or a sample of them, or fit(), "
                                "which calls it");
}

template <class T>
const std::vector<std::uint32_t>& Trainer<T>::order(std::ptrdiff_t rows, std::int64_t epoch) {
  const auto n = static_cast<std::uint32_t>(rows);
  if (order_epoch_ == epoch && order_.size() == n) return order_;
  order_.resize(n);
  std::iota(order_.begin(), order_.end(), 0u);
  engine::PhiloxSequence random(engine::philox_key(seed_, engine::Stream::shuffle, 0),
                                static_cast<std::uint64_t>(epoch));
  for (std::uint32_t i = n; i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
  order_epoch_ = epoch;
  return order_;
}

// What a poll may not call: the step that polls is not over.
template <class T>
class Trainer<T>::InStep {
 public:
  InStep(Trainer& trainer, const char* operation) : busy_(trainer.in_step_) {
    if (busy_)
      throw std::invalid_argument(std::string(operation) +
                                  ": a step of this trainer is under way, which called poll; allowed: true "
                                  "from poll to stop, and the call after that");
    busy_ = true;
  }
  ~InStep() { busy_ = false; }
  InStep(const InStep&) = delete;
  InStep& operator=(const InStep&) = delete;

 private:
  bool& busy_;
};

template <class T>
void Trainer<T>::set_steps_done(std::int64_t step) {
  check_range("set_steps_done", "step", step, 0, largest_whole);
  step_ = step;
}
template <class T>
void Trainer<T>::set_averaged(std::int64_t count) {
  check_range("set_averaged", "count", count, 0);
  averaged_ = count;
}

template <class T>
void Trainer<T>::release_memory() {
  const InStep now(*this, "release_memory");
  run_.reset();
  order_ = {};
  order_epoch_ = -1;
  const std::lock_guard lock(evaluation_mutex_);
  evaluation_.reset();
}

template <class T>
Trainer<T>::~Trainer() = default;

template <class T>
int Trainer<T>::useful_threads(const engine::Plan<T>& plan, std::ptrdiff_t rows, int most) const {
  return plan.useful_threads(rows, most, update_flops());
}

// Of a training step, shared by as many threads as are useful, at most so many.
template <class T>
engine::PlanOptions Trainer<T>::plan_options(std::ptrdiff_t batch_size, int most) const {
  engine::PlanOptions options{
      .max_rows = batch_size, .training = true, .whole_loss = loss_kernel<T>(loss_.index).custom != nullptr};
  options.threads = useful_threads({network_, options}, batch_size, most);
  return options;
}

template <class T>
typename Trainer<T>::Run& Trainer<T>::run(std::ptrdiff_t rows) {
  // Room for all threads, also where this one is held to fewer for a while (ThreadLimit): a new Run would
  // forget where a search of lines stands.
  const int most = engine::unlimited_threads();
  const auto fits = [&] {
    const auto& plan = run_->machine().plan();
    return plan.max_rows() == rows && run_->machine().threads() >= useful_threads(plan, rows, most);
  };
  if (run_ && fits()) return *run_;
  run_.reset();
  engine::PlanOptions plan = plan_options(rows, most);
  const int room = std::exchange(plan.threads, std::min(plan.threads, engine::threads()));
  run_ = std::make_unique<Run>(*this, plan, room);
  return *run_;
}

template <class T>
EpochResult Trainer<T>::run_epoch(const Data<T>& data, const EpochOptions& options) {
  const InStep now(*this, "run_epoch");
  check_training(data);
  check_adapted();
  check_range("run_epoch", "epoch", options.epoch, 0);
  check_range("run_epoch", "batch_size", options.batch_size, automatic_batch);
  check_range("run_epoch", "first_step", options.first_step, 0);
  check_range("run_epoch", "max_steps", options.max_steps, 0);
  const auto start = std::chrono::steady_clock::now();
  const bool whole = optimizer_.entry->reach == Reach::network;
  std::ptrdiff_t batch = options.batch_size == automatic_batch ? (whole ? 0 : 32) : options.batch_size;
  batch = batch > 0 ? std::min(batch, data.rows) : data.rows;
  const std::ptrdiff_t all = (data.rows + batch - 1) / batch;
  if (options.first_step > all)
    throw std::invalid_argument("run_epoch: first_step = " + std::to_string(options.first_step) +
                                " is not allowed; allowed: 0 to " + std::to_string(all) +
                                ", the steps of this epoch");
  const std::ptrdiff_t first = options.first_step;
  const std::ptrdiff_t last = options.max_steps > 0 ? std::min(all, first + options.max_steps) : all;
  // The order within the one batch of such a rule would change nothing but the last digits of its sums.
  const bool shuffle = options.shuffle && !(whole && batch == data.rows);
  constexpr std::ptrdiff_t most_shuffled = std::numeric_limits<std::uint32_t>::max();
  if (shuffle && data.rows > most_shuffled)
    throw std::invalid_argument("run_epoch: " + std::to_string(data.rows) +
                                " rows are not shuffled; allowed: at most " + std::to_string(most_shuffled) +
                                ", or shuffle = false");
  if (first == 0 || sums_.size() != sum_count()) sums_.assign(sum_count(), 0.0);
  Run& loop = run(batch);
  const std::uint32_t* rows = shuffle ? order(data.rows, options.epoch).data() : nullptr;
  EpochResult result;
  result.stopped = loop.steps(data, rows, &options.poll, first, last, options.epoch, all);
  result.steps = loop.done();
  result.stop_reason = loop.stop_reason();
  result.learning_rate = loop.last_rate();
  result.figures = finish(sums_);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

template <class T>
Figures Trainer<T>::step(const Data<T>& data) {
  const InStep now(*this, "step");
  check_training(data);
  check_adapted();
  std::vector<double> epoch_sums(sum_count(), 0.0);
  std::swap(epoch_sums, sums_);
  Figures figures;
  try {
    run(data.rows).steps(data, nullptr, nullptr, 0, 1, 0, 0);
    figures = finish(sums_);
  } catch (...) {
    std::swap(epoch_sums, sums_);
    throw;
  }
  std::swap(epoch_sums, sums_);
  return figures;
}

template <class T>
engine::Plan<T> Trainer<T>::plan(std::ptrdiff_t batch_size, int most) const {
  return {network_, plan_options(batch_size, most)};
}

template <class T>
std::string Trainer<T>::explain_plan(std::ptrdiff_t batch_size) {
  check_range("explain_plan", "batch_size", batch_size, 1, std::numeric_limits<std::int32_t>::max());
  const engine::Plan<T> plan = this->plan(batch_size, engine::threads());
  const bool fused = !updates_separately();
  std::string text = plan.explain(states_.size(), optimizer_.entry->class_name, fused);
  if (const auto* rule = update_kernel<T>(optimizer_.index).whole) {
    char line[128];
    std::snprintf(line, sizeof(line), "  %s: %d passes over whole parameters, %.3g MFLOP a step\n",
                  optimizer_.entry->class_name.data(), rule->passes(optimizer_.values), update_flops() / 1e6);
    text += line;
  }
  return text;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace deltarule
