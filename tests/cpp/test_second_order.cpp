// Rules that look at more than one weight and its gradient, from C++.
#include "support.h"

#include <deltarule/engine/team.h>
#include <doctest/doctest.h>

#include <cmath>

using namespace support;

namespace {

// Values that depend on the rows smoothly.
template <class T>
struct Curve {
  std::vector<T> x, y;
  Data<T> data;
  explicit Curve(std::ptrdiff_t rows) : x(Numbers(5).many<T>(static_cast<std::size_t>(rows * 3))) {
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      const T* row = &x[static_cast<std::size_t>(3 * i)];
      y.push_back(std::sin(2 * row[0]) * row[1] + row[2]);
    }
    data = {.rows = rows, .x = x.data(), .target = y.data()};
  }
  Curve(const Curve&) = delete;
  Curve& operator=(const Curve&) = delete;
};

}  // namespace

TEST_CASE_TEMPLATE("L-BFGS learns with all rows as one batch, and says why it ends", T, float, double) {
  const Curve<T> curve(100);
  Network<T> network({1, {dense(9, "tanh"), dense(1)}, 3});
  Trainer<T> trainer(network, {.loss = {"mse", {}}, .optimizer = {"lbfgs", {{"gradient_tolerance", 1e-5}}}});
  EpochResult result;
  int epochs = 0;
  while (result.stop_reason.empty() && epochs < 20000) {
    result = trainer.run_epoch(curve.data, {.epoch = epochs++});
    CHECK(result.steps == (result.stop_reason.empty() ? 1 : 0));
  }
  CHECK(result.figures.loss < 1e-3);
  CHECK(epochs < 20000);
  CHECK(trainer.steps_done() == epochs - 1);
  CHECK(trainer.state_count() == 20);
  CHECK(trainer.state_name(0) == "step_1");
  CHECK(trainer.state_name(19) == "change_10");
}

TEST_CASE_TEMPLATE("natural gradients learn, and keep a matrix for each side of a layer", T, float, double) {
  const Curve<T> curve(100);
  Network<T> network({1, {dense(9, "tanh"), dense(1)}, 3});
  Trainer<T> trainer(network, {.loss = {"mse", {}}, .optimizer = {"natural_gradient", {}}});
  double first = 0, last = 0;
  for (int epoch = 0; epoch < 60; ++epoch) {
    last = trainer.run_epoch(curve.data, {.epoch = epoch, .batch_size = 25}).figures.loss;
    if (epoch == 0) first = last;
  }
  CHECK(last < 0.02 * first);
  REQUIRE(trainer.layer_states().size() == 4);
  CHECK(trainer.layer_states()[0].name == "dense_1.input_factor");
  CHECK(trainer.layer_states()[0].data.size() == 16);
  CHECK(trainer.layer_states()[1].name == "dense_1.output_factor");
  CHECK(trainer.layer_states()[1].data.size() == 81);
}

TEST_CASE_TEMPLATE("no allocation in a step of either", T, float, double) {
  const Curve<T> curve(100);
  engine::set_threads(1);
  for (const char* rule : {"lbfgs", "natural_gradient"}) {
    CAPTURE(rule);
    Network<T> network({1, {dense(9, "tanh"), dense(1)}, 3});
    Trainer<T> trainer(network, {.loss = {"mse", {}}, .optimizer = {rule, {}}});
    const auto allocated = [&](std::ptrdiff_t batch) {
      const long before = allocations();
      trainer.run_epoch(curve.data, {.epoch = 2, .batch_size = batch});
      return allocations() - before;
    };
    for (const std::ptrdiff_t batch : {100, 50, 20}) {
      allocated(batch);
      const long once = allocated(batch);  // of the call: figures, and the job of the team
      CHECK(once <= 8);
      CHECK(allocated(batch) == once);
    }
  }
  engine::set_threads(0);
}
