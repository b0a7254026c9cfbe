// Rules on whole parameters and what is asked for beside the rule: the same bits, no allocations, errors.
#include "support.h"

#include <deltarule/engine/team.h>
#include <doctest/doctest.h>

#include <tuple>

using namespace support;

namespace {

TrainerSpec with(const std::string& rule, const TrainingControl& control = {}) {
  return {.loss = {"mse", {}}, .optimizer = {rule, {}}, .clip_norm = 0.5, .control = control};
}

template <class T>
struct Goals {
  std::vector<T> x, y;
  Data<T> data;
  Goals(std::ptrdiff_t rows, std::ptrdiff_t width, std::ptrdiff_t outputs) {
    x = Numbers(3).many<T>(static_cast<std::size_t>(rows * width));
    y = Numbers(4).many<T>(static_cast<std::size_t>(rows * outputs));
    data = {.rows = rows, .x = x.data(), .target = y.data()};
  }
  Goals(const Goals&) = delete;
  Goals& operator=(const Goals&) = delete;
};

TrainingControl everything() {
  return {
      .parameter_groups = {{.match = "*.bias", .learning_rate_factor = 0.5}, {.match = "*1*", .l1 = 1e-3}},
      .l2 = 1e-3,
      .max_norm = 1.5,
      .mixup = 0.3,
      .ema_decay = 0.9};
}

}  // namespace

TEST_CASE_TEMPLATE("the same bits for 1 to 4 threads, with all that changes gradients and weights", T, float,
                   double) {
  const Goals<T> goals(300, 90, 3);
  TrainingControl noisy;
  noisy.dp_clip_norm = 0.1;
  noisy.dp_noise_multiplier = 0.7;
  for (const std::string rule : {"lamb", "muon", "adam"})
    for (const TrainingControl& control : {everything(), noisy}) {
      std::vector<T> weights, average;
      for (int threads = 1; threads <= 4; ++threads) {
        CAPTURE(rule);
        CAPTURE(threads);
        engine::set_threads(threads);
        Network<T> network({1, {dense(170, "tanh"), dense(40, "relu"), dense(3)}, 90});
        Trainer<T> trainer(network, with(rule, control));
        for (int epoch = 0; epoch < 2; ++epoch)
          trainer.run_epoch(goals.data, {.epoch = epoch, .batch_size = 100});
        const auto last = trainer.state(trainer.state_count() - 1);
        if (threads == 1) {
          weights = parameters_of(network);
          average = copy_of<T>(last);
        }
        CHECK(same_bits<T>(network.parameters(), weights));
        CHECK(same_bits<T>(last, average));
      }
    }
  engine::set_threads(0);
}

TEST_CASE("rules on whole parameters learn") {
  const Goals<float> goals(64, 10, 2);
  for (const std::string rule : {"lamb", "muon"}) {
    CAPTURE(rule);
    Network<float> network({1, {dense(64, "tanh"), dense(64, "tanh"), dense(2)}, 10});
    TrainerSpec spec{.loss = {"mse", {}}, .optimizer = {rule, {{"learning_rate", 0.02}}}};
    Trainer<float> trainer(network, spec);
    const double before = trainer.evaluate(goals.data).loss;
    for (int epoch = 0; epoch < 200; ++epoch) trainer.run_epoch(goals.data, {.epoch = epoch});
    CHECK(trainer.evaluate(goals.data).loss < before / 10);
  }
}

TEST_CASE("a step after the first one allocates no memory for the rule") {
  const Goals<float> goals(64, 10, 2);
  std::vector<long> counts;
  for (const std::string rule : {"adam", "lamb", "muon"}) {
    Network<float> network({1, {dense(30, "tanh"), dense(2)}, 10});
    Trainer<float> trainer(network, with(rule, everything()));
    trainer.run_epoch(goals.data, {.batch_size = 16});
    const long before = allocations();
    trainer.run_epoch(goals.data, {.batch_size = 16});
    const long one = allocations() - before;
    for (int i = 0; i < 5; ++i) trainer.run_epoch(goals.data, {.batch_size = 16});
    CHECK(allocations() - before == 6 * one);
    counts.push_back(one);
  }
  CHECK(counts[1] == counts[0]);
  CHECK(counts[2] == counts[0]);
}

TEST_CASE("targets that a loss is not made for are refused before anything changes") {
  const double x[] = {0.1, 0.2, 0.3, 0.4}, binary[] = {0, 1}, signs[] = {-1, 1}, beyond[] = {0.5, 1.5};
  for (const auto& [loss, bad, good] : {std::tuple{"hinge", binary, signs},
                                        {"perceptron", beyond, signs},
                                        {"binary_cross_entropy", beyond, binary},
                                        {"binary_cross_entropy", signs, binary},
                                        {"poisson_nll", signs, beyond}}) {
    CAPTURE(loss);
    Network<double> network({1, {dense(1, "sigmoid")}, 2});
    Trainer<double> trainer(network, {.loss = {loss, {}}, .optimizer = {"sgd", {}}});
    const auto before = parameters_of(network);
    const Data<double> refused{.rows = 2, .x = x, .target = bad}, taken{.rows = 2, .x = x, .target = good};
    CHECK_THROWS_AS(trainer.run_epoch(refused, {}), std::invalid_argument);
    CHECK_THROWS_AS(trainer.step(refused), std::invalid_argument);
    CHECK_THROWS_AS(trainer.evaluate(refused), std::invalid_argument);
    CHECK(same_bits<double>(network.parameters(), before));
    trainer.step(taken);
    CHECK(!same_bits<double>(network.parameters(), before));
  }
}

TEST_CASE("names in parameter groups") {
  const auto matched = [](const std::string& pattern) {
    Network<float> network({1, {dense(4), dense(4), dense(4)}, 3});
    TrainingControl control;
    control.parameter_groups = {{.match = pattern, .l1 = 1}};
    std::string names;
    for (const auto& t :
         tensor_settings(network.tensors(), catalog::choose(Family::optimizer, {"sgd", {}}), control))
      if (t.l1 > 0) names += t.name + ' ';
    return names;
  };
  CHECK(matched("dense_1.weight") == "dense_1.weight ");
  CHECK(matched("*.bias") == "dense_1.bias dense_2.bias dense_3.bias ");
  CHECK(matched("dense_?.*i*s") == "dense_1.bias dense_2.bias dense_3.bias ");
  CHECK(matched("*2*") == "dense_2.weight dense_2.bias ");
  CHECK(matched("*dense*_1*weight*") == "dense_1.weight ");
  CHECK(matched("**e**1**t**") == "dense_1.weight ");
  for (const std::string pattern : {"", "dense", "*.weights", "?dense_1.weight", "weight", "dense_?",
                                    "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"}) {
    CAPTURE(pattern);
    CHECK_THROWS_AS(matched(pattern), std::invalid_argument);
  }
}
