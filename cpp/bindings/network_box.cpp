#include <algorithm>

#include <deltarule/engine/team.h>

#include "models.h"

namespace deltarule::bindings {
namespace {

constexpr std::ptrdiff_t predict_batch = 128;

template <class T>
struct CopyHooks final : engine::BatchHooks<T> {
  const T* x = nullptr;
  std::ptrdiff_t width = 0;
  void load(engine::Tile tile, engine::View<T> input) override {
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) std::copy_n(x + i * width, width, input.at(i));
  }
  bool loss(engine::Tile, engine::View<const T>, engine::View<T>) override { return true; }
};

}  // namespace

template <class T>
void NetworkBox<T>::predict(const T* x, T* out, std::ptrdiff_t count) {
  const std::ptrdiff_t in = network.input_width(), outputs = network.output_width();
  network.check_input(count, x, in);
  if (count == 1) {
    auto session = sessions.take(network, 1);
    session->run(x, out, 1);
    const std::exception_ptr error = session->error();
    sessions.give(std::move(session));
    if (error) std::rethrow_exception(error);
    return;
  }
  const int blocks = static_cast<int>((count + predict_batch - 1) / predict_batch);
  std::vector<std::unique_ptr<Session<T>>> lent;
  lent.push_back(sessions.take(network, predict_batch));
  const int threads = blocks > 1 ? lent[0]->useful_threads(count, std::min(blocks, engine::threads())) : 1;
  while (lent.size() < static_cast<std::size_t>(threads))
    lent.push_back(sessions.take(network, predict_batch));
  engine::parallel_for(threads, blocks, [&](int t, int b) {
    const std::ptrdiff_t begin = b * predict_batch;
    lent[static_cast<std::size_t>(t)]->run(x + begin * in, out + begin * outputs,
                                           std::min(predict_batch, count - begin));
    if (const auto& error = lent[static_cast<std::size_t>(t)]->error()) std::rethrow_exception(error);
  });
  for (auto& session : lent) sessions.give(std::move(session));
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
  CopyHooks<T> hooks;
  hooks.x = x;
  hooks.width = network.input_width();
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
  CopyHooks<T> hooks;
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
