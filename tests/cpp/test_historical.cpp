// The historical learners from C++: gates, XOR, the bound on mistakes, the delta rule.
#include <deltarule/historical/delta_rule.h>
#include <deltarule/historical/perceptron.h>
#include <deltarule/historical/threshold_unit.h>

#include <doctest/doctest.h>

#include <array>
#include <cmath>

using namespace deltarule::historical;

namespace {

constexpr std::array<double, 8> corners{0, 0, 0, 1, 1, 0, 1, 1};

Learned perceptron(const std::array<double, 4>& target, std::array<double, 2>& weight, double& bias) {
  return learn_perceptron({4, 2, corners.data(), target.data()}, {.max_epochs = 100}, {weight.data(), &bias});
}

}  // namespace

TEST_CASE("a perceptron learns NAND within the bound, and not XOR") {
  const std::array<double, 4> nand{1, 1, 1, -1}, exclusive{-1, 1, 1, -1};
  std::array<double, 2> weight{};
  double bias = 0;
  const Learned learned = perceptron(nand, weight, bias);
  CHECK(learned.converged);
  CHECK(learned.updates.back() == 0);
  std::int64_t mistakes = 0;
  for (const auto n : learned.updates) mistakes += n;
  const std::array<double, 2> w_star{-2, -2};
  const double b_star = 3;
  const MistakeBound bound = mistake_bound({4, 2, corners.data(), nand.data()}, w_star.data(), &b_star);
  CHECK(bound.alpha == 1);
  CHECK(bound.beta == 3);
  CHECK(bound.value() == 51);
  CHECK(mistakes > 0);
  CHECK(static_cast<double>(mistakes) <= bound.value());
  for (std::size_t i = 0; i < 4; ++i)
    CHECK((weight[0] * corners[2 * i] + weight[1] * corners[2 * i + 1] + bias > 0) == (nand[i] > 0));

  weight = {};
  bias = 0;
  const Learned failed = perceptron(exclusive, weight, bias);
  CHECK(!failed.converged);
  CHECK(failed.updates.size() == 100u);
}

TEST_CASE("the delta rule finds the line, and says when it overflows") {
  const std::array<double, 3> x{-1, 0, 2}, t{-5, -3, 1};  // t = 2 x - 3
  double weight = 0, bias = 0;
  const Training training{.learning_rate = 0.3, .max_epochs = 10000, .tolerance = 1e-14};
  CHECK(learn_delta_rule({3, 1, x.data(), t.data()}, training, Output::linear, {&weight, &bias}).converged);
  CHECK(std::fabs(weight - 2) < 1e-12);
  CHECK(std::fabs(bias + 3) < 1e-12);
  weight = bias = 0;
  const Training steep{.learning_rate = 100, .max_epochs = 10000};
  CHECK(!learn_delta_rule({3, 1, x.data(), t.data()}, steep, Output::linear, {&weight, &bias}).finite);
}

TEST_CASE("a threshold unit fires at its threshold; absolute inhibition silences it") {
  const std::array<double, 2> weight{2, -1};
  std::array<double, 4> y{};
  ThresholdUnit unit{2, weight.data(), 1, false};
  unit.fire(4, corners.data(), y.data());
  CHECK(y == std::array<double, 4>{0, 0, 1, 1});
  unit.absolute_inhibition = true;
  unit.fire(4, corners.data(), y.data());
  CHECK(y == std::array<double, 4>{0, 0, 1, 0});
}
