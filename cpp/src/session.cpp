#include <deltarule/engine/team.h>
#include <deltarule/session.h>
#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace deltarule {

using engine::padded;

namespace {

std::ptrdiff_t checked(std::ptrdiff_t max_batch) {
  constexpr std::ptrdiff_t most = std::numeric_limits<std::int32_t>::max();
  if (max_batch < 1 || max_batch > most)
    throw std::invalid_argument(
        "Session: max_batch = " + std::to_string(max_batch) + " is not allowed; allowed: 1 to " +
        std::to_string(most) + " (memory is taken for so many rows; run() takes any number, block by block)");
  return max_batch;
}

}  // namespace

template <class T>
Session<T>::Session(const Network<T>& network, std::ptrdiff_t max_batch)
    : plan_(network, {.max_rows = checked(max_batch)}),
      max_batch_(checked(max_batch)),
      input_width_(network.input_width()),
      output_width_(network.output_width()) {
  plan_.reserve();
  std::size_t size = 0;
  std::vector<std::size_t> places;
  for (const auto columns : plan_.value_columns()) {
    places.push_back(size);
    size += static_cast<std::size_t>(padded<T>(columns) * max_batch_) + 32;
    size = size / 16 * 16;
  }
  arena_ = engine::Buffer<T>(size);
  scratch_ = engine::Buffer<T>(plan_.scratch_size());
  for (std::size_t i = 0; i < places.size(); ++i)
    values_.push_back({arena_.data() + places[i], padded<T>(plan_.value_columns()[i])});
}

template <class T>
Session<T>::Session(const Network<T>& network, const Bfloat16Weights& weights, std::ptrdiff_t max_batch)
  requires std::same_as<T, float>
    : Session(network, max_batch) {
  // clang 14 instantiates this for double as well.
  if constexpr (std::same_as<T, float>) weights.give_to(plan_);
  if (const std::size_t size = weights.workspace(max_batch_); size > scratch_.size())
    scratch_ = engine::Buffer<T>(size);
}

template <class T>
template <class Forward>
void Session<T>::run_blocks(const T* in, T* out, std::ptrdiff_t rows, Forward&& forward) noexcept {
  const auto first = static_cast<std::size_t>(plan_.input_slot().value),
             last = static_cast<std::size_t>(plan_.output_slot().value);
  engine::Context<T> context;
  context.scratch = scratch_.data();
  if (error_) error_ = nullptr;
  for (std::ptrdiff_t begin = 0; begin < rows; begin += max_batch_) {
    const std::ptrdiff_t count = std::min(max_batch_, rows - begin);
    // The first operation reads the caller's rows and the last writes them: nothing is copied.
    values_[first] = {const_cast<T*>(in) + begin * input_width_, input_width_};
    T* target = out + begin * output_width_;
    if (first == last)
      std::copy_n(values_[first].data, count * input_width_, target);
    else
      values_[last] = {target, output_width_};
    context.values = values_;
    context.rows = context.tile_rows = count;
    const engine::Tile all{0, count, 0};
    try {
      for (const auto& op : plan_.ops()) forward(*op, context, all);
    } catch (...) {
      error_ = std::current_exception();
      std::fill_n(out, rows * output_width_, std::numeric_limits<T>::quiet_NaN());
      return;
    }
  }
}

template <class T>
void Session<T>::run(const T* in, T* out, std::ptrdiff_t rows) noexcept {
  run_blocks(in, out, rows, [](engine::Op<T>& op, const engine::Context<T>& c, const engine::Tile& all) {
    op.forward(c, all);
  });
}

template <class T>
void Session<T>::run_shared(int threads, const T* in, T* out, std::ptrdiff_t rows) {
  threads = std::min(threads, engine::most_threads);
  for (int t = 1 + static_cast<int>(more_scratch_.size()); t < threads; ++t)
    more_scratch_.emplace_back(scratch_.size());
  run_blocks(in, out, rows, [&](engine::Op<T>& op, const engine::Context<T>& c, const engine::Tile& all) {
    if (!op.by_tasks()) return op.forward(c, all);
    engine::parallel_for(threads, op.forward_tasks(c.rows), [&](int thread, int task) {
      engine::Context<T> own = c;
      own.thread = thread;
      if (thread > 0) own.scratch = more_scratch_[static_cast<std::size_t>(thread - 1)].data();
      op.forward_task(own, task);
    });
    op.finish_forward(c, all);
  });
}

template <class T>
bool Session<T>::large() const {
  return std::any_of(plan_.ops().begin(), plan_.ops().end(), [](const auto& op) { return op->by_tasks(); });
}

template class Session<float>;
template class Session<double>;

}  // namespace deltarule
