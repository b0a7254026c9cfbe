#include <algorithm>

#include <deltarule/engine/team.h>

#include "models.h"

namespace deltarule::bindings {
namespace {

constexpr std::ptrdiff_t predict_batch = 128;

// Rows in a block when threads share them: equal shares, in blocks of at most predict_batch.
std::ptrdiff_t block_rows(std::ptrdiff_t count, int threads) {
  const std::ptrdiff_t share = engine::pieces(count, threads), blocks = engine::pieces(share, predict_batch);
  return std::min(predict_batch, engine::pieces(engine::pieces(share, blocks), 8) * 8);
}

template <class T>
void rethrow(const Session<T>& session) {
  if (session.error()) std::rethrow_exception(session.error());
}

}  // namespace

// Sessions of a pool while they are needed.
template <class T>
class Lent {
 public:
  Lent(NetworkBox<T>& owner, std::ptrdiff_t rows)
      : owner_(owner), first_(owner.sessions.take(owner.network, rows)) {}
  ~Lent() {
    owner_.sessions.give(std::move(first_));
    for (auto& session : more_) owner_.sessions.give(std::move(session));
  }
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  void grow(int count, std::ptrdiff_t rows) {
    while (static_cast<int>(more_.size()) + 1 < count)
      more_.push_back(owner_.sessions.take(owner_.network, rows));
  }
  Session<T>& operator[](int i) { return i == 0 ? *first_ : *more_[static_cast<std::size_t>(i - 1)]; }

 private:
  NetworkBox<T>& owner_;
  std::unique_ptr<Session<T>> first_;
  std::vector<std::unique_ptr<Session<T>>> more_ = {};
};

template <class T>
void NetworkBox<T>::predict(const T* x, T* out, std::ptrdiff_t count) {
  const std::ptrdiff_t in = network.input_width(), outputs = network.output_width();
  network.check_input(count, x, in);
  Lent<T> lent(*this, count == 1 ? 1 : predict_batch);
  Session<T>& first = lent[0];
  // Counting the cores costs more than a small network: only where a second one would be used.
  const int threads =
      first.useful_threads(count, 2) == 1 ? 1 : first.useful_threads(count, engine::threads());
  if (threads == 1 || (count <= predict_batch && first.large())) {
    if (threads == 1)
      first.run(x, out, count);
    else
      first.run_shared(threads, x, out, count);
    return rethrow(first);
  }
  lent.grow(threads, predict_batch);
  const std::ptrdiff_t length = block_rows(count, threads);
  engine::parallel_for(threads, static_cast<int>(engine::pieces(count, length)), [&](int t, int b) {
    const std::ptrdiff_t begin = b * length;
    lent[t].run(x + begin * in, out + begin * outputs, std::min(length, count - begin));
    rethrow(lent[t]);
  });
}

template <class T>
void NetworkBox<T>::forward(const T* x, T* out, std::ptrdiff_t count, bool training) {
  rows = 0;
  if (!training) return predict(x, out, count);
  network.check_input(count, x, network.input_width());
  if (!machine || machine->plan().max_rows() != count)
    machine = std::make_unique<engine::Machine<T>>(
        network, engine::PlanOptions{.max_rows = count, .training = true, .input_gradient = true}, 1);
  for (int task = 0; task < machine->refresh_tasks(); ++task) machine->run_refresh_task(task);
  engine::CopiedRows<T> hooks(x, network.input_width());
  const auto context = machine->context(0, true, count, network.seed(), passes++, nullptr);
  machine->run(machine->plan().forward_phases(), context, hooks);
  for (const auto& op : machine->plan().ops()) op->learn_statistics(context);
  const auto result = machine->value(machine->plan().output_slot().value);
  for (std::ptrdiff_t i = 0; i < count; ++i)
    std::copy_n(result.at(i), network.output_width(), out + i * network.output_width());
  rows = count;
}

template <class T>
void NetworkBox<T>::backward(const T* dy, T* dx) {
  const auto outputs = network.output_width(), inputs = network.input_width();
  const auto& plan = machine->plan();
  const auto gradient = machine->gradient(plan.output_slot().gradient);
  for (std::ptrdiff_t i = 0; i < rows; ++i) std::copy_n(dy + i * outputs, outputs, gradient.at(i));
  engine::Update<T> update;
  std::atomic<int> failed{0};
  update.keep_statistics = false;  // forward() did it
  update.gradients = network.gradients().data();
  update.parameters = network.parameters().data();
  update.failed_op = &failed;
  engine::CopiedRows<T> hooks(nullptr, 0);  // read in forward
  const auto context = machine->context(0, true, rows, network.seed(), passes - 1, &update);
  machine->run(plan.backward_phases(), context, hooks);
  for (int task = 0; task < machine->weight_tasks(); ++task) machine->run_weight_task(context, task);
  const auto d = machine->gradient(plan.input_slot().gradient);
  for (std::ptrdiff_t i = 0; i < rows; ++i) std::copy_n(d.at(i), inputs, dx + i * inputs);
  rows = 0;
}

template struct NetworkBox<float>;
template struct NetworkBox<double>;

}  // namespace deltarule::bindings
