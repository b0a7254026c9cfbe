// The parts of a step that are not in every training: mixed rows, clipped rows, and gradients that are
// changed before the rule sees them.
#include "mixup.h"
#include "training_run.h"

#include <deltarule/engine/squares.h>
#include <algorithm>
#include <cmath>

namespace deltarule {
namespace {

constexpr std::ptrdiff_t piece_size = 16384, column_count = 64;

}  // namespace

// Tasks of a separate update; none reaches over the end of a tensor.
template <class T>
void Trainer<T>::Run::cut() {
  if (update_.fused) return;
  for (const TensorSettings& t : trainer_.tensors_) {
    for (std::ptrdiff_t at = 0; at < t.size(); at += piece_size)
      pieces_.push_back({&t, t.offset + at, t.offset + std::min(t.size(), at + piece_size)});
    if (t.max_norm > 0)
      for (std::ptrdiff_t at = 0; at < t.columns; at += column_count)
        columns_.push_back({&t, at, std::min(t.columns, at + column_count)});
  }
  norms_.assign(pieces_.size(), 0.0);
  penalties_.assign(pieces_.size(), 0.0);
}

// lambda * row + (1 - lambda) * partner, for inputs and targets alike.
template <class T>
void Trainer<T>::Run::mix(std::ptrdiff_t i, T* input) {
  const std::ptrdiff_t other = (i + partner_) % rows_;
  engine::PhiloxSequence random(
      engine::philox_key(trainer_.seed_, engine::Stream::mixup, static_cast<std::uint32_t>(1 + i)),
      step_number_);
  const double share = beta_draw(trainer_.control_.mixup, random);
  const T own = static_cast<T>(share), rest = static_cast<T>(1 - share);
  const auto blend = [&](std::ptrdiff_t n, const T* partner, T* x) {
    for (std::ptrdiff_t j = 0; j < n; ++j) x[j] = own * x[j] + rest * partner[j];
  };
  blend(width_, row(other), input);
  blend(target_width_, data_.target + place(other) * target_width_, targets_.data() + i * target_width_);
}

// The loss is a mean over the batch, so the gradient of row i by itself is rows * delta_i x_i^T.
template <class T>
void Trainer<T>::Run::clip_rows(const engine::Tile& tile, const engine::Context<T>& context) {
  std::fill(row_norms_.begin() + tile.begin, row_norms_.begin() + tile.end, 0.0);
  for (const auto& op : machine_.plan().ops()) op->add_row_norms(context, tile, row_norms_.data());
  for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
    double& x = row_norms_[static_cast<std::size_t>(i)];
    const double norm = std::sqrt(x) / scale_;
    x = norm > *trainer_.control_.dp_clip_norm ? *trainer_.control_.dp_clip_norm / norm : 1;
  }
  for (const auto& op : machine_.plan().ops()) op->scale_rows(context, tile, row_norms_.data());
}

// Noise, penalties and the clipping of values; on the way the norm and the penalty of the piece.
template <class T>
void Trainer<T>::Run::adjust(std::size_t task) {
  const Piece& p = pieces_[task];
  const TensorSettings& t = *p.tensor;
  T* g = update_.gradients;
  const T* w = update_.parameters;
  const TrainingControl& control = trainer_.control_;
  if (control.dp_noise_multiplier > 0) {
    const auto key = engine::philox_key(trainer_.seed_, engine::Stream::privacy, 0);
    const double deviation = control.dp_noise_multiplier * *control.dp_clip_norm * scale_;
    for (std::ptrdiff_t i = p.begin; i < p.end; ++i) {
      const auto bits = engine::philox(key, step_number_, static_cast<std::uint64_t>(i));
      const std::uint64_t high = bits[0];
      const double u = (static_cast<double>((high << 20) ^ (bits[1] >> 12)) + 0.5) * 0x1p-52;
      g[i] = static_cast<T>(static_cast<double>(g[i]) + deviation * engine::normal_quantile(u));
    }
  }
  if (t.penalized()) {
    penalties_[task] = trainer_.penalty(t, p.begin, p.end);
    const T l1 = static_cast<T>(t.l1), l2 = static_cast<T>(2 * t.l2);
    for (std::ptrdiff_t i = p.begin; i < p.end; ++i)
      g[i] += l2 * w[i] + (w[i] > 0 ? l1 : w[i] < 0 ? -l1 : T(0));
  }
  if (trainer_.clip_value_) {
    const T limit = static_cast<T>(*trainer_.clip_value_);
    for (std::ptrdiff_t i = p.begin; i < p.end; ++i) g[i] = std::clamp(g[i], -limit, limit);
  }
  if (trainer_.clip_norm_) norms_[task] = engine::squared_norm(g + p.begin, p.end - p.begin);
}

template <class T>
void Trainer<T>::Run::fold_adjusted() {
  double penalty = 0, square = 0;
  for (const double x : penalties_) penalty += x;
  for (const double x : norms_) square += x;
  // The penalty belongs to the loss of every row. sums_: loss, weight.
  if (penalty > 0 && scale_ > 0 && !searching()) trainer_.sums_[0] += penalty / scale_;
  penalty_ = penalty;
  factor_ = 1;
  if (!trainer_.clip_norm_) return;
  const double norm = std::sqrt(square);
  if (norm > *trainer_.clip_norm_) factor_ = *trainer_.clip_norm_ / norm;
}

template <class T>
void Trainer<T>::Run::scale(const Piece& p) {
  T* g = update_.gradients;
  for (std::ptrdiff_t i = p.begin; i < p.end; ++i) g[i] = static_cast<T>(static_cast<double>(g[i]) * factor_);
}

template <class T>
void Trainer<T>::Run::apply(const Piece& p) {
  if (factor_ != 1) scale(p);
  const std::ptrdiff_t n = p.end - p.begin;
  if (!update_.apply(p.begin, 1, n, n, update_.gradients + p.begin, n)) fail(*p.tensor);
}

template <class T>
void Trainer<T>::Run::plan_passes() {
  const TensorKernel<T>* rule = update_.kernel->whole;
  if (!rule) return;
  const Values& values = trainer_.optimizer_.values;
  passes_.resize(static_cast<std::size_t>(rule->passes(values)));
  std::size_t workspace = 0;
  for (std::size_t i = 0; i < trainer_.tensors_.size(); ++i) {
    const TensorShape shape = trainer_.tensors_[i].shape();
    const TensorCost cost = rule->cost(values, shape);
    tensor_memory_.push_back({engine::Buffer<T>(cost.scratch), std::vector<double>(cost.sums)});
    workspace = std::max(workspace, cost.workspace);
    for (std::size_t pass = 0; pass < passes_.size(); ++pass)
      for (int task = 0; task < rule->tasks(shape, static_cast<int>(pass)); ++task)
        passes_[pass].push_back({i, task});
  }
  for (int t = 0; t < machine_.threads(); ++t) tensor_workspaces_.emplace_back(workspace);
}

template <class T>
void Trainer<T>::Run::run_pass(int thread, const TensorTask& task) {
  const TensorSettings& t = trainer_.tensors_[task.tensor];
  TensorMemory& memory = tensor_memory_[task.tensor];
  UpdateTensor<T> tensor{t.shape(), update_.gradients + t.offset, update_.parameters + t.offset,
                         {},        memory.scratch.data(),        memory.sums.data()};
  for (std::size_t i = 0; i < static_cast<std::size_t>(update_.states); ++i)
    tensor.state[i] = update_.state[i] + t.offset;
  if (!update_.kernel->whole->run(t.values, update_.constants_at(t.offset), tensor, static_cast<int>(pass_),
                                  task.task, tensor_workspaces_[static_cast<std::size_t>(thread)].data()))
    fail(t);
}

// A rule from outside the catalogue sees everything at once. Where it throws, nothing has changed.
template <class T>
void Trainer<T>::Run::run_rule() {
  const std::span<T> parameters = trainer_.network_.parameters(), gradient = trainer_.network_.gradients();
  if (factor_ != 1)
    for (const Piece& p : pieces_) scale(p);
  const std::vector<T> before(parameters.begin(), parameters.end());
  try {
    (*rule_)({parameters, gradient, rate_, trainer_.step_ + 1});
    if (const auto bad = std::ranges::find_if(parameters, [](T w) { return !std::isfinite(w); });
        bad != parameters.end()) {
      const auto at = bad - parameters.begin();
      const auto tensor = std::ranges::find_if(trainer_.tensors_, [&](const TensorSettings& t) {
        return at >= t.offset && at < t.offset + t.size();
      });
      const std::string layer = tensor == trainer_.tensors_.end() ? "" : tensor->layer;
      throw NonFiniteError("training stopped: a weight of layer '" + layer +
                               "' is not finite any more after the optimizer '" +
                               std::string(trainer_.optimizer_.entry->name) +
                               "'. The weights are those of the last finite step.",
                           epoch_, step_, layer);
    }
  } catch (...) {
    std::ranges::copy(before, parameters.begin());
    throw;
  }
}

template <class T>
void Trainer<T>::Run::fail(const TensorSettings& tensor) {
  for (const auto& op : machine_.plan().ops())
    if (op->layer == tensor.layer) return update_.fail(op->number);
}

// Columns of a weight matrix, the weights into one unit each, are scaled down to the largest norm allowed.
template <class T>
void Trainer<T>::Run::constrain(const Columns& c) {
  const TensorSettings& t = *c.tensor;
  T* w = update_.parameters + t.offset;
  std::array<double, column_count> factors{};
  for (std::ptrdiff_t i = 0; i < t.rows; ++i)
    for (std::ptrdiff_t j = c.begin; j < c.end; ++j) {
      const auto x = static_cast<double>(w[i * t.columns + j]);
      factors[static_cast<std::size_t>(j - c.begin)] += x * x;
    }
  bool any = false;
  for (double& x : factors) {
    const double norm = std::sqrt(x);
    any = any || norm > t.max_norm;
    x = norm > t.max_norm ? t.max_norm / norm : 1;
  }
  if (!any) return;
  for (std::ptrdiff_t i = 0; i < t.rows; ++i)
    for (std::ptrdiff_t j = c.begin; j < c.end; ++j) {
      T& x = w[i * t.columns + j];
      x = static_cast<T>(static_cast<double>(x) * factors[static_cast<std::size_t>(j - c.begin)]);
    }
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
