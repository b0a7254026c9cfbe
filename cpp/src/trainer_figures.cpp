// Losses and metrics of a trainer: adding them up, and evaluation without training.
#include <deltarule/engine/team.h>
#include <deltarule/metrics.h>
#include <deltarule/session.h>
#include <deltarule/trainer.h>
#include <atomic>

namespace deltarule {

template <class T>
std::size_t Trainer<T>::sum_count() const {
  std::size_t count = 2;
  for (const Choice& m : metrics_)
    count += metric_kernel<T>(m.index).sums(static_cast<std::size_t>(network_.output_width()));
  return count;
}

template <class T>
void Trainer<T>::add_up(const LossRows<T>& rows, const double* losses, std::vector<double>& sums) const {
  double loss = 0, weight = 0;
  for (std::size_t i = 0; i < rows.rows; ++i) {
    loss += losses[i];
    weight += row_weight(rows, i);
  }
  sums[0] += loss;
  sums[1] += weight;
  std::size_t at = 2;
  for (const Choice& m : metrics_) {
    const auto& kernel = metric_kernel<T>(m.index);
    for (std::size_t i = 0; i < rows.rows; ++i) kernel.add(m.values, rows, i, &sums[at]);
    at += kernel.sums(rows.outputs);
  }
}

template <class T>
Figures Trainer<T>::finish(const std::vector<double>& sums) const {
  Figures figures{sums[1] > 0 ? sums[0] / sums[1] : 0, {}};
  const auto outputs = static_cast<std::size_t>(network_.output_width());
  std::size_t at = 2;
  for (const Choice& m : metrics_) {
    const auto& kernel = metric_kernel<T>(m.index);
    figures.metrics.push_back(kernel.finish(&sums[at], outputs));
    at += kernel.sums(outputs);
  }
  return figures;
}

// The memory of an evaluation, kept for the next one: sessions, predictions, rows picked by an index.
template <class T>
class Trainer<T>::Evaluation {
 public:
  explicit Evaluation(const Network<T>& network) : plan(network, {.max_rows = 64}) {}

  struct Seat {
    Seat(const Network<T>& network, std::ptrdiff_t most) : session(network, most) {}
    Session<T> session;
    engine::Buffer<T> x = {}, gradient = {};
  };
  void reserve(const Network<T>& network, const Data<T>& data, std::ptrdiff_t rows, std::ptrdiff_t targets,
               int threads) {
    const std::ptrdiff_t most = std::min<std::ptrdiff_t>(rows, 256);
    if (block != rows) seats.clear();
    block = rows;
    while (seats.size() < static_cast<std::size_t>(threads))
      seats.push_back(std::make_unique<Seat>(network, most));
    for (auto& seat : seats) {
      grow(seat->gradient, block * network.output_width());
      if (data.index) grow(seat->x, block * network.input_width());
    }
    grow(predictions, data.rows * network.output_width());
    losses.resize(static_cast<std::size_t>(data.rows));
    if (data.index && data.target) grow(target, data.rows * targets);
    if (data.index && data.weight) grow(weight, data.rows);
    if (data.index && data.label) label.resize(static_cast<std::size_t>(data.rows));
  }
  // Rows begin .. begin + count of what an index picks, side by side.
  void gather(const Data<T>& data, std::ptrdiff_t targets) {
    for (std::ptrdiff_t i = 0; i < data.rows; ++i) {
      const std::ptrdiff_t at = data.at(i);
      if (data.target) std::copy_n(data.target + at * targets, targets, target.data() + i * targets);
      if (data.weight) weight.data()[i] = data.weight[at];
      if (data.label) label[static_cast<std::size_t>(i)] = data.label[at];
    }
  }
  static void grow(engine::Buffer<T>& buffer, std::ptrdiff_t size) {
    if (buffer.size() < static_cast<std::size_t>(size))
      buffer = engine::Buffer<T>(static_cast<std::size_t>(size));
  }

  engine::Plan<T> plan;
  std::ptrdiff_t block = 0;
  std::vector<std::unique_ptr<Seat>> seats;  // per thread
  engine::Buffer<T> predictions, target, weight;
  std::vector<std::int32_t> label;
  std::vector<double> losses;
};

template <class T>
Figures Trainer<T>::evaluate(const Data<T>& data, std::ptrdiff_t batch_size,
                             const std::function<bool()>& poll) const {
  check_data(data);
  if (batch_size < 0)
    throw std::invalid_argument("evaluate: batch_size = " + std::to_string(batch_size) +
                                " is not allowed; allowed: 1 or more, or 0 for a number of our choice");
  const auto inputs = network_.input_width(), outputs = network_.output_width();
  const auto& loss = loss_kernel<T>(loss_.index);
  const std::ptrdiff_t targets = outputs / loss.outputs_per_target;
  const std::ptrdiff_t block = batch_size > 0 ? batch_size : 256;
  const int blocks = static_cast<int>((data.rows + block - 1) / block);
  std::shared_ptr<Evaluation> memory;
  {
    const std::lock_guard lock(evaluation_mutex_);
    memory = std::move(evaluation_);
  }
  if (!memory) memory = std::make_shared<Evaluation>(network_);
  const int threads = std::min(memory->plan.useful_threads(data.rows, engine::threads()), blocks);
  memory->reserve(network_, data, block, targets, threads);
  Data<T> rows = data;  // targets, labels and weights side by side
  if (data.index) {
    memory->gather(data, targets);
    rows.target = data.target ? memory->target.data() : nullptr;
    rows.weight = data.weight ? memory->weight.data() : nullptr;
    rows.label = data.label ? memory->label.data() : nullptr;
  }
  T* const predictions = memory->predictions.data();
  double* const losses = memory->losses.data();
  std::atomic<bool> stop{false};
  const auto rows_of = [&](std::ptrdiff_t begin, std::ptrdiff_t count) {
    return LossRows<T>{static_cast<std::size_t>(count),
                       static_cast<std::size_t>(outputs),
                       predictions + begin * outputs,
                       outputs,
                       rows.target ? rows.target + begin * targets : nullptr,
                       targets,
                       rows.label ? rows.label + begin : nullptr,
                       rows.weight ? rows.weight + begin : nullptr,
                       loss.ignored(loss_.values)};
  };
  engine::parallel_for(threads, blocks, [&](int t, int b) {
    if (t == 0 && poll && poll()) stop.store(true);
    if (stop.load(std::memory_order_relaxed)) return;
    const std::ptrdiff_t begin = b * block, count = std::min(block, data.rows - begin);
    auto& seat = *memory->seats[static_cast<std::size_t>(t)];
    const T* x = data.x + begin * inputs;
    if (data.index) {
      for (std::ptrdiff_t i = 0; i < count; ++i)
        std::copy_n(data.x + data.at(begin + i) * inputs, inputs, seat.x.data() + i * inputs);
      x = seat.x.data();
    }
    seat.session.run(x, predictions + begin * outputs, count);
    if (const auto& error = seat.session.error()) std::rethrow_exception(error);
    if (!loss.custom)
      loss.run(loss_.values, rows_of(begin, count), 1.0, losses + begin, seat.gradient.data(), outputs);
  });
  if (loss.custom && !stop.load()) {
    engine::Buffer<T> gradient(static_cast<std::size_t>(data.rows * outputs));
    loss.run(loss_.values, rows_of(0, data.rows), 1.0, losses, gradient.data(), outputs);
  }
  std::vector<double> sums(sum_count(), 0.0);
  add_up(rows_of(0, data.rows), losses, sums);
  Figures figures = finish(sums);
  for (const TensorSettings& t : tensors_)
    if (t.penalized()) figures.loss += penalty(t, t.offset, t.offset + t.size());
  const std::lock_guard lock(evaluation_mutex_);
  evaluation_ = std::move(memory);
  return figures;
}

template std::size_t Trainer<float>::sum_count() const;
template std::size_t Trainer<double>::sum_count() const;
template void Trainer<float>::add_up(const LossRows<float>&, const double*, std::vector<double>&) const;
template void Trainer<double>::add_up(const LossRows<double>&, const double*, std::vector<double>&) const;
template Figures Trainer<float>::finish(const std::vector<double>&) const;
template Figures Trainer<double>::finish(const std::vector<double>&) const;
template Figures Trainer<float>::evaluate(const Data<float>&, std::ptrdiff_t,
                                          const std::function<bool()>&) const;
template Figures Trainer<double>::evaluate(const Data<double>&, std::ptrdiff_t,
                                           const std::function<bool()>&) const;

}  // namespace deltarule
