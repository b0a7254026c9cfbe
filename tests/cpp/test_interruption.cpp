// Callbacks that throw or say stop: the network, the trainer and its state are as after a whole step, the
// same ones that training of so many steps gives.
#include <deltarule/fit.h>
#include <doctest/doctest.h>

#include "same_training.h"

using namespace support;

namespace {

struct Enough : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
struct Learner {
  Network<T> network{mixed(9, 3)};
  Trainer<T> trainer;
  explicit Learner(const std::string& rule)
      : trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}}, .optimizer = {rule, {}}, .seed = 3}) {
  }
};

}  // namespace

TEST_CASE_TEMPLATE("poll throws or stops in the middle of an epoch", T, float, double) {
  constexpr std::ptrdiff_t steps_in_all = 20000;  // some polls long
  const Classes<T> classes(2 * steps_in_all, 9, 3);
  for (const int threads : {1, 3}) {
    const Threads used(threads);
    for (const bool throws : {false, true}) {
      CAPTURE(threads);
      CAPTURE(throws);
      Learner<T> stopped("adam"), expected("adam");
      for (auto* learner : {&stopped, &expected}) learn(learner->network, classes.data);
      EpochOptions options{.epoch = 7, .batch_size = 2};
      int polls = 0;
      options.poll = [&] {
        if (++polls < 2) return false;
        if (throws) throw Enough("enough");
        return true;
      };
      bool caught = false;
      try {
        CHECK(stopped.trainer.run_epoch(classes.data, options).stopped);
      } catch (const Enough&) {
        caught = true;
      }
      CHECK(caught == throws);
      const std::int64_t steps = stopped.trainer.steps_done();
      REQUIRE(steps > 0);
      REQUIRE(steps < steps_in_all);
      expected.trainer.run_epoch(classes.data, {.epoch = 7, .batch_size = 2, .max_steps = steps});
      check_same(stopped.trainer, expected.trainer);
      for (auto* learner : {&stopped, &expected})  // and the rest of the epoch
        learner->trainer.run_epoch(classes.data, {.epoch = 7, .batch_size = 2, .first_step = steps});
      CHECK(stopped.trainer.steps_done() == steps_in_all);
      check_same(stopped.trainer, expected.trainer);
    }
  }
}

TEST_CASE_TEMPLATE("what is called after an epoch throws", T, float, double) {
  const Classes<T> classes(120, 9, 3);
  for (const char* rule : {"adam", "schedule_free_adamw", "lbfgs"}) {
    CAPTURE(rule);
    Learner<T> stopped(rule), expected(rule);
    FitOptions<T> options{.data = classes.data, .validation = classes.data, .last_epoch = 9};
    int epochs = 0;
    options.on_epoch = [&] {
      if (++epochs == 3) throw Enough("after three");
    };
    FitResult broken;
    CHECK_THROWS_AS(fit(stopped.trainer, options, broken), Enough);
    CHECK(broken.epochs.size() == 3);
    options.on_epoch = {};
    options.last_epoch = 3;
    fit(expected.trainer, options);
    check_same(stopped.trainer, expected.trainer);
    options.first_epoch = 3;
    options.last_epoch = 5;
    fit(stopped.trainer, options);
    fit(expected.trainer, options);
    check_same(stopped.trainer, expected.trainer);
    const Figures figures = stopped.trainer.evaluate(classes.data);
    CHECK(std::isfinite(figures.loss));
  }
}

TEST_CASE("poll throws while rows are only evaluated") {
  const Classes<float> classes(200000, 9, 3);
  Learner<float> learner("adam");
  const auto before = parameters_of(learner.network);
  CHECK_THROWS_AS(learner.trainer.evaluate(classes.data, 32, []() -> bool { throw Enough("enough"); }),
                  Enough);
  CHECK(same_bits<float>(learner.network.parameters(), before));
  CHECK(std::isfinite(learner.trainer.evaluate(classes.data).loss));
}
