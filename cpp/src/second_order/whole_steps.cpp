// Steps that evaluate loss and gradient several times, as part of the loop over batches.
#include "whole_steps.h"

#include <deltarule/optimizers/lbfgs.h>
#include <algorithm>
#include <cmath>

#include "../message_text.h"
#include "../training_run.h"

namespace deltarule {
namespace second_order {

// Four chains of multiplications, each word in one of them (the finalizer of MurmurHash3 between them).
std::uint64_t fingerprint(std::uint64_t seed, const void* data, std::size_t bytes) {
  const auto mixed = [](std::uint64_t x) {
    x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
    x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
    return x ^ (x >> 33);
  };
  const auto* from = static_cast<const unsigned char*>(data);
  std::array<std::uint64_t, 4> chains{seed, ~seed, seed ^ bytes, 0};
  const auto take = [&](std::size_t chain, std::size_t at, std::size_t count) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, count);
    chains[chain] = (chains[chain] ^ word) * 0x9e3779b97f4a7c15ull;
    chains[chain] ^= chains[chain] >> 32;
  };
  std::size_t at = 0;
  for (; at + 32 <= bytes; at += 32)
    for (std::size_t k = 0; k < 4; ++k) take(k, at + 8 * k, 8);
  for (; at < bytes; at += 8) take(0, at, std::min<std::size_t>(8, bytes - at));
  std::uint64_t all = mixed(bytes);
  for (const std::uint64_t chain : chains) all = mixed(all ^ chain);
  return all;
}

void check_control(const Choice& rule, const TrainingControl& control,
                   std::span<const TensorSettings> tensors, bool clips) {
  const Reach reach = rule.entry->reach;
  if (reach == Reach::element || reach == Reach::tensor) return;
  const auto refuse = [&](const std::string& what, const std::string& why) {
    throw std::invalid_argument("optimizer '" + std::string(rule.entry->name) + "': " + what +
                                " is not allowed: " + why);
  };
  if (control.dp_clip_norm) refuse("dp_clip_norm", "its steps look at the data more than once");
  if (reach != Reach::network) return;
  if (const double decrease = rule.values[place_of<deltarule::Lbfgs>("sufficient_decrease")];
      !(decrease < rule.values[place_of<deltarule::Lbfgs>("curvature")]))
    refuse("sufficient_decrease = " + number(decrease), "it must be less than curvature");
  const std::string smooth = "the line search needs the gradient of a smooth loss as it is";
  if (clips) refuse("clip_norm or clip_value", smooth);
  if (control.mixup > 0) refuse("mixup", "it changes the loss from step to step");
  for (const TensorSettings& t : tensors) {
    if (t.l1 > 0) refuse("l1 (parameter '" + t.name + "')", smooth + "; allowed: l2");
    if (t.max_norm > 0) refuse("max_norm (parameter '" + t.name + "')", smooth);
    if (t.learning_rate_factor != 1)
      refuse("learning_rate_factor (parameter '" + t.name + "')",
             "one length is searched for all parameters");
  }
}

}  // namespace second_order

// Whether the step begins at the very point whose evaluation was the last one: the same weights, rows and
// statistics, and nothing random.
template <class T>
bool Trainer<T>::Run::begins_where_it_was(std::ptrdiff_t first) {
  if (!lbfgs_) return false;
  // Rows that are picked by an index are looked at one by one.
  const auto hash = [this]<class Number>(std::uint64_t seed, const Number* data, std::ptrdiff_t columns) {
    if (!data) return seed;
    const std::ptrdiff_t pieces = data_.index ? data_.rows : 1;
    const auto bytes = static_cast<std::size_t>(data_.rows / pieces * columns) * sizeof(Number);
    for (std::ptrdiff_t i = 0; i < pieces; ++i)
      seed = second_order::fingerprint(seed, data + (data_.index ? data_.at(i) * columns : 0), bytes);
    return seed;
  };
  std::uint64_t seen = hash(static_cast<std::uint64_t>(data_.rows), data_.x, width_);
  seen = hash(seen + 1, data_.target, target_width_);
  seen = hash(seen + 2, data_.weight, 1);
  seen = hash(seen + 3, data_.label, 1);
  const auto statistics = trainer_.network_.statistics();
  const bool same = first == 0 && rows_ == data_.rows && !order_ && !random_ && seen == fingerprint_ &&
                    std::ranges::equal(statistics, seen_statistics_) && lbfgs_->knows_this_point();
  fingerprint_ = seen;
  if (!same) lbfgs_->forget();
  return same;
}

template <class T>
double Trainer<T>::Run::objective() const {
  double sum = 0;
  for (std::ptrdiff_t i = 0; i < rows_; ++i) sum += losses_[static_cast<std::size_t>(i)];
  return sum * scale_ + penalty_;
}

// Loss and gradient at the weights are there.
template <class T>
void Trainer<T>::Run::evaluated(double loss) {
  using Next = typename second_order::Lbfgs<T>::Next;
  switch (lbfgs_->observe(loss)) {
    case Next::evaluate:
      if (asked_.load()) return leave(End::stopped);
      return enter(Stage::refresh);
    case Next::done: {
      const auto c = context(0);
      for (const auto& op : machine_.plan().ops()) op->learn_statistics(c);
      std::ranges::copy(trainer_.network_.statistics(), seen_statistics_.begin());
      if (rows_ < data_.rows) lbfgs_->forget();
      return average_rate_ > 0 ? enter(Stage::average) : end_step();
    }
    case Next::converged:
      // On a part of the rows there is nothing to gain, but there may be on others.
      return rows_ == data_.rows ? leave(End::converged) : enter(Stage::refresh);
    case Next::not_finite:
      return leave(End::bad_gradient);
  }
}

template <class T>
std::string Trainer<T>::Run::layer_of_bad_gradient() const {
  for (const TensorSettings& t : trainer_.tensors_)
    for (std::ptrdiff_t i = t.offset; i < t.offset + t.size(); ++i)
      if (!std::isfinite(update_.gradients[i])) return t.layer;
  return {};
}

template class Trainer<float>::Run;
template class Trainer<double>::Run;

}  // namespace deltarule
