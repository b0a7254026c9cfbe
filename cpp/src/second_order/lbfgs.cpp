#include "lbfgs.h"

#include <deltarule/optimizers/lbfgs.h>
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "inner_product.h"

namespace deltarule::second_order {
namespace {

constexpr int most_idle_steps = 5;

consteval std::size_t place(std::string_view parameter) { return place_of<deltarule::Lbfgs>(parameter); }

// A loss is a sum of rows computed in T: its digits end somewhere here.
template <class T>
constexpr double relative_noise = sizeof(T) == 4 ? 1e-6 : 1e-14;

std::string text(const char* format, double a, double b) {
  char buffer[160];
  std::snprintf(buffer, sizeof(buffer), format, a, b);
  return buffer;
}

}  // namespace

template <class T>
Lbfgs<T>::Lbfgs(const Values& values, std::span<engine::Buffer<T>> pairs, std::span<T> weights,
                std::span<const T> gradient)
    : gradient_tolerance_(values[place("gradient_tolerance")]),
      loss_tolerance_(values[place("loss_tolerance")]),
      settings_{values[place("sufficient_decrease")], values[place("curvature")], 0,
                static_cast<int>(values[place("max_evaluations")])},
      pairs_(pairs),
      weights_(weights),
      gradient_(gradient),
      start_(weights.size()),
      start_gradient_(weights.size()),
      direction_(weights.size()),
      shares_(pairs.size() / 2),
      products_(pairs.size() / 2) {}

template <class T>
void Lbfgs<T>::begin(double first_length) {
  first_length_ = first_length;
  searching_ = false;
}

template <class T>
bool Lbfgs<T>::knows_this_point() const {
  return known_ && std::ranges::equal(weights_, start_);
}

template <class T>
typename Lbfgs<T>::Next Lbfgs<T>::observe(double loss) {
  if (searching_) {
    const double slope = inner_product(weights_.size(), gradient_.data(), direction_.data());
    switch (search_.observe(loss, slope)) {
      case LineSearch::Found::nothing_yet:
        move(search_.step());
        return Next::evaluate;
      case LineSearch::Found::step:
        accept(loss);
        return Next::done;
      case LineSearch::Found::nothing:
        break;
    }
    withdraw();
    if (used_ == 0)
      return stop("no lower loss was found along the steepest descent: the loss cannot be resolved better");
    for (auto& array : pairs_) std::ranges::fill(array.span(), T(0));
    return set_out();
  }
  if (!known_) {
    idle_ = 0;
    std::ranges::copy(weights_, start_.begin());
    std::ranges::copy(gradient_, start_gradient_.begin());
    loss_ = loss;
  }
  double largest = 0;
  for (const T g : start_gradient_) {
    if (!std::isfinite(g)) return Next::not_finite;
    largest = std::max(largest, std::abs(static_cast<double>(g)));
  }
  if (largest <= gradient_tolerance_)
    return stop(text("converged: the largest element of the gradient is %.3g, gradient_tolerance is %.3g",
                     largest, gradient_tolerance_));
  if (idle_ >= most_idle_steps)
    return stop(
        text("converged: each of the last %.0f steps lowered the loss by no more than "
             "loss_tolerance = %.3g of it",
             most_idle_steps, loss_tolerance_));
  return set_out();
}

// From the start along a new direction.
template <class T>
typename Lbfgs<T>::Next Lbfgs<T>::set_out() {
  find_direction();
  double first = first_length_;
  if (used_ == 0) {  // nothing is known about lengths yet
    const double size = sum(direction_.size(), [&](std::size_t i) { return std::abs(direction_[i]); });
    first *= std::min(1.0, 1 / size);
  }
  settings_.noise = relative_noise<T> * std::abs(loss_);
  search_.start(settings_, loss_, slope_, first);
  searching_ = true;
  known_ = false;
  move(first);
  return Next::evaluate;
}

template <class T>
typename Lbfgs<T>::Next Lbfgs<T>::stop(std::string reason) {
  reason_ = std::move(reason);
  return Next::converged;
}

// The two-loop recursion: direction = -H gradient, and its slope.
template <class T>
void Lbfgs<T>::find_direction() {
  const std::size_t n = direction_.size();
  double* d = direction_.data();
  for (std::size_t i = 0; i < n; ++i) d[i] = -static_cast<double>(start_gradient_[i]);
  for (used_ = 0; used_ < shares_.size(); ++used_) {
    const std::size_t k = used_;
    products_[k] = inner_product(n, step(k), change(k));
    if (!(products_[k] > 0)) break;
    shares_[k] = inner_product(n, step(k), d) / products_[k];
    const T* y = change(k);
    for (std::size_t i = 0; i < n; ++i) d[i] -= shares_[k] * static_cast<double>(y[i]);
  }
  if (used_ > 0) {
    const double scale = products_[0] / inner_product(n, change(0), change(0));
    for (std::size_t i = 0; i < n; ++i) d[i] *= scale;
  }
  for (std::size_t k = used_; k-- > 0;) {
    const double share = shares_[k] - inner_product(n, change(k), d) / products_[k];
    const T* s = step(k);
    for (std::size_t i = 0; i < n; ++i) d[i] += share * static_cast<double>(s[i]);
  }
  slope_ = inner_product(n, start_gradient_.data(), d);
  if (used_ == 0 || (slope_ < 0 && std::isfinite(slope_))) return;
  // Rounding has spoilt the pairs: the steepest descent, which needs none.
  for (auto& array : pairs_) std::ranges::fill(array.span(), T(0));
  find_direction();
}

template <class T>
void Lbfgs<T>::move(double length) {
  for (std::size_t i = 0; i < weights_.size(); ++i)
    weights_[i] = static_cast<T>(static_cast<double>(start_[i]) + length * direction_[i]);
}

template <class T>
void Lbfgs<T>::withdraw() {
  std::ranges::copy(start_, weights_.begin());
  searching_ = false;
}

template <class T>
void Lbfgs<T>::accept(double loss) {
  searching_ = false;
  const std::size_t n = weights_.size();
  const auto s = [&](std::size_t i) { return static_cast<double>(weights_[i] - start_[i]); };
  const auto y = [&](std::size_t i) { return static_cast<double>(gradient_[i] - start_gradient_[i]); };
  const double product = sum(n, [&](std::size_t i) { return s(i) * y(i); });
  const double sizes = std::sqrt(sum(n, [&](std::size_t i) { return s(i) * s(i); }) *
                                 sum(n, [&](std::size_t i) { return y(i) * y(i); }));
  if (product > static_cast<double>(std::numeric_limits<T>::epsilon()) * sizes) {
    std::rotate(pairs_.begin(), pairs_.end() - 2, pairs_.end());
    for (std::size_t i = 0; i < n; ++i) {
      step(0)[i] = weights_[i] - start_[i];
      change(0)[i] = gradient_[i] - start_gradient_[i];
    }
  }
  idle_ = loss_ - loss <= loss_tolerance_ * std::abs(loss_) ? idle_ + 1 : 0;
  loss_ = loss;
  std::ranges::copy(weights_, start_.begin());
  std::ranges::copy(gradient_, start_gradient_.begin());
  known_ = true;
}

template class Lbfgs<float>;
template class Lbfgs<double>;

}  // namespace deltarule::second_order
