// Inference: what the trainer sees, without allocation.
#include "support.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <thread>

using namespace support;

static_assert(noexcept(std::declval<Session<float>&>().run(static_cast<const float*>(nullptr), nullptr, 1)));

TEST_CASE_TEMPLATE("a session gives what the layers say", T, float, double) {
  Network<T> network({4, {dense(7, "tanh"), dense(3, "softmax")}, 5});
  Numbers numbers(1);
  for (T& w : network.parameters()) w = static_cast<T>(numbers.next());
  const std::vector<T> x = numbers.many<T>(5 * 11);
  Session<T> session(network, 4);  // 11 rows: three runs inside
  std::vector<T> y(3 * 11);
  session.run(x.data(), y.data(), 11);
  const auto w1 = network.tensor("dense_1.weight"), b1 = network.tensor("dense_1.bias");
  const auto w2 = network.tensor("dense_2.weight"), b2 = network.tensor("dense_2.bias");
  for (std::size_t i = 0; i < 11; ++i) {
    double hidden[7], e[3], sum = 0;
    for (std::size_t k = 0; k < 7; ++k) {
      hidden[k] = static_cast<double>(b1[k]);
      for (std::size_t j = 0; j < 5; ++j)
        hidden[k] += static_cast<double>(x[5 * i + j]) * static_cast<double>(w1[7 * j + k]);
      hidden[k] = std::tanh(hidden[k]);
    }
    for (std::size_t c = 0; c < 3; ++c) {
      e[c] = static_cast<double>(b2[c]);
      for (std::size_t k = 0; k < 7; ++k) e[c] += hidden[k] * static_cast<double>(w2[3 * k + c]);
      sum += e[c] = std::exp(e[c]);
    }
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(std::abs(static_cast<double>(y[3 * i + c]) - e[c] / sum) < (sizeof(T) == 4 ? 1e-6 : 1e-15));
  }
}

TEST_CASE_TEMPLATE("no run allocates", T, float, double) {
  for (const auto& spec : {mixed(20, 4), on_images(4),
                           NetworkSpec{1, {dense(900, "gelu"), dense(700, "softmax"), dense(2)}, 20}}) {
    const Network<T> network(spec);
    for (const std::ptrdiff_t batch : {1, 16, 100}) {
      Session<T> session(network, batch);
      const std::vector<T> x(20 * 100, T(0.5));
      std::vector<T> y(static_cast<std::size_t>(network.output_width()) * 100);
      const long before = allocations();
      session.run(x.data(), y.data(), 1);
      session.run(x.data(), y.data(), 100);
      session.run(std::span<const T>(x).first(20),
                  std::span<T>(y).first(static_cast<std::size_t>(network.output_width())));
      CHECK(allocations() == before);
    }
  }
  const long before = allocations();
  operator delete(operator new(64));   // not a vector: compilers may leave its allocation out
  CHECK(allocations() == before + 1);  // the counter counts
}

TEST_CASE("a step of training does not allocate once it is warm") {
  const Classes<float> classes(256, 20, 4);
  for (const auto& spec : {mixed(20, 4), on_images(4)}) {
    Network<float> network(spec);
    learn(network, classes.data);
    Trainer<float> trainer(network, {.loss = {"sparse_softmax_cross_entropy", {}},
                                     .optimizer = {"adam", {}},
                                     .metrics = {{"accuracy", {}}}});
    trainer.run_epoch(classes.data, {.batch_size = 32});
    const auto cost = [&](std::ptrdiff_t steps) {
      const long before = allocations();
      trainer.run_epoch(classes.data, {.batch_size = 32, .max_steps = steps});
      return allocations() - before;
    };
    cost(1);
    CHECK(cost(8) == cost(1));  // the epoch may, its steps may not
  }
}

TEST_CASE_TEMPLATE("the bits of a row do not depend on the rows around it", T, float, double) {
  Network<T> network(mixed(13, 3));
  Numbers numbers(2);
  for (T& w : network.parameters()) w += static_cast<T>(0.1 * numbers.next());
  const std::vector<T> x = numbers.many<T>(13 * 70);
  std::vector<T> all(3 * 70), one(3), some(3 * 70);
  Session<T> large(network, 70), single(network, 1), middle(network, 9);
  large.run(x.data(), all.data(), 70);
  middle.run(x.data(), some.data(), 70);
  CHECK(same_bits<T>(all, some));
  for (std::size_t i = 0; i < 70; ++i) {
    single.run(&x[13 * i], one.data());
    CHECK(same_bits<T>(one, std::span<const T>(all).subspan(3 * i, 3)));
  }
}

TEST_CASE_TEMPLATE("threads that share a product of large weights give the same bits", T, float, double) {
  Network<T> network({700, {dense(1100, "tanh"), dense(900, "relu"), dense(7)}, 3});
  Numbers numbers(4);
  const std::ptrdiff_t most = 40;
  const std::vector<T> x = numbers.many<T>(700 * most);
  Session<T> session(network, most);
  CHECK(session.large());
  for (const std::ptrdiff_t rows : {1, 2, 17, 40}) {
    const auto size = static_cast<std::size_t>(7 * rows);
    std::vector<T> alone(size), shared(size);
    session.run(x.data(), alone.data(), rows);
    for (const int threads : {1, 2, 5}) {
      std::fill(shared.begin(), shared.end(), T(0));
      session.run_shared(threads, x.data(), shared.data(), rows);
      CHECK(same_bits<T>(alone, shared));
    }
  }
  Network<T> small({4, {dense(2)}, 3});
  CHECK_FALSE(Session<T>(small).large());
}

TEST_CASE("changed parameters are used at once; nothing else is touched") {
  Network<float> network({4, {dense(2)}, 3});
  Session<float> session(network, 2);
  const float x[] = {1, 2, 3, -1, 0, 1};
  float y[7] = {0, 0, 0, 0, 42, 42, 42};
  for (float& w : network.parameters()) w = 1;
  session.run(x, y, 2);
  CHECK(y[0] == 7);
  CHECK(y[3] == 1);
  CHECK(y[4] == 42);
  network.tensor("dense_1.bias")[0] = 5;
  session.run(x, y, 1);
  CHECK(y[0] == 11);
  session.run(x, y, 0);
  CHECK(y[0] == 11);
}

TEST_CASE("layers that do nothing in inference pass the rows on") {
  const Network<float> network({1, {layer("dropout")}, 3});
  Session<float> session(network, 2);
  const float x[] = {1, 2, 3, 4, 5, 6};
  float y[6] = {};
  session.run(x, y, 2);
  CHECK(std::equal(x, x + 6, y));
}

TEST_CASE("sessions of one network on several threads") {
  const Network<float> network(mixed(10, 2));
  const std::vector<float> x = Numbers(8).many<float>(10 * 64);
  std::vector<float> expected(128);
  Session<float>(network, 64).run(x.data(), expected.data(), 64);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Session<float> session(network, 5);
      std::vector<float> y(128);
      for (int repeat = 0; repeat < 100; ++repeat) {
        session.run(x.data(), y.data(), 64);
        if (!same_bits<float>(y, expected)) ++wrong;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong.load() == 0);
}
