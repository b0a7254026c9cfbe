#include "output_root.h"

#include <deltarule/engine/philox.h>
#include <algorithm>
#include <cmath>

namespace deltarule::second_order {

OutputRoot::OutputRoot(const Choice& loss, std::ptrdiff_t outputs)
    : loss_(loss), outputs_(outputs), diagonal_(loss_kernel<double>(loss.index).elementwise) {
  const auto n = static_cast<std::size_t>(outputs);
  unit_.assign(n, 1.0);
  hessian_.resize(diagonal_ ? n : n * n);
  root_.resize(hessian_.size());
}

void OutputRoot::check(const Choice& loss, std::ptrdiff_t outputs) {
  const auto refuse = [&](const std::string& what) {
    throw std::invalid_argument("optimizer 'natural_gradient': loss '" + std::string(loss.entry->name) +
                                "' " + what + "; allowed: fisher='empirical', or another loss");
  };
  const auto& kernel = loss_kernel<double>(loss.index);
  if (!kernel.elementwise && outputs > most_outputs)
    refuse(std::string("with ") + std::to_string(outputs) + " outputs would take too long: there may be " +
           std::to_string(most_outputs));
  outputs = std::min(outputs, most_outputs);  // each by itself: so many tell as much as all
  OutputRoot root(loss, outputs);
  const auto n = static_cast<std::size_t>(outputs);
  std::vector<double> prediction(n), target(n, 0.5);
  const std::int32_t label = 0;
  const bool labels = loss.entry->target == Target::label;
  bool curved = false;  // anywhere: at some logits, values or probabilities
  for (const double about : {0.05, 0.3, 0.7, 2.0, -1.0}) {
    for (std::size_t i = 0; i < n; ++i) prediction[i] = about + 0.2 / static_cast<double>(i + 1);
    root.factor({.rows = 1,
                 .outputs = n,
                 .prediction = prediction.data(),
                 .prediction_row = outputs,
                 .target = labels ? nullptr : target.data(),
                 .target_row = outputs / kernel.outputs_per_target,
                 .label = labels ? &label : nullptr,
                 .weight = nullptr},
                1);
    curved = curved || root.rank_ > 0;
  }
  if (!curved) refuse("has no second derivatives to take for the Fisher matrix");
}

void OutputRoot::factor(const LossRows<double>& row, double scale) {
  const auto n = static_cast<std::size_t>(outputs_);
  rank_ = 0;
  if (diagonal_) {
    loss_hessian_times(loss_.index, loss_.values, row, scale, unit_.data(), hessian_.data());
    for (std::size_t i = 0; i < n; ++i) {
      root_[i] = hessian_[i] > 0 ? std::sqrt(hessian_[i]) : 0;
      if (root_[i] > 0) rank_ = outputs_;
    }
    return;
  }
  for (std::size_t j = 0; j < n; ++j) {
    std::ranges::fill(unit_, 0.0);
    unit_[j] = 1;
    loss_hessian_times(loss_.index, loss_.values, row, scale, unit_.data(), &hessian_[j * n]);
  }
  // Cholesky decomposition with the largest remaining diagonal first, until nothing but rounding is left.
  double largest = 0;
  for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, hessian_[i * n + i]);
  for (const double enough = 1e-14 * largest; rank_ < outputs_; ++rank_) {
    std::size_t pivot = 0;
    for (std::size_t i = 1; i < n; ++i)
      if (hessian_[i * n + i] > hessian_[pivot * n + pivot]) pivot = i;
    const double d = hessian_[pivot * n + pivot];
    if (!(d > enough)) break;
    double* column = &root_[static_cast<std::size_t>(rank_) * n];
    for (std::size_t i = 0; i < n; ++i) column[i] = hessian_[i * n + pivot] / std::sqrt(d);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) hessian_[i * n + j] -= column[i] * column[j];
  }
}

void OutputRoot::column(std::ptrdiff_t pass, double* gradient) const {
  std::fill_n(gradient, outputs_, 0.0);
  if (pass >= rank_) return;
  if (diagonal_)
    gradient[pass] = root_[static_cast<std::size_t>(pass)];
  else
    std::copy_n(root_.data() + pass * outputs_, outputs_, gradient);
}

void OutputRoot::sample(std::uint64_t seed, std::uint64_t step, std::ptrdiff_t row, double* gradient) const {
  const auto key = engine::philox_key(seed, engine::Stream::fisher, 0);
  std::fill_n(gradient, outputs_, 0.0);
  std::array<std::uint32_t, 4> words{};
  for (std::ptrdiff_t k = 0; k < rank_; ++k) {
    if (k % 128 == 0)
      words = engine::philox(key, step,
                             static_cast<std::uint64_t>(row) << 24 | static_cast<std::uint64_t>(k / 128));
    const bool minus = words[static_cast<std::size_t>(k % 128 / 32)] >> (k % 32) & 1;
    if (diagonal_) {
      const double x = root_[static_cast<std::size_t>(k)];
      gradient[k] = minus ? -x : x;
    } else {
      const double* column = root_.data() + k * outputs_;
      for (std::ptrdiff_t i = 0; i < outputs_; ++i) gradient[i] += minus ? -column[i] : column[i];
    }
  }
}

}  // namespace deltarule::second_order
