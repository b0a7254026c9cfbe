#include <deltarule/engine/machine.h>

namespace deltarule::engine {

template <class T>
Machine<T>::Machine(const Network<T>& network, const PlanOptions& options, int threads)
    : plan_(network, options), threads_(std::max(1, threads)) {
  plan_.reserve();
  std::size_t size = 0;
  const auto place = [&](std::ptrdiff_t columns) {
    // One more cache line each time: buffers that all start on a page boundary fight for the same sets.
    const std::size_t at = size;
    size += static_cast<std::size_t>(padded<T>(columns) * options.max_rows) + 2 * alignment / sizeof(T);
    size = (size + alignment / sizeof(T) - 1) / (alignment / sizeof(T)) * (alignment / sizeof(T));
    return at;
  };
  std::vector<std::size_t> value_places, gradient_places;
  for (const auto columns : plan_.value_columns()) value_places.push_back(place(columns));
  for (const auto columns : plan_.gradient_columns()) gradient_places.push_back(place(columns));
  arena_ = Buffer<T>(size);
  for (std::size_t i = 0; i < value_places.size(); ++i)
    values_.push_back({arena_.data() + value_places[i], padded<T>(plan_.value_columns()[i])});
  loaded_ = value(plan_.input_slot().value);
  for (std::size_t i = 0; i < gradient_places.size(); ++i)
    gradients_.push_back({arena_.data() + gradient_places[i], padded<T>(plan_.gradient_columns()[i])});
  for (int t = 0; t < threads_; ++t) scratch_.emplace_back(plan_.scratch_size());
  for (const auto& op : plan_.ops()) {
    weight_tasks_ += op->weight_tasks();
    refresh_tasks_ += op->refresh_tasks();
  }
}

template <class T>
void Machine<T>::read_input(const T* rows) {
  const Slot in = plan_.input_slot();
  // Nothing writes to the input but `load`.
  values_[static_cast<std::size_t>(in.value)] = rows ? View<T>{const_cast<T*>(rows), in.columns} : loaded_;
}

template <class T>
Context<T> Machine<T>::context(int thread, bool training, std::ptrdiff_t rows, std::uint64_t seed,
                               std::uint64_t step, const Update<T>* update) {
  return {.values = values_,
          .gradients = gradients_,
          .training = training,
          .rows = rows,
          .tile_rows = plan_.tile_rows(),
          .seed = seed,
          .step = step,
          .thread = thread,
          .scratch = scratch_[static_cast<std::size_t>(thread)].data(),
          .update = update};
}

template <class T>
int Machine<T>::tasks(const Phase<T>& phase, std::ptrdiff_t rows) const {
  if (phase.whole) return 1;
  if (!phase.tasks_of) return plan_.tiles(rows);
  return phase.backward_tasks ? phase.tasks_of->backward_tasks(rows) : phase.tasks_of->forward_tasks(rows);
}

template <class T>
bool Machine<T>::run_task(const Phase<T>& phase, const Context<T>& context, int task, BatchHooks<T>& hooks) {
  if (phase.tasks_of) {
    if (phase.backward_tasks)
      phase.tasks_of->backward_task(context, task);
    else
      phase.tasks_of->forward_task(context, task);
    return true;
  }
  const std::ptrdiff_t begin = task * plan_.tile_rows();
  const Tile tile{begin, phase.whole ? context.rows : std::min(context.rows, begin + plan_.tile_rows()),
                  task};
  const Slot in = plan_.input_slot(), out = plan_.output_slot();
  bool finite = true;
  for (const Call<T>& call : phase.calls) switch (call.action) {
      case Action::load:
        hooks.load(tile, value(in.value));
        break;
      case Action::forward:
        call.op->forward(context, tile);
        break;
      case Action::finish_forward:
        call.op->finish_forward(context, tile);
        break;
      case Action::collect:
        call.op->collect(context, tile);
        break;
      case Action::loss: {
        const View<T> prediction = value(out.value);
        finite = hooks.loss(tile, {prediction.data, prediction.row},
                            out.has_gradient() ? gradient(out.gradient) : View<T>{});
        break;
      }
      case Action::start_backward:
        call.op->start_backward(context, tile);
        break;
      case Action::collect_backward:
        call.op->collect_backward(context, tile);
        break;
      case Action::backward:
        call.op->backward(context, tile);
        break;
    }
  return finite;
}

template <class T>
void Machine<T>::combine(const Phase<T>& phase, const Context<T>& context) {
  for (Op<T>* op : phase.combine) op->combine(context);
  for (Op<T>* op : phase.combine_backward) op->combine_backward(context);
}

template <class T>
void Machine<T>::run_descent(int part, const Context<T>& context, BatchHooks<T>& hooks) {
  const Phase<T>& phase = plan_.descent_phases()[static_cast<std::size_t>(part)];
  run({&phase, 1}, context, hooks);
  const auto [action, op] = phase.calls.front();
  if (action == Action::backward)
    for (int task = 0; task < op->weight_tasks(); ++task) op->weight_task(context, task);
}

template <class T>
void Machine<T>::run(std::span<const Phase<T>> phases, const Context<T>& context, BatchHooks<T>& hooks) {
  for (const Phase<T>& phase : phases) {
    combine(phase, context);
    for (int task = 0; task < tasks(phase, context.rows); ++task) run_task(phase, context, task, hooks);
  }
}

template <class T>
void Machine<T>::run_weight_task(const Context<T>& context, int task) {
  for (const auto& op : plan_.ops()) {
    const int own = op->weight_tasks();
    if (task < own) return op->weight_task(context, task);
    task -= own;
  }
}

template <class T>
void Machine<T>::run_refresh_task(int task) {
  for (const auto& op : plan_.ops()) {
    const int own = op->refresh_tasks();
    if (task < own) return op->refresh_task(task);
    task -= own;
  }
}

template class Machine<float>;
template class Machine<double>;

}  // namespace deltarule::engine
