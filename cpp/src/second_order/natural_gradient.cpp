#include "natural_gradient.h"

#include <deltarule/engine/gemm.h>
#include <deltarule/optimizers/natural_gradient.h>
#include <algorithm>
#include <cmath>

#include "cholesky.h"

namespace deltarule::second_order {
namespace {

constexpr std::ptrdiff_t rows_per_task = 64;
constexpr double most_numbers = 1 << 26;  // of one layer's matrices

consteval std::size_t place(std::string_view parameter) {
  return place_of<deltarule::NaturalGradient>(parameter);
}

}  // namespace

bool asks_the_loss(const Choice& rule) {
  return rule.entry->reach == Reach::layer &&
         static_cast<int>(rule.values[place("fisher")]) != NaturalGradient<float>::empirical;
}

template <class T>
std::vector<LayerState<T>> layer_states(const Network<T>& network, const Choice& rule, bool allocate) {
  std::vector<LayerState<T>> states;
  if (rule.entry->reach != Reach::layer) return states;
  const auto refuse = [&](const std::string& layer, const std::string& what) {
    throw std::invalid_argument("optimizer '" + std::string(rule.entry->name) + "': layer '" + layer + "' " +
                                what);
  };
  const engine::Plan<T> plan(network, {.max_rows = 1, .training = true});
  for (const auto& op : plan.ops())
    if (op->needs_batch())
      refuse(op->layer, std::string("(") + op->describe() +
                            ") looks at all rows of a batch together; allowed: layers " +
                            "that treat every row by itself");
  const auto maps = affine_operations(plan);
  for (const Tensor& t : network.tensors()) {
    const bool covered = std::ranges::any_of(maps, [&](const auto& m) {
      return m.map.weight.offset == t.offset || (m.map.bias.data && m.map.bias.offset == t.offset);
    });
    if (t.trained() && !covered)
      refuse(t.layer, "has the parameter '" + t.name + "', for which there is no Fisher matrix; allowed: " +
                          "dense layers, and layers without parameters");
  }
  for (const auto& [op, affine, map] : maps) {
    const std::ptrdiff_t inputs = map.in.columns + (map.bias.data ? 1 : 0), outputs = map.out.columns;
    const auto n = static_cast<double>(inputs), k = static_cast<double>(outputs);
    const bool by_unit = static_cast<int>(rule.values[place("method")]) == NaturalGradient<T>::unitwise;
    if ((by_unit ? n * n * k : n * n + k * k) > most_numbers)
      refuse(op->layer, std::string("(") + op->describe() +
                            ") is too large: its matrices would have more than " +
                            std::to_string(static_cast<long>(most_numbers)) + " numbers" +
                            (by_unit ? "; allowed: method='kfac', or a smaller layer" : ""));
    const auto add = [&, layer = op->layer](const char* name, std::vector<std::ptrdiff_t> shape) {
      std::size_t size = allocate ? 1 : 0;
      for (const auto length : shape) size *= static_cast<std::size_t>(length);
      states.push_back({layer + "." + name, std::move(shape), engine::Buffer<T>(size)});
    };
    if (by_unit) {
      add("unit_factors", {outputs, inputs, inputs});
    } else {
      add("input_factor", {inputs, inputs});
      add("output_factor", {outputs, outputs});
    }
  }
  return states;
}

template <class T>
NaturalGradient<T>::NaturalGradient(const Choice& rule, const engine::Machine<T>& machine,
                                    std::span<LayerState<T>> states, int threads)
    : method_(static_cast<Method>(static_cast<int>(rule.values[place("method")]))),
      fisher_(static_cast<Fisher>(static_cast<int>(rule.values[place("fisher")]))),
      damping_(rule.values[place("damping")]),
      decay_(rule.values[place("factor_decay")]),
      kl_clip_(rule.values[place("kl_clip")]),
      interval_(static_cast<std::uint64_t>(rule.values[place("update_interval")])),
      machine_(machine) {
  const std::ptrdiff_t rows = machine.plan().max_rows();
  std::size_t state = 0;
  for (const auto& [op, affine, map] : affine_operations(machine.plan())) {
    Block b;
    b.map = map;
    b.inputs = map.in.columns + (map.bias.data ? 1 : 0);
    b.outputs = map.out.columns;
    b.mean_of_inputs = &states[state++].data;
    b.mean_of_outputs = method_ == kfac ? &states[state++].data : nullptr;
    b.x = engine::Buffer<double>(static_cast<std::size_t>(rows * b.x_row()));
    b.delta = engine::Buffer<double>(static_cast<std::size_t>(rows * b.delta_row()));
    b.of_inputs = engine::Buffer<double>(b.mean_of_inputs->size());
    if (method_ == kfac) {
      b.of_outputs = engine::Buffer<double>(b.mean_of_outputs->size());
      b.turned = engine::Buffer<double>(static_cast<std::size_t>(b.inputs * b.outputs));
    }
    b.solved = engine::Buffer<double>(static_cast<std::size_t>(b.inputs * b.outputs));
    blocks_.push_back(std::move(b));
  }
  cut();
  products_.resize(method_ == kfac ? rows_of_gradients_.size() : columns_.size());
  std::size_t size = 0;
  for (const Block& b : blocks_)
    for (const std::ptrdiff_t n : {b.inputs, b.outputs})
      size = std::max(
          {size, cholesky_scratch(n), engine::workspace_size<double>(std::min(n, rows_per_task), n, rows)});
  for (int t = 0; t < threads; ++t) workspaces_.emplace_back(size);
}

template <class T>
void NaturalGradient<T>::cut() {
  const auto pieces = [](std::vector<Task>& tasks, std::size_t block, bool outputs, std::ptrdiff_t n,
                         std::ptrdiff_t size) {
    for (std::ptrdiff_t at = 0; at < n; at += size)
      tasks.push_back({block, outputs, at, std::min(n, at + size)});
  };
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const Block& b = blocks_[i];
    if (method_ == kfac) {
      pieces(factors_, i, false, b.inputs, rows_per_task);
      pieces(factors_, i, true, b.outputs, rows_per_task);
      inverses_.push_back({i, false, 0, b.inputs});
      inverses_.push_back({i, true, 0, b.outputs});
      pieces(columns_, i, false, b.outputs, most_vectors);
      pieces(rows_of_gradients_, i, true, b.inputs, most_vectors);
    } else {
      pieces(factors_, i, false, b.outputs, 1);
      pieces(inverses_, i, false, b.outputs, 1);
      pieces(columns_, i, false, b.outputs, 1);
    }
  }
}

template <class T>
bool NaturalGradient<T>::due(std::uint64_t step) const {
  return step < interval_ || step % interval_ == 0;
}

// The running means begin as plain means: 1, 1/2, 1/3 ... of the new one, until the decay is reached.
template <class T>
void NaturalGradient<T>::begin(std::uint64_t step, std::ptrdiff_t rows, int passes) {
  const auto before = static_cast<double>(step < interval_ ? step : interval_ + step / interval_ - 1);
  rows_ = rows;
  pass_ = 0;
  passes_ = passes;
  for (Block& b : blocks_) {
    const bool empty = std::ranges::all_of(b.mean_of_inputs->span(), [](T x) { return x == 0; });
    b.keep = empty ? 0 : std::min(decay_, before / (before + 1));
  }
}

template <class T>
void NaturalGradient<T>::take_row(std::ptrdiff_t row, double share) {
  const double root = std::sqrt(share);
  const double of_delta = fisher_ != empirical ? 1 : share > 0 ? 1 / root : 0;
  for (Block& b : blocks_) {
    const T* g = machine_.gradient(b.map.out.gradient).at(row);
    double* delta = b.delta.data() + row * b.delta_row();
    for (std::ptrdiff_t j = 0; j < b.outputs; ++j) delta[j] = of_delta * static_cast<double>(g[j]);
    if (pass_ > 0) continue;
    const T* x = machine_.value(b.map.in.value).at(row);
    double* to = b.x.data() + row * b.x_row();
    const double factor = method_ == kfac ? root : 1;
    for (std::ptrdiff_t i = 0; i < b.map.in.columns; ++i) to[i] = factor * static_cast<double>(x[i]);
    if (b.map.bias.data) to[b.inputs - 1] = factor;
  }
}

// Sum of delta^2 x x^T over the rows: the triangle below the diagonal.
template <class T>
void NaturalGradient<T>::unit_sum(const Block& b, std::ptrdiff_t unit, double* sum) const {
  for (std::ptrdiff_t r = 0; r < rows_; ++r) {
    const double* x = b.x.data() + r * b.x_row();
    const double delta = b.delta.data()[r * b.delta_row() + unit];
    if (delta == 0) continue;
    for (std::ptrdiff_t i = 0; i < b.inputs; ++i) {
      const double factor = delta * delta * x[i];
      double* row = sum + i * b.inputs;
      for (std::ptrdiff_t j = 0; j <= i; ++j) row[j] += factor * x[j];
    }
  }
}

// Rows begin .. end of a symmetric matrix: what lies below the diagonal is given, both sides are written.
template <class T>
void NaturalGradient<T>::blend(double keep, std::ptrdiff_t n, std::ptrdiff_t begin, std::ptrdiff_t end,
                               const double* sum, T* mean) {
  for (std::ptrdiff_t i = begin; i < end; ++i)
    for (std::ptrdiff_t j = 0; j <= i; ++j)
      mean[j * n + i] = mean[i * n + j] =
          static_cast<T>(keep * static_cast<double>(mean[i * n + j]) + (1 - keep) * sum[i * n + j]);
}

template <class T>
void NaturalGradient<T>::factor_task(int thread, int task) {
  const Task& t = factors_[static_cast<std::size_t>(task)];
  Block& b = blocks_[t.block];
  const bool last = pass_ + 1 == passes_;
  if (method_ == unitwise) {
    const std::ptrdiff_t size = b.inputs * b.inputs;
    double* sum = b.of_inputs.data() + t.begin * size;
    if (pass_ == 0) std::fill_n(sum, size, 0.0);
    unit_sum(b, t.begin, sum);
    if (last) blend(b.keep, b.inputs, 0, b.inputs, sum, b.mean_of_inputs->data() + t.begin * size);
    return;
  }
  if (!t.outputs && pass_ > 0) return;  // the inputs are the same
  const std::ptrdiff_t n = t.outputs ? b.outputs : b.inputs, row = t.outputs ? b.delta_row() : b.x_row();
  const double* from = t.outputs ? b.delta.data() : b.x.data();
  double* sum = t.outputs ? b.of_outputs.data() : b.of_inputs.data();
  engine::multiply<double>({.m = t.end - t.begin,
                            .n = t.end,
                            .k = rows_,
                            .a = from + t.begin,
                            .a_row = 1,
                            .a_step = row,
                            .b = from,
                            .b_step = row,
                            .c = sum + t.begin * n,
                            .c_row = n,
                            .start = pass_ == 0 ? engine::Start::zero : engine::Start::accumulate},
                           workspace(thread));
  if (last || !t.outputs)
    blend(b.keep, n, t.begin, t.end, sum, (t.outputs ? b.mean_of_outputs : b.mean_of_inputs)->data());
}

template <class T>
void NaturalGradient<T>::inverse_task(int thread, int task) {
  const Task& t = inverses_[static_cast<std::size_t>(task)];
  Block& b = blocks_[t.block];
  const std::ptrdiff_t n = t.outputs ? b.outputs : b.inputs;
  const std::ptrdiff_t at = method_ == unitwise ? t.begin * n * n : 0;
  const T* mean = (t.outputs ? b.mean_of_outputs : b.mean_of_inputs)->data() + at;
  double* matrix = (t.outputs ? b.of_outputs : b.of_inputs).data() + at;
  double damping = damping_;
  if (method_ == kfac) {
    const auto trace = [](const engine::Buffer<T>& m, std::ptrdiff_t size) {
      double sum = 0;
      for (std::ptrdiff_t i = 0; i < size; ++i) sum += static_cast<double>(m.data()[i * size + i]);
      return sum / static_cast<double>(size);
    };
    const double inputs = trace(*b.mean_of_inputs, b.inputs), outputs = trace(*b.mean_of_outputs, b.outputs);
    const double ratio = inputs > 0 && outputs > 0 ? std::sqrt(inputs / outputs) : 1;
    damping = std::sqrt(damping_) * (t.outputs ? 1 / ratio : ratio);
  }
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    for (std::ptrdiff_t j = 0; j <= i; ++j) matrix[i * n + j] = static_cast<double>(mean[i * n + j]);
    matrix[i * n + i] += damping;
  }
  // Not a number, so that the update is refused as any other that is not finite.
  if (!cholesky(n, matrix, workspace(thread))) matrix[0] = std::numeric_limits<double>::quiet_NaN();
}

template <class T>
void NaturalGradient<T>::input_task(int thread, int task, T* gradients) {
  const Task& t = columns_[static_cast<std::size_t>(task)];
  Block& b = blocks_[t.block];
  const std::ptrdiff_t n = b.inputs, k = b.outputs;
  double* v = b.solved.data() + t.begin * n;
  const auto element = [&](std::ptrdiff_t i, std::ptrdiff_t j) -> T& {
    return gradients[i < b.map.in.columns ? b.map.weight.offset + i * k + j : b.map.bias.offset + j];
  };
  for (std::ptrdiff_t i = 0; i < n; ++i)
    for (std::ptrdiff_t j = t.begin; j < t.end; ++j)
      v[(j - t.begin) * n + i] = static_cast<double>(element(i, j));
  const double* l = b.of_inputs.data() + (method_ == unitwise ? t.begin * n * n : 0);
  cholesky_solve(n, l, t.end - t.begin, v, workspace(thread));
  double product = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i)
    for (std::ptrdiff_t j = t.begin; j < t.end; ++j) {
      const double x = v[(j - t.begin) * n + i];
      if (method_ == kfac) {
        b.turned.data()[i * k + j] = x;
      } else {
        product += static_cast<double>(element(i, j)) * x;
        element(i, j) = static_cast<T>(x);
      }
    }
  if (method_ == unitwise) products_[static_cast<std::size_t>(task)] = product;
}

template <class T>
void NaturalGradient<T>::output_task(int thread, int task, T* gradients) {
  const Task& t = rows_of_gradients_[static_cast<std::size_t>(task)];
  Block& b = blocks_[t.block];
  const std::ptrdiff_t k = b.outputs;
  double* v = b.turned.data() + t.begin * k;
  double product = 0;
  cholesky_solve(k, b.of_outputs.data(), t.end - t.begin, v, workspace(thread));
  for (std::ptrdiff_t i = t.begin; i < t.end; ++i, v += k) {
    T* to = gradients + (i < b.map.in.columns ? b.map.weight.offset + i * k : b.map.bias.offset);
    for (std::ptrdiff_t j = 0; j < k; ++j) {
      product += static_cast<double>(to[j]) * v[j];
      to[j] = static_cast<T>(v[j]);
    }
  }
  products_[static_cast<std::size_t>(task)] = product;
}

template <class T>
double NaturalGradient<T>::shortening(double length, double scale, double loss) const {
  double product = 0;
  for (const double x : products_) product += x;
  const double divergence = length * length * scale * scale * product;
  const double limit = kl_clip_ * std::max(1.0, std::abs(loss));
  return limit > 0 && divergence > limit ? std::sqrt(limit / divergence) : 1;
}

template std::vector<LayerState<float>> layer_states(const Network<float>&, const Choice&, bool);
template std::vector<LayerState<double>> layer_states(const Network<double>&, const Choice&, bool);
template class NaturalGradient<float>;
template class NaturalGradient<double>;

}  // namespace deltarule::second_order
