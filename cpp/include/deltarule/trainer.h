// The training loop: batches, loss, optimizer state, schedule, clipping, metrics.
#pragma once

#include <deltarule/engine/machine.h>
#include <deltarule/loss_kernel.h>
#include <deltarule/network.h>
#include <deltarule/training_control.h>
#include <functional>
#include <mutex>
#include <optional>

namespace deltarule {

struct TrainerSpec {
  Spec loss;
  Spec optimizer{"sgd", {}};
  std::vector<Spec> schedule = {};  // outermost first; none: constant
  std::vector<Spec> metrics = {};
  std::optional<double> clip_norm = {};   // largest global norm of the gradient
  std::optional<double> clip_value = {};  // largest magnitude of an element of it
  std::uint64_t seed = 0;
  TrainingControl control = {};
};

// Rows of data; target for losses of values and distributions, label for losses of classes. Nothing is
// copied.
template <class T>
struct Data {
  std::ptrdiff_t rows = 0;
  const T* x = nullptr;       // rows x input width, contiguous
  const T* target = nullptr;  // rows x output width, contiguous
  const std::int32_t* label = nullptr;
  const T* weight = nullptr;  // per row; none: all one
  // Which rows of these arrays to take, `rows` of them, as for a fold of them; none: all, as they lie.
  const std::uint32_t* index = nullptr;
  std::ptrdiff_t at(std::ptrdiff_t i) const { return index ? static_cast<std::ptrdiff_t>(index[i]) : i; }
};

// Throws std::invalid_argument when the loss or the network cannot take these rows.
template <class T>
void check_data(const Network<T>& network, const Choice& loss, const Data<T>& data);

struct Figures {
  double loss = 0;
  std::vector<double> metrics = {};
};

// 32 rows, or all of them for a rule that looks at the whole network at once (Reach::network).
inline constexpr std::ptrdiff_t automatic_batch = -1;

struct EpochOptions {
  std::int64_t epoch = 0;                       // decides the order of the rows
  std::ptrdiff_t batch_size = automatic_batch;  // 0: all rows
  bool shuffle = true;
  std::ptrdiff_t first_step = 0;    // continue in the middle of the epoch; figures go on too
  std::ptrdiff_t max_steps = 0;     // 0: to the end
  std::function<bool()> poll = {};  // called every few milliseconds; true stops after the current step
};

struct EpochResult {
  Figures figures;
  std::ptrdiff_t steps = 0;
  double learning_rate = 0;  // of the last step
  double seconds = 0;
  bool stopped = false;
  std::string stop_reason = {};  // why the rule ended training by itself; empty where it did not
};

// The loss or a weight is no longer finite. The network and the trainer are as after the last good step.
struct NonFiniteError : Error {
  NonFiniteError(const std::string& text, std::int64_t at_epoch, std::ptrdiff_t at_step, std::string in_layer)
      : Error(text), epoch(at_epoch), step(at_step), layer(std::move(in_layer)) {}
  std::int64_t epoch;
  std::ptrdiff_t step;
  std::string layer;
};

// An array that the rule keeps for a layer as a whole (Reach::layer).
template <class T>
struct LayerState {
  std::string name;  // "dense_1.input_factor"
  std::vector<std::ptrdiff_t> shape;
  engine::Buffer<T> data;
};

template <class T>
class alignas(64) Trainer {  // lines of its own: many are trained side by side
 public:
  // The network must be built and outlive the trainer. Throws std::invalid_argument for unknown names and
  // settings, and where the loss does not fit the output width.
  Trainer(Network<T>& network, const TrainerSpec& spec);
  ~Trainer();

  EpochResult run_epoch(const Data<T>& data, const EpochOptions& options);
  // One step on these rows; loss and metrics are those before the step.
  Figures step(const Data<T>& data);
  // Safe to call from several threads at once.
  Figures evaluate(const Data<T>& data, std::ptrdiff_t batch_size = 0,
                   const std::function<bool()>& poll = {}) const;
  // Throw std::invalid_argument when these rows cannot be evaluated, or not trained on.
  void check_data(const Data<T>& data) const;
  void check_training(const Data<T>& data) const;
  // Lets go of the memory of steps and evaluations; the next one takes it anew.
  void release_memory();

  TrainerSpec spec() const;
  std::int64_t steps_done() const { return step_; }
  void set_steps_done(std::int64_t step);
  double learning_rate() const;  // of the next step
  void set_learning_rate(double rate);
  // Rates of the next steps, in place of the schedule, which goes on behind them.
  void set_rates(std::vector<double> rates);
  const Choice& loss() const { return loss_; }
  Network<T>& network() { return network_; }
  const Network<T>& network() const { return network_; }
  // How many states of the weights the average holds so far (of ema_decay, swa_start).
  std::int64_t averaged() const { return averaged_; }
  void set_averaged(std::int64_t count);
  // Arrays the rule keeps beside the parameters, laid out as those are; the average of the weights is the
  // last.
  int state_count() const { return static_cast<int>(states_.size()); }
  std::string state_name(int i) const;
  std::span<T> state(int i) { return states_[static_cast<std::size_t>(i)].span(); }
  std::span<const T> state(int i) const { return states_[static_cast<std::size_t>(i)].span(); }
  // Numbers that a rule would keep for this network.
  static double state_size(const Network<T>& network, const Spec& rule);
  std::span<LayerState<T>> layer_states() { return layer_states_; }
  std::span<const LayerState<T>> layer_states() const { return layer_states_; }
  std::string explain_plan(std::ptrdiff_t batch_size);
  // The plan that explain_plan shows, for at most this many threads.
  engine::Plan<T> plan(std::ptrdiff_t batch_size, int most) const;

 private:
  void check_adapted() const;
  class Run;
  class Evaluation;
  class InStep;
  Run& run(std::ptrdiff_t rows);
  const std::vector<std::uint32_t>& order(std::ptrdiff_t rows, std::int64_t epoch);
  bool averages() const { return control_.ema_decay || control_.swa_start; }
  bool updates_separately() const;
  double update_flops() const;
  engine::PlanOptions plan_options(std::ptrdiff_t batch_size, int most) const;
  int useful_threads(const engine::Plan<T>& plan, std::ptrdiff_t rows, int most) const;
  bool penalized() const;
  double penalty(const TensorSettings& tensor, std::ptrdiff_t begin, std::ptrdiff_t end) const;
  Figures finish(const std::vector<double>& sums) const;
  std::size_t sum_count() const;
  void add_up(const LossRows<T>& rows, const double* losses, std::vector<double>& sums) const;

  Network<T>& network_;
  Choice loss_, optimizer_;
  std::vector<Choice> schedule_, metrics_;
  std::optional<double> clip_norm_, clip_value_;
  std::uint64_t seed_;
  TrainingControl control_;
  std::vector<TensorSettings> tensors_;
  int rule_states_ = 0;
  std::int64_t step_ = 0, averaged_ = 0;
  double base_rate_;
  std::vector<double> rates_;  // of the steps from rates_from_ on
  std::int64_t rates_from_ = 0;
  std::vector<engine::Buffer<T>> states_;
  std::vector<LayerState<T>> layer_states_;
  std::unique_ptr<Run> run_;
  bool in_step_ = false;
  mutable std::mutex evaluation_mutex_;
  mutable std::shared_ptr<Evaluation> evaluation_;  // of the last call, for the next
  std::vector<std::uint32_t> order_;
  std::int64_t order_epoch_ = -1;
  std::vector<double> sums_;  // of the epoch so far
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace deltarule
