#include <deltarule/engine/philox.h>
#include <deltarule/historical/delta_rule.h>
#include <deltarule/historical/perceptron.h>
#include <deltarule/historical/threshold_unit.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace deltarule::historical {
namespace {

using P = simd::Pack<double>;

double dot(std::ptrdiff_t n, const double* a, const double* b) {
  return simd::sum<double>(static_cast<std::size_t>(n),
                           [&](auto span) { return span.load(a) * span.load(b); });
}

// y += factor x
void add(std::ptrdiff_t n, double factor, const double* x, double* y) {
  simd::each<double>(static_cast<std::size_t>(n),
                     [&](auto span) { span.store(y, span.load(y) + P(factor) * span.load(x)); });
}

double activity(const Unit& unit, std::ptrdiff_t columns, const double* x) {
  return dot(columns, unit.weight, x) + (unit.bias ? *unit.bias : 0);
}

void move(const Unit& unit, std::ptrdiff_t columns, double factor, const double* x) {
  add(columns, factor, x, unit.weight);
  if (unit.bias) *unit.bias += factor;
}

// The orders in which the patterns come by.
class Order {
 public:
  Order(std::ptrdiff_t rows, const Training& training)
      : rows_(static_cast<std::size_t>(rows)), shuffle_(training.shuffle), seed_(training.seed) {
    std::iota(rows_.begin(), rows_.end(), 0u);
  }
  const std::vector<std::uint32_t>& epoch(std::int64_t number) {
    if (!shuffle_) return rows_;
    engine::PhiloxSequence random(engine::philox_key(seed_, engine::Stream::shuffle, 0),
                                  static_cast<std::uint64_t>(number));
    for (auto i = static_cast<std::uint32_t>(rows_.size()); i > 1; --i)
      std::swap(rows_[i - 1], rows_[random.below(i)]);
    return rows_;
  }

 private:
  std::vector<std::uint32_t> rows_;
  bool shuffle_;
  std::uint64_t seed_;
};

// What a pattern says: its loss, and the factor of x in the step, -dloss/du.
struct Lesson {
  double loss, factor;
};

double logistic(double u) {
  const double e = std::exp(-std::fabs(u));
  return (u < 0 ? e : 1.0) / (1 + e);
}

Lesson lesson(Output output, double u, double t) {
  if (output == Output::linear) return {0.5 * (t - u) * (t - u), t - u};
  const double y = logistic(u), opposite = logistic(-u);
  const double error = t * opposite - (1 - t) * y;  // t - y, without cancellation
  if (output == Output::sigmoid)
    return {std::max(u, 0.0) - u * t + std::log1p(std::exp(-std::fabs(u))), error};
  return {0.5 * error * error, error * y * opposite};
}

}  // namespace

void ThresholdUnit::fire(std::ptrdiff_t rows, const double* x, double* y) const {
  for (std::ptrdiff_t i = 0; i < rows; ++i, x += columns) {
    bool inhibited = false;
    for (std::ptrdiff_t j = 0; absolute_inhibition && j < columns; ++j)
      inhibited = inhibited || (weight[j] < 0 && x[j] != 0);
    y[i] = !inhibited && dot(columns, weight, x) >= threshold ? 1 : 0;
  }
}

Learned learn_perceptron(const Patterns& p, const Training& training, Unit unit) {
  Learned learned;
  Order order(p.rows, training);
  for (std::int64_t epoch = 0; epoch < training.max_epochs && !learned.converged; ++epoch) {
    std::int64_t mistakes = 0;
    for (const std::uint32_t row : order.epoch(epoch)) {
      const double* x = p.x + row * p.columns;
      const double u = activity(unit, p.columns, x), t = p.target[row];
      if ((u > 0) == (t > 0)) continue;
      ++mistakes;
      move(unit, p.columns, training.learning_rate * t, x);
    }
    learned.updates.push_back(mistakes);
    learned.loss.push_back(static_cast<double>(mistakes) / static_cast<double>(p.rows));
    learned.converged = mistakes == 0;
    learned.finite =
        (!unit.bias || std::isfinite(*unit.bias)) &&
        std::all_of(unit.weight, unit.weight + p.columns, [](double w) { return std::isfinite(w); });
    if (!learned.finite || (training.poll && training.poll())) break;
  }
  return learned;
}

MistakeBound mistake_bound(const Patterns& p, const double* weight, const double* bias) {
  MistakeBound bound{.alpha = std::numeric_limits<double>::infinity()};
  for (std::ptrdiff_t i = 0; i < p.rows; ++i) {
    const double* x = p.x + i * p.columns;
    const double u = dot(p.columns, weight, x) + (bias ? *bias : 0);
    bound.alpha = std::min(bound.alpha, p.target[i] * u);
    bound.beta = std::max(bound.beta, dot(p.columns, x, x) + (bias ? 1 : 0));
  }
  bound.squared_norm = dot(p.columns, weight, weight) + (bias ? *bias * *bias : 0);
  return bound;
}

Learned learn_delta_rule(const Patterns& p, const Training& training, Output output, Unit unit) {
  Learned learned;
  Order order(p.rows, training);
  const auto n = static_cast<std::size_t>(p.columns) + 1;  // the bias last
  std::vector<double> before(n), step(n);
  const auto current = [&](std::size_t j) {
    return j + 1 < n ? unit.weight[j] : unit.bias ? *unit.bias : 0.0;
  };
  for (std::int64_t epoch = 0; epoch < training.max_epochs && !learned.converged; ++epoch) {
    for (std::size_t j = 0; j < n; ++j) before[j] = current(j);
    std::fill(step.begin(), step.end(), 0.0);
    const Unit target = training.batch ? Unit{step.data(), &step[n - 1]} : unit;
    const double rate =
        training.batch ? training.learning_rate / static_cast<double>(p.rows) : training.learning_rate;
    double loss = 0;
    for (const std::uint32_t row : order.epoch(epoch)) {
      const double* x = p.x + row * p.columns;
      const Lesson l = lesson(output, activity(unit, p.columns, x), p.target[row]);
      loss += l.loss;
      move(target, p.columns, rate * l.factor, x);
    }
    if (training.batch) {
      add(p.columns, 1, step.data(), unit.weight);
      if (unit.bias) *unit.bias += step[n - 1];
    }
    double moved = 0, largest = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double now = current(j);
      learned.finite = learned.finite && std::isfinite(now);
      moved = std::max(moved, std::fabs(now - before[j]));
      largest = std::max(largest, std::fabs(now));
    }
    learned.loss.push_back(loss / static_cast<double>(p.rows));
    learned.updates.push_back(training.batch ? 1 : p.rows);
    if (!learned.finite) break;
    learned.converged = moved <= training.tolerance * largest;
    if (training.poll && training.poll()) break;
  }
  return learned;
}

}  // namespace deltarule::historical
