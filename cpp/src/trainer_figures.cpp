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

template <class T>
Figures Trainer<T>::evaluate(const Data<T>& data, std::ptrdiff_t batch_size,
                             const std::function<bool()>& poll) const {
  check(data);
  const auto outputs = network_.output_width();
  const auto& loss = loss_kernel<T>(loss_.index);
  const std::ptrdiff_t targets = outputs / loss.outputs_per_target;
  const std::ptrdiff_t block = batch_size > 0 ? batch_size : 256;
  const int blocks = static_cast<int>((data.rows + block - 1) / block);
  engine::Buffer<T> predictions(static_cast<std::size_t>(data.rows * outputs));
  std::vector<double> losses(static_cast<std::size_t>(data.rows));
  const engine::Plan<T> plan(network_, {.max_rows = 64});
  const int threads = std::min(plan.useful_threads(data.rows, engine::threads()), blocks);
  std::vector<std::unique_ptr<Session<T>>> sessions;
  std::vector<engine::Buffer<T>> gradients;
  for (int t = 0; t < threads; ++t) {
    sessions.push_back(std::make_unique<Session<T>>(network_, std::min<std::ptrdiff_t>(block, 256)));
    gradients.emplace_back(static_cast<std::size_t>(block * outputs));
  }
  std::atomic<bool> stop{false};
  const auto rows_of = [&](std::ptrdiff_t begin, std::ptrdiff_t count) {
    return LossRows<T>{static_cast<std::size_t>(count),
                       static_cast<std::size_t>(outputs),
                       predictions.data() + begin * outputs,
                       outputs,
                       data.target ? data.target + begin * targets : nullptr,
                       targets,
                       data.label ? data.label + begin : nullptr,
                       data.weight ? data.weight + begin : nullptr,
                       loss.ignored(loss_.values)};
  };
  engine::parallel_for(threads, blocks, [&](int t, int b) {
    if (t == 0 && poll && poll()) stop.store(true);
    if (stop.load(std::memory_order_relaxed)) return;
    const std::ptrdiff_t begin = b * block, count = std::min(block, data.rows - begin);
    const auto ti = static_cast<std::size_t>(t);
    sessions[ti]->run(data.x + begin * network_.input_width(), predictions.data() + begin * outputs, count);
    if (const auto& error = sessions[ti]->error()) std::rethrow_exception(error);
    if (!loss.custom)
      loss.run(loss_.values, rows_of(begin, count), 1.0, losses.data() + begin, gradients[ti].data(),
               outputs);
  });
  if (loss.custom && !stop.load()) {
    engine::Buffer<T> gradient(static_cast<std::size_t>(data.rows * outputs));
    loss.run(loss_.values, rows_of(0, data.rows), 1.0, losses.data(), gradient.data(), outputs);
  }
  std::vector<double> sums(sum_count(), 0.0);
  add_up(rows_of(0, data.rows), losses.data(), sums);
  Figures figures = finish(sums);
  for (const TensorSettings& t : tensors_)
    if (t.penalized()) figures.loss += penalty(t, t.offset, t.offset + t.size());
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
