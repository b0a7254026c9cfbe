// Training: learns, gives the same bits on any number of threads, stops cleanly.
#include "support.h"

#include <deltarule/engine/team.h>
#include <deltarule/subnormals.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace support;

namespace {

TrainerSpec adam(const std::string& loss, double rate = 0.01) {
  return {
      .loss = {loss, {}}, .optimizer = {"adam", {{"learning_rate", rate}}}, .metrics = {{"accuracy", {}}}};
}

}  // namespace

TEST_CASE_TEMPLATE("learns XOR, batch by batch and row by row", T, float, double) {
  const T x[] = {0, 0, 0, 1, 1, 0, 1, 1}, y[] = {0, 1, 1, 0};
  const Data<T> data{.rows = 4, .x = x, .target = y};
  for (const std::ptrdiff_t batch : {0, 1, 3}) {
    CAPTURE(batch);
    Network<T> network({1, {dense(8, "tanh"), dense(1)}, 2});
    Trainer<T> trainer(network, adam("sigmoid_cross_entropy", 0.05));
    EpochResult result;
    for (int epoch = 0; epoch < 400; ++epoch)
      result = trainer.run_epoch(data, {.epoch = epoch, .batch_size = batch});
    CHECK(result.figures.loss < 0.02);
    CHECK(result.figures.metrics[0] == 1);
    CHECK(result.steps == (batch == 0 ? 1 : batch == 1 ? 4 : 2));
    CHECK(trainer.steps_done() == 400 * result.steps);
    Session<T> session(network, 4);
    T out[4];
    session.run(x, out, 4);
    for (int i = 0; i < 4; ++i) CHECK((out[i] > 0) == (y[i] > T(0.5)));
  }
}

TEST_CASE_TEMPLATE("the same bits for 1 to 4 threads, with BatchNorm, LayerNorm and Dropout", T, float,
                   double) {
  const Classes<T> classes(700, 20, 4);
  for (const std::ptrdiff_t batch : {64, 300, 700}) {
    std::vector<T> weights, statistics, state;
    double loss = 0;
    for (int threads = 1; threads <= 4; ++threads) {
      CAPTURE(batch);
      CAPTURE(threads);
      engine::set_threads(threads);
      Network<T> network(mixed(20, 4));
      learn(network, classes.data);
      Trainer<T> trainer(network, adam("sparse_softmax_cross_entropy"));
      EpochResult result;
      for (int epoch = 0; epoch < 3; ++epoch)
        result = trainer.run_epoch(classes.data, {.epoch = epoch, .batch_size = batch});
      if (threads == 1) {
        weights = parameters_of(network);
        statistics = copy_of<T>(network.statistics());
        state = copy_of<T>(trainer.state(1));
        loss = result.figures.loss;
      }
      CHECK(same_bits<T>(network.parameters(), weights));
      CHECK(same_bits<T>(network.statistics(), statistics));
      CHECK(same_bits<T>(trainer.state(1), state));
      CHECK(result.figures.loss == loss);
    }
    engine::set_threads(0);
  }
}

TEST_CASE("the same bits for 1 to 4 threads with layers larger than the cache") {
  const Classes<float> classes(300, 900, 5);
  std::vector<float> weights;
  for (int threads = 1; threads <= 4; ++threads) {
    CAPTURE(threads);
    engine::set_threads(threads);
    Network<float> network({2, {dense(800, "relu"), layer("batch_norm"), dense(5)}, 900});
    Trainer<float> trainer(network, adam("sparse_softmax_cross_entropy"));
    trainer.run_epoch(classes.data, {.batch_size = 128});
    if (threads == 1) weights = parameters_of(network);
    CHECK(same_bits<float>(network.parameters(), weights));
  }
  engine::set_threads(0);
}

// Rows that lie in the order of the batches are not copied; with an index they are.
TEST_CASE_TEMPLATE("where rows are read makes no difference", T, float, double) {
  for (const std::ptrdiff_t width : {1, 5, 16, 512, 1024})
    for (const char* loss : {"sparse_softmax_cross_entropy", "huber", "softmax_cross_entropy"})
      for (const bool weighted : {false, true}) {
        CAPTURE(width);
        CAPTURE(loss);
        CAPTURE(weighted);
        const std::ptrdiff_t rows = 50;
        const bool labels = std::string_view(loss).starts_with("sparse");
        Numbers random(7);
        const auto x = random.many<T>(static_cast<std::size_t>(rows * width));
        std::vector<T> target(static_cast<std::size_t>(rows * 3)), weight(static_cast<std::size_t>(rows));
        std::vector<std::int32_t> label(static_cast<std::size_t>(rows));
        std::vector<std::uint32_t> index(static_cast<std::size_t>(rows));
        for (std::size_t i = 0; i < index.size(); ++i) {
          index[i] = static_cast<std::uint32_t>(i), label[i] = static_cast<std::int32_t>(i % 3);
          target[3 * i + i % 3] = 1, weight[i] = static_cast<T>(i % 4);
        }
        const Data<T> data{.rows = rows,
                           .x = x.data(),
                           .target = labels ? nullptr : target.data(),
                           .label = labels ? label.data() : nullptr,
                           .weight = weighted ? weight.data() : nullptr};
        std::vector<T> found[2];
        double losses[2];
        for (const bool indexed : {false, true}) {
          Network<T> network({3, {dense(9, "tanh"), layer("dropout"), dense(3)}, width});
          Trainer<T> trainer(network, {.loss = {loss, {}}, .optimizer = {"adam", {}}, .seed = 5});
          Data<T> given = data;
          if (indexed) given.index = index.data();
          for (int epoch = 0; epoch < 2; ++epoch)
            losses[indexed] =
                trainer.run_epoch(given, {.epoch = epoch, .batch_size = 16, .shuffle = false}).figures.loss;
          losses[indexed] += trainer.step(given).loss;
          found[indexed].assign(network.parameters().begin(), network.parameters().end());
        }
        CHECK(found[0] == found[1]);
        CHECK(losses[0] == losses[1]);
        CHECK(std::isfinite(losses[0]));
      }
}

TEST_CASE("an epoch in pieces is an epoch") {
  const Classes<float> classes(150, 10, 3);
  Network<float> whole(mixed(10, 3));
  learn(whole, classes.data);
  Network<float> parts(whole);
  Trainer<float> a(whole, adam("sparse_softmax_cross_entropy")),
      b(parts, adam("sparse_softmax_cross_entropy"));
  const EpochResult full = a.run_epoch(classes.data, {.batch_size = 32});
  EpochResult piece;
  for (std::ptrdiff_t step = 0; step < 5; step += 2)
    piece = b.run_epoch(classes.data, {.batch_size = 32, .first_step = step, .max_steps = 2});
  CHECK(full.steps == 5);
  CHECK(same_bits<float>(whole.parameters(), parts.parameters()));
  CHECK(full.figures.loss == piece.figures.loss);
  CHECK(full.figures.metrics[0] == piece.figures.metrics[0]);
}

TEST_CASE("a stop is asked for between steps and leaves a usable network") {
  const Classes<float> classes(60000, 30, 3);
  Network<float> network({1, {dense(256, "relu"), dense(3)}, 30});
  Trainer<float> trainer(network, adam("sparse_softmax_cross_entropy"));
  int asked = 0;
  const EpochResult result =
      trainer.run_epoch(classes.data, {.batch_size = 8, .poll = [&] { return ++asked == 2; }});
  CHECK(result.stopped);
  CHECK(result.steps < 7500);
  CHECK(trainer.steps_done() == result.steps);
  CHECK(std::isfinite(trainer.evaluate(classes.data).loss));
}

TEST_CASE_TEMPLATE("evaluate is the mean over all rows, whatever the blocks", T, float, double) {
  const Classes<T> classes(333, 8, 3);
  Network<T> network(mixed(8, 3));
  const Trainer<T> trainer(network, adam("sparse_softmax_cross_entropy"));
  Session<T> session(network, 333);
  std::vector<T> logits(333 * 3);
  session.run(classes.x.data(), logits.data(), 333);
  double loss = 0, right = 0;
  for (std::size_t i = 0; i < 333; ++i) {
    const T* z = &logits[3 * i];
    double sum = 0;
    for (int c = 0; c < 3; ++c) sum += std::exp(static_cast<double>(z[c]));
    loss += std::log(sum) - static_cast<double>(z[classes.label[i]]);
    right += std::max_element(z, z + 3) - z == classes.label[i];
  }
  const double precision = sizeof(T) == 4 ? 1e-6 : 1e-13;
  for (const std::ptrdiff_t block : {0, 1, 7, 333, 1000}) {
    const Figures figures = trainer.evaluate(classes.data, block);
    CHECK(std::abs(figures.loss - loss / 333) < precision * loss / 333);
    CHECK(figures.metrics[0] == doctest::Approx(right / 333).epsilon(1e-14));
  }
}

TEST_CASE_TEMPLATE("a weight of zero is an absent row", T, float, double) {
  Classes<T> classes(40, 6, 2);
  const std::vector<T> weight(40, 1);
  std::vector<T> only(40, 0);
  std::fill_n(only.begin(), 25, T(1));
  Network<T> a({3, {dense(5, "tanh"), dense(2)}, 6}), b(a);
  Trainer<T> first(a, adam("sparse_softmax_cross_entropy")), second(b, adam("sparse_softmax_cross_entropy"));
  Data<T> masked = classes.data, few = classes.data;
  masked.weight = only.data();
  few.rows = 25;
  few.weight = weight.data();
  classes.x[30 * 6] = T(1e6);  // of a row without weight
  const double loss = first.step(masked).loss;
  CHECK(loss == doctest::Approx(second.step(few).loss));
  for (std::size_t i = 0; i < a.parameters().size(); ++i)
    REQUIRE(static_cast<double>(a.parameters()[i]) ==
            doctest::Approx(static_cast<double>(b.parameters()[i])));
}

TEST_CASE_TEMPLATE("what is no longer finite stops training and is undone", T, float, double) {
  Classes<T> classes(90, 5, 3);
  for (const bool clipped : {false, true}) {
    CAPTURE(clipped);
    Network<T> network(mixed(5, 3));
    learn(network, classes.data);
    Network<T> good(network);
    TrainerSpec spec = adam("sparse_softmax_cross_entropy");
    if (clipped) spec.clip_norm = 1;
    Trainer<T> trainer(network, spec), expected(good, spec);
    Classes<T> broken(90, 5, 3);
    broken.x[75 * 5] = std::numeric_limits<T>::infinity();
    const EpochOptions options{.epoch = 4, .batch_size = 30, .shuffle = false};
    EpochOptions before = options;
    before.max_steps = 2;
    expected.run_epoch(classes.data, before);
    bool thrown = false;
    try {
      trainer.run_epoch(broken.data, options);
    } catch (const NonFiniteError& e) {
      thrown = true;
      CHECK(e.epoch == 4);
      CHECK(e.step == 2);
      CHECK(!e.layer.empty());
      CHECK(std::string(e.what()).find("epoch 5, step 3") != std::string::npos);
    }
    CHECK(thrown);
    CHECK(trainer.steps_done() == 2);
    CHECK(same_bits<T>(network.parameters(), good.parameters()));
    CHECK(same_bits<T>(network.statistics(), good.statistics()));
    for (int i = 0; i < trainer.state_count(); ++i) CHECK(same_bits<T>(trainer.state(i), expected.state(i)));
    trainer.run_epoch(classes.data, options);  // and on it goes
  }
}

TEST_CASE("a learning rate that blows up the weights is undone as well") {
  const Classes<float> classes(60, 5, 3);
  Network<float> network({1, {dense(6), dense(3)}, 5});
  Trainer<float> trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}},
                                   .optimizer = {"sgd", {{"learning_rate", 1e38}}}});
  CHECK_THROWS_AS(([&] {
                    for (int e = 0; e < 50; ++e)
                      trainer.run_epoch(classes.data, {.epoch = e, .batch_size = 20});
                  }()),
                  NonFiniteError);
  for (const float w : network.parameters()) REQUIRE(std::isfinite(w));
}

TEST_CASE("weights that overflow are put back to the last finite step, from caches and from memory") {
  constexpr std::ptrdiff_t epoch = 16;
  const std::vector<std::uint32_t> same(epoch, 0);
  for (const std::ptrdiff_t inputs : {std::ptrdiff_t{3}, std::ptrdiff_t{2200000}}) {
    CAPTURE(inputs);
    std::vector<float> x(static_cast<std::size_t>(inputs));
    x[0] = 0.5f;
    const float y[] = {3e38f};
    const Data<float> data{.rows = epoch, .x = x.data(), .target = y, .index = same.data()};
    // The first weight grows by less than a thousandth a step, until it is larger than a float can be.
    TrainerSpec spec{.loss = {"mae", {}},
                     .optimizer = {"sgd", {{"learning_rate", 2.5e35}, {"momentum", 0.9}}}};
    spec.control.ema_decay = 0.5;
    Network<float> network({1, {dense(1)}, inputs}), good({1, {dense(1)}, inputs});
    for (Network<float>* n : {&network, &good}) n->parameters()[0] = 3.39e38f;
    Trainer<float> trainer(network, spec), expected(good, spec);
    try {
      trainer.run_epoch(data, {.batch_size = 1, .shuffle = false});
      FAIL("nothing was thrown");
    } catch (const NonFiniteError& e) {
      CHECK(std::string(e.what()).find("a weight is not finite") != std::string::npos);
      CHECK(e.step > 1);
    }
    CHECK(trainer.steps_done() > 1);
    for (std::int64_t i = 0; i < trainer.steps_done(); ++i)
      expected.step(Data<float>{.rows = 1, .x = x.data(), .target = y});
    CHECK(same_bits<float>(network.parameters(), good.parameters()));
    for (int i = 0; i < trainer.state_count(); ++i)
      CHECK(same_bits<float>(trainer.state(i), expected.state(i)));
  }
}

TEST_CASE_TEMPLATE("training does not keep subnormal numbers, and nothing else notices", T, float, double) {
  Network<T> network({1, {dense(1)}, 1});
  const T tiny = std::numeric_limits<T>::min();
  Trainer<T> trainer(network,
                     {.loss = {"mse", {}}, .optimizer = {"sgd", {{"learning_rate", 1}, {"momentum", 0.5}}}});
  const T x[] = {1}, y[] = {0};
  std::ranges::fill(network.parameters(), T(0));
  trainer.step({.rows = 1, .x = x, .target = y});
  std::ranges::fill(trainer.state(0), tiny);
  trainer.step({.rows = 1, .x = x, .target = y});
  const bool flushes = engine::flush_bits != 0;
  for (const T v : trainer.state(0)) CHECK(v == (flushes ? T(0) : tiny / 2));
  volatile T number = tiny;
  CHECK(number / 2 > 0);
  {
    const FlushSubnormals flush;
    CHECK((number / 2 == 0) == flushes);
    const KeepSubnormals keep;
    CHECK(number / 2 > 0);
  }
  CHECK(number / 2 > 0);
}

TEST_CASE("schedule, base rate and settings") {
  Network<double> network({1, {dense(1)}, 2});
  TrainerSpec spec{.loss = {"mse", {}}, .optimizer = {"sgd", {{"learning_rate", 1}}}};
  spec.schedule = {{"warmup", {{"warmup_steps", 2}}}, {"linear", {{"total_steps", 4}}}};
  Trainer<double> trainer(network, spec);
  const double wanted[] = {0.5, 1, 1, 0.75, 0.5, 0.25, 0, 0};
  const double x[] = {1, 2}, y[] = {0};
  for (const double rate : wanted) {
    CHECK(trainer.learning_rate() == doctest::Approx(rate));
    trainer.step({.rows = 1, .x = x, .target = y});
  }
  trainer.set_steps_done(3);
  trainer.set_learning_rate(10);
  CHECK(trainer.learning_rate() == doctest::Approx(7.5));
  CHECK(trainer.spec().schedule[1].name == "linear");
  for (const Setting& s : trainer_spec_from_json(to_json(trainer.spec())).optimizer.settings)
    if (s.name == "learning_rate") CHECK(s.value == 10);
  CHECK_THROWS_AS(trainer.set_learning_rate(-1), std::invalid_argument);
}

TEST_CASE("what does not fit together is refused before anything happens") {
  Network<float> network({1, {dense(3)}, 2}), single({1, {dense(1)}, 2}), loose({1, {dense(1)}, 0});
  const auto make = [](Network<float>& n, TrainerSpec spec) { Trainer<float> trainer(n, spec); };
  CHECK_THROWS_AS(make(loose, {.loss = {"mse", {}}}), std::invalid_argument);
  CHECK_THROWS_AS(make(single, {.loss = {"sparse_softmax_cross_entropy", {}}}), std::invalid_argument);
  CHECK_THROWS_AS(make(network, {.loss = {"msee", {}}}), std::invalid_argument);
  CHECK_THROWS_AS(make(network, {.loss = {"mse", {}}, .clip_norm = 0.0}), std::invalid_argument);
  CHECK_THROWS_AS(make(network, {.loss = {"sparse_softmax_cross_entropy", {}}, .metrics = {{"r2", {}}}}),
                  std::invalid_argument);
  Trainer<float> trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}}});
  const float x[] = {1, 2, 3, 4}, y[] = {1, 2, 3, 4, 5, 6};
  const std::int32_t labels[] = {0, 3}, negative[] = {-1, 0};
  const std::vector<float> before = parameters_of(network);
  CHECK_THROWS_AS(trainer.step({.rows = 2, .x = x, .target = y}), std::invalid_argument);
  CHECK_THROWS_AS(trainer.step({.rows = 2, .x = x, .label = labels}), std::invalid_argument);
  CHECK_THROWS_AS(trainer.step({.rows = 2, .x = x, .label = negative}), std::invalid_argument);
  CHECK_THROWS_AS(trainer.step({.rows = 0, .x = x, .label = labels}), std::invalid_argument);
  CHECK(same_bits<float>(network.parameters(), before));
  CHECK(trainer.explain_plan(32).find("dense") != std::string::npos);
}
