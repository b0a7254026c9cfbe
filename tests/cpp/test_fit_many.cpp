// Many networks at once: the bits of training alone, rows by number, errors, failures, interruption.
#include "support.h"

#include <deltarule/engine/team.h>
#include <deltarule/fit_many.h>
#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <thread>

using namespace support;

namespace {

TrainerSpec settings(const std::string& rule = "adam") {
  return {
      .loss = {"sparse_softmax_cross_entropy", {}}, .optimizer = {rule, {}}, .metrics = {{"accuracy", {}}}};
}

// A network with its trainer; some with noise and batch statistics, so that every kind of state counts.
template <class T>
struct Learner {
  Network<T> network;
  Trainer<T> trainer;
  explicit Learner(std::uint64_t seed, const TrainerSpec& spec = settings())
      : network(seed % 2 ? mixed(12, 3, seed) : NetworkSpec{seed, {dense(9, "tanh"), dense(3)}, 12}),
        trainer(network, spec) {}
  std::vector<T> bits() const {
    std::vector<T> all = parameters_of(network);
    const auto statistics = network.statistics();
    all.insert(all.end(), statistics.begin(), statistics.end());
    for (int i = 0; i < trainer.state_count(); ++i) {
      const auto state = trainer.state(i);
      all.insert(all.end(), state.begin(), state.end());
    }
    return all;
  }
};

template <class T>
void same_figures(const Figures& a, const Figures& b) {
  CHECK(a.loss == b.loss);
  CHECK(a.metrics == b.metrics);
}

// A copy of the rows that an index picks.
template <class T>
struct Picked {
  std::vector<T> x;
  std::vector<std::int32_t> label;
  Data<T> data;
  Picked(const Data<T>& from, std::ptrdiff_t width) {
    for (std::ptrdiff_t i = 0; i < from.rows; ++i) {
      x.insert(x.end(), from.x + from.at(i) * width, from.x + (from.at(i) + 1) * width);
      label.push_back(from.label[from.at(i)]);
    }
    data = {.rows = from.rows, .x = x.data(), .label = label.data()};
  }
  Picked(const Picked&) = delete;
  Picked& operator=(const Picked&) = delete;
};

// Which rows fold k of three trains on, or holds out.
std::vector<std::uint32_t> fold(std::uint32_t k, std::uint32_t rows, bool held_out) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < rows; ++i)
    if ((i * 7 % 3 == k) == held_out) numbers.push_back(i);
  return numbers;
}

template <class T>
Data<T> only(const Data<T>& all, const std::vector<std::uint32_t>& rows) {
  Data<T> data = all;
  data.rows = static_cast<std::ptrdiff_t>(rows.size());
  data.index = rows.data();
  return data;
}

constexpr std::ptrdiff_t rows = 300, width = 12;

}  // namespace

TEST_CASE_TEMPLATE("the bits of training alone, for any number of threads", T, float, double) {
  const Classes<T> all(rows, width, 3);
  std::vector<std::vector<std::uint32_t>> train, held;
  for (std::uint32_t k = 0; k < 3; ++k) {
    train.push_back(fold(k, rows, false));
    held.push_back(fold(k, rows, true));
  }
  for (const std::string rule : {"adam", "lbfgs", "muon"})
    for (int threads = 1; threads <= 4; ++threads) {
      CAPTURE(rule);
      CAPTURE(threads);
      std::vector<std::unique_ptr<Learner<T>>> learners;
      std::vector<Fitting<T>> fittings;
      for (std::size_t i = 0; i < 6; ++i) {
        learners.push_back(std::make_unique<Learner<T>>(i, settings(rule)));
        FitOptions<T> options{.data = i < 3 ? only(all.data, train[i]) : all.data};
        if (i < 3) options.validation = only(all.data, held[i]);
        options.batch_size = rule == "lbfgs" ? 0 : 32;
        options.last_epoch = 2 + static_cast<std::int64_t>(i);
        fittings.push_back({&learners.back()->trainer, options});
      }
      const auto results = fit_many<T>(fittings, {.threads = threads});
      REQUIRE(results.size() == 6);
      for (std::size_t i = 0; i < 6; ++i) {
        CAPTURE(i);
        Learner<T> alone(i, settings(rule));
        const Picked<T> own(fittings[i].options.data, width);
        alone.network.adapt(own.data.rows, own.x.data(), width);
        CHECK(!results[i].interrupted);
        CHECK(!results[i].error);
        REQUIRE(results[i].epochs.size() == 2 + i);
        for (std::int64_t epoch = 0; epoch < fittings[i].options.last_epoch; ++epoch) {
          const auto trained = alone.trainer.run_epoch(
              own.data, {.epoch = epoch, .batch_size = fittings[i].options.batch_size});
          const auto& figures = results[i].epochs[static_cast<std::size_t>(epoch)];
          CHECK(figures.epoch == epoch);
          same_figures<T>(figures.training, trained.figures);
          REQUIRE(figures.validation.has_value() == (i < 3));
          if (i >= 3) continue;
          const Picked<T> other(fittings[i].options.validation, width);
          same_figures<T>(*figures.validation, alone.trainer.evaluate(other.data));
        }
        CHECK(same_bits<T>(learners[i]->bits(), alone.bits()));
        CHECK(learners[i]->trainer.steps_done() == alone.trainer.steps_done());
      }
    }
}

TEST_CASE("early stopping ends at the best weights, and the score is theirs") {
  const Classes<double> all(rows, width, 3);
  const auto train = fold(0, rows, false), held = fold(0, rows, true);
  TrainerSpec spec = settings("sgd");
  spec.optimizer.settings = {{"learning_rate", 2.0}};
  Learner<double> learner(2, spec);
  Fitting<double> fitting{
      &learner.trainer,
      {.data = only(all.data, train), .validation = only(all.data, held), .last_epoch = 200}};
  fitting.options.early_stopping = {{.patience = 3}, "val_loss"};
  const auto results = fit_many<double>(std::span(&fitting, 1));
  const FitResult& r = results[0];
  const auto epochs = static_cast<std::int64_t>(r.epochs.size());
  REQUIRE(epochs < 200);
  CHECK(r.stopped_epoch == epochs - 1);
  CHECK(r.early_stopping.epoch == epochs - 1 - 3);
  for (const auto& e : r.epochs) CHECK(e.validation->loss >= r.early_stopping.figure);
  REQUIRE(r.score.has_value());
  CHECK(r.score->loss == r.early_stopping.figure);
  same_figures<double>(*r.score, learner.trainer.evaluate(only(all.data, held)));
}

TEST_CASE("the rate follows the figure of the plateau") {
  const Classes<float> all(rows, width, 3);
  Learner<float> learner(2);
  Fitting<float> fitting{&learner.trainer, {.data = all.data, .last_epoch = 9}};
  // No loss falls by ten, so the rate does after every second epoch.
  fitting.options.plateau = {{.factor = 0.5, .patience = 2, .min_delta = 10}, "loss"};
  const auto results = fit_many<float>(std::span(&fitting, 1));
  CHECK(results[0].plateau.epoch == 0);
  const double first = results[0].epochs[0].learning_rate;
  for (std::size_t i = 1; i < 9; ++i)
    CHECK(results[0].epochs[i].learning_rate == first * std::pow(0.5, static_cast<double>((i - 1) / 2)));
}

TEST_CASE("what cannot be trained is refused before anything is, by its number") {
  const Classes<float> all(rows, width, 3);
  Learner<float> first(2), second(4);
  const auto before = first.bits();
  std::vector<Fitting<float>> fittings{{&first.trainer, {.data = all.data}},
                                       {&second.trainer, {.data = all.data}}};
  const auto refuses = [&](const std::string& text) {
    try {
      fit_many<float>(fittings);
    } catch (const std::invalid_argument& error) {
      CHECK(std::string(error.what()).find(text) != std::string::npos);
      CHECK(same_bits<float>(first.bits(), before));
      return true;
    }
    return false;
  };
  fittings[1].trainer = &first.trainer;
  CHECK(refuses("fit_many: number 1: its trainer is given twice"));
  fittings[1].trainer = nullptr;
  CHECK(refuses("fit_many: number 1: there is no trainer"));
  fittings[1].trainer = &second.trainer;
  fittings[1].options.early_stopping = {{}, "val_loss"};
  CHECK(refuses("fit_many: number 1: fit: the figure 'val_loss' is not measured; measured: loss, accuracy"));
  fittings[1].options.early_stopping = {};
  fittings[1].options.data.rows = 0;
  CHECK(refuses("fit_many: number 1: trainer: no rows"));
  fittings[1].options.data = all.data;
  fittings[1].options.data.label = nullptr;
  CHECK(refuses("fit_many: number 1: loss 'sparse_softmax_cross_entropy' takes integer class labels"));
}

TEST_CASE("one that fails leaves the others alone") {
  const Classes<float> all(rows, width, 3);
  std::vector<float> spoilt = all.x;
  spoilt[100] = std::numeric_limits<float>::quiet_NaN();
  Data<float> bad = all.data;
  bad.x = spoilt.data();
  for (int threads = 1; threads <= 3; ++threads) {
    Learner<float> a(2), b(4), c(2), alone(2);
    const std::vector<Fitting<float>> fittings{{&a.trainer, {.data = all.data, .last_epoch = 3}},
                                               {&b.trainer, {.data = bad, .last_epoch = 3}},
                                               {&c.trainer, {.data = all.data, .last_epoch = 3}}};
    const auto results = fit_many<float>(fittings, {.threads = threads});
    for (int epoch = 0; epoch < 3; ++epoch) alone.trainer.run_epoch(all.data, {.epoch = epoch});
    CHECK(same_bits<float>(a.bits(), alone.bits()));
    CHECK(same_bits<float>(c.bits(), alone.bits()));
    REQUIRE(results[1].error);
    CHECK_THROWS_AS(std::rethrow_exception(results[1].error), NonFiniteError);
    for (const float w : b.network.parameters()) REQUIRE(std::isfinite(w));
  }
}

TEST_CASE("poll is called here and ends everything") {
  const Classes<float> all(rows, width, 3);
  for (int threads = 1; threads <= 3; ++threads) {
    Learner<float> a(2), b(4), c(6), d(8);
    std::vector<Fitting<float>> fittings;
    for (auto* learner : {&a, &b, &c, &d})
      fittings.push_back({&learner->trainer, {.data = all.data, .last_epoch = 1'000'000'000}});
    const auto here = std::this_thread::get_id();
    int calls = 0;
    bool elsewhere = false;
    const auto results = fit_many<float>(fittings, {.threads = threads, .poll = [&] {
                                                      elsewhere |= std::this_thread::get_id() != here;
                                                      return ++calls > 5;
                                                    }});
    CHECK(!elsewhere);
    CHECK(calls == 6);
    for (const auto& r : results) CHECK(r.interrupted);
    CHECK(results[3].epochs.empty());  // as many began as there are threads
    a.trainer.run_epoch(all.data, {.epoch = 0});
  }
}

TEST_CASE("what poll throws comes to the caller when all threads are back") {
  const Classes<float> all(rows, width, 3);
  for (int threads = 1; threads <= 3; ++threads) {
    Learner<float> a(2), b(4), c(6);
    std::vector<Fitting<float>> fittings;
    for (auto* learner : {&a, &b, &c})
      fittings.push_back({&learner->trainer, {.data = all.data, .last_epoch = 1'000'000'000}});
    CHECK_THROWS_AS(fit_many<float>(fittings, {.threads = threads,
                                               .poll = []() -> bool { throw std::runtime_error("enough"); }}),
                    std::runtime_error);
    a.trainer.run_epoch(all.data, {.epoch = 0});
  }
}

TEST_CASE("a job has one thread as long as there are others, and then those of the others") {
  engine::set_threads(4);
  std::vector<int> seen;
  const auto look = [&seen](const std::function<bool()>&) {
    seen.push_back(engine::threads());
    return true;
  };
  const std::vector<engine::Job> three(3, engine::Job{look});
  engine::run_jobs(three, {.threads = 1});
  CHECK(seen == std::vector<int>{1, 1, 1});
  seen.clear();
  engine::run_jobs(std::span(three).first(1), {.threads = 4});
  CHECK(seen == std::vector<int>{4});
  // The one goes on until the other has left it all threads.
  std::atomic<int> first{0}, last{0};
  const std::vector<engine::Job> two{{[&](const std::function<bool()>&) {
                                        first = engine::threads();
                                        while (first == 2 && (last = engine::threads()) != 4)
                                          std::this_thread::yield();
                                        return true;
                                      },
                                      2},
                                     {[](const std::function<bool()>&) { return true; }, 1}};
  engine::run_jobs(two, {.threads = 4});
  CHECK((first == 4 || last == 4));
  {
    const engine::ThreadLimit outer([] { return 2; });
    CHECK(engine::threads() == 2);
    {
      const engine::ThreadLimit inner([] { return 1; });
      CHECK(engine::threads() == 1);
    }
    CHECK(engine::threads() == 2);
    CHECK(engine::unlimited_threads() == 4);
    std::thread([] { CHECK(engine::threads() == 4); }).join();
  }
  engine::set_threads(0);
}

TEST_CASE("the dearest job begins first, and a job may end the others") {
  std::vector<int> order;
  std::vector<engine::Job> jobs;
  for (const int cost : {3, 9, 1, 9, 5})
    jobs.push_back({[&order, cost](const std::function<bool()>&) {
                      order.push_back(cost);
                      return cost != 3;
                    },
                    static_cast<double>(cost)});
  CHECK(!engine::run_jobs(jobs, {.threads = 1}));
  CHECK(order == std::vector<int>{9, 9, 5, 3});
  CHECK(engine::run_jobs({}, {}));
}

TEST_CASE("evaluation allocates nothing that stays after the first, and nothing that grows") {
  const Classes<float> all(rows, width, 3);
  const auto held = fold(1, rows, true);
  Learner<float> learner(3);
  learner.trainer.evaluate(only(all.data, held));
  const long before = allocations();
  const Figures first = learner.trainer.evaluate(only(all.data, held));
  const long once = allocations() - before;
  const Picked<float> copied(only(all.data, held), width);
  same_figures<float>(first, learner.trainer.evaluate(copied.data));
  same_figures<float>(first, learner.trainer.evaluate(copied.data, 7));
  CHECK(once < 10);  // the figures that are given back
}
