// What is registered at run time trains, throws and is found like the catalogue's own.
#include "support.h"

#include <deltarule/custom.h>
#include <deltarule/engine/team.h>
#include <doctest/doctest.h>

#include <cmath>
#include <random>

using namespace support;

namespace {

struct Registered {
  Registered() {
    custom::add_activation(
        "test_softsign", [](auto x) { return x / (1 + std::fabs(x)); },
        [](auto x) {
          const auto d = 1 + std::fabs(x);
          return 1 / (d * d);
        });
    custom::add_activation(
        "test_throws",
        [](auto x) -> decltype(x) { throw std::domain_error(x > 1e9 ? "large" : "activation"); },
        [](auto x) { return x; });
    custom::add_loss_of_rows("test_quadratic", []<class T>(std::size_t n, const T* y, const T* t, T* g) {
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j) {
        g[j] = y[j] - t[j];
        sum += static_cast<double>(g[j] * g[j]);
      }
      return sum / 2;
    });
    const auto throws = [](const auto& rows, double*, auto*) {
      throw std::domain_error("loss of " + std::to_string(rows.rows));
    };
    custom::add_loss("test_throwing_loss", throws, throws);
    const auto rule = [](const auto& a) {
      using T = std::remove_cvref_t<decltype(a.parameters[0])>;
      for (std::size_t i = 0; i < a.parameters.size(); ++i)
        a.parameters[i] -= static_cast<T>(a.learning_rate) * a.gradient[i];
      if (a.learning_rate > 1) throw std::domain_error("rule");
    };
    custom::add_optimizer("test_descent", rule, rule);
  }
};

void registered() { static const Registered once; }

template <class T>
struct Problem {
  Problem() {
    registered();
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    for (int i = 0; i < 300 * 6; ++i) x.push_back(static_cast<T>(normal(random)));
    for (int i = 0; i < 300 * 2; ++i) t.push_back(static_cast<T>(normal(random)));
  }
  Data<T> data() const { return {.rows = 300, .x = x.data(), .target = t.data()}; }
  std::vector<T> x, t;
};

template <class T>
Network<T> trained(const Problem<T>& problem, const std::string& activation, const std::string& loss,
                   const std::string& rule, double rate = 0.1) {
  Network<T> network({1, {dense(40, activation), dense(70, "tanh"), dense(2)}, 6});
  Trainer<T> trainer(network, {.loss = {loss}, .optimizer = {rule, {{"learning_rate", rate}}}});
  for (int epoch = 0; epoch < 3; ++epoch)
    trainer.run_epoch(problem.data(), {.epoch = epoch, .batch_size = 100});
  return network;
}

template <class T>
double distance(const Network<T>& a, const Network<T>& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.parameters().size(); ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(a.parameters()[i] - b.parameters()[i])));
  return worst;
}

}  // namespace

TEST_CASE_TEMPLATE("activation, loss and rule train like the catalogue's", T, float, double) {
  const Problem<T> problem;
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  const auto expected = trained(problem, "softsign", "quadratic", "sgd");
  CHECK(distance(trained(problem, "test_softsign", "quadratic", "sgd"), expected) < tolerance);
  CHECK(distance(trained(problem, "softsign", "test_quadratic", "sgd"), expected) < tolerance);
  CHECK(distance(trained(problem, "softsign", "quadratic", "test_descent"), expected) < tolerance);
}

TEST_CASE("the same bits on any number of threads") {
  const Problem<float> problem;
  engine::set_threads(1);
  const auto one = trained(problem, "test_softsign", "test_quadratic", "test_descent");
  engine::set_threads(3);
  const auto three = trained(problem, "test_softsign", "test_quadratic", "test_descent");
  engine::set_threads(0);
  CHECK(distance(one, three) == 0);
}

TEST_CASE("what throws leaves the weights") {
  const Problem<double> problem;
  for (const int threads : {1, 3}) {
    CAPTURE(threads);
    engine::set_threads(threads);
    Network<double> network({1, {dense(40, "tanh"), dense(70, "tanh"), dense(2)}, 6});
    const std::vector<double> before(network.parameters().begin(), network.parameters().end());
    const auto same = [&] { return std::ranges::equal(before, network.parameters()); };
    Trainer<double> loss(network, {.loss = {"test_throwing_loss"}, .optimizer = {"sgd"}});
    CHECK_THROWS_WITH(loss.run_epoch(problem.data(), {}), "loss of 32");
    CHECK_THROWS_WITH(loss.evaluate(problem.data()), "loss of 300");
    CHECK(same());
    CHECK(loss.steps_done() == 0);
    Trainer<double> rule(network, {.loss = {"mse"}, .optimizer = {"test_descent", {{"learning_rate", 2.0}}}});
    CHECK_THROWS_WITH(rule.run_epoch(problem.data(), {}), "rule");
    CHECK(same());
  }
  engine::set_threads(0);
}

TEST_CASE("a session never throws; it keeps the exception and says NaN") {
  registered();
  Network<float> network({1, {dense(4, "test_throws"), dense(2)}, 3});
  Session<float> session(network);
  const float x[3] = {1, 2, 3};
  float y[2] = {0, 0};
  session.run(x, y);
  CHECK(std::isnan(y[0]));
  CHECK(std::isnan(y[1]));
  REQUIRE(session.error());
  CHECK_THROWS_WITH(std::rethrow_exception(session.error()), "activation");
}

TEST_CASE("names") {
  registered();
  CHECK(catalog::find(Family::loss, "test_quadratic") >= custom::first_index);
  CHECK(catalog::choose_activation({"test_softsign"}).entry->name == "test_softsign");
  const auto f = [](auto x) { return x; };
  CHECK_THROWS_WITH(
      custom::add_activation("softmax", f, f),
      "custom activation: the name 'softmax' is one of the catalogue; allowed: a name of its own");
  CHECK_THROWS_WITH(custom::add_optimizer("mine", nullptr, nullptr),
                    "custom optimizer 'mine': a function is missing");
  const int first = catalog::find(Family::activation, "test_softsign");
  custom::add_activation("test_softsign_2", f, f);
  custom::add_activation("test_softsign_2", f, f);
  CHECK(catalog::find(Family::activation, "test_softsign_2") ==
        catalog::find(Family::activation, "test_softsign_2"));
  CHECK(catalog::find(Family::activation, "test_softsign") == first);
  Network<float> network({1, {dense(4, "test_softsign_2")}, 3});
  CHECK_THROWS_WITH(Trainer<float>(network, {.loss = {"test_quadratik"}}),
                    "unknown loss 'test_quadratik', did you mean 'test_quadratic'?");
}
