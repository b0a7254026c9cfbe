// Threads: every task once, phases in order, for any number of threads and with cores taken away.
#include <deltarule/engine/team.h>
#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>
#include <vector>

#include "contention.h"
#include "team_size.h"

using namespace deltarule::engine;

TEST_CASE("parallel_for does every task once") {
  for (int threads = 1; threads <= 4; ++threads)
    for (const int tasks : {0, 1, 2, 3, 7, 64, 1000, (1 << 20) + 10}) {
      CAPTURE(threads);
      CAPTURE(tasks);
      std::vector<std::atomic<int>> done(static_cast<std::size_t>(tasks));
      std::atomic<bool> bad_thread{false};
      parallel_for(threads, tasks, [&](int thread, int task) {
        if (thread < 0 || thread >= threads) bad_thread = true;
        ++done[static_cast<std::size_t>(task)];
      });
      CHECK(!bad_thread.load());
      for (const auto& count : done) REQUIRE(count.load() == 1);
    }
}

TEST_CASE("run_team calls body 0 here and no body twice") {
  for (int threads = 1; threads <= 4; ++threads) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(threads));
    const auto here = std::this_thread::get_id();
    std::atomic<bool> zero_is_here{false};
    run_team(threads, [&](int thread) {
      if (thread == 0) zero_is_here = std::this_thread::get_id() == here;
      ++calls[static_cast<std::size_t>(thread)];
    });
    CHECK(zero_is_here.load());
    CHECK(calls[0].load() == 1);
    for (const auto& count : calls) CHECK(count.load() <= 1);
  }
}

TEST_CASE("phases come one after the other, and what one wrote the next sees") {
  for (int threads = 1; threads <= 4; ++threads) {
    CAPTURE(threads);
    const int sizes[] = {1, 40, 3, 1, 17, 200, 2};
    const int phases = static_cast<int>(std::size(sizes));
    for (int repeat = 0; repeat < 50; ++repeat) {
      std::vector<int> written(200, -1);  // not atomic: the phases order all accesses
      std::atomic<int> errors{0}, completed{0};
      int phase = 0;
      Phases work(threads);
      work.start(threads, sizes[0]);
      run_team(threads, [&](int thread) {
        work.work(
            thread,
            [&](int task) {
              if (task < 0 || task >= sizes[phase]) ++errors;
              if (phase > 0 && task < sizes[phase - 1] &&
                  written[static_cast<std::size_t>(task)] != phase - 1)
                ++errors;
              written[static_cast<std::size_t>(task)] = phase;
            },
            [&] {
              ++completed;
              if (++phase < phases)
                work.open(sizes[phase]);
              else
                work.finish();
            });
      });
      CHECK(errors.load() == 0);
      CHECK(completed.load() == phases);
    }
  }
}

TEST_CASE("a slow task holds up its phase and nothing else") {
  std::vector<std::atomic<int>> done(20);
  std::atomic<int> before{0};
  parallel_for(4, 20, [&](int, int task) {
    if (task == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    else
      ++before;
    ++done[static_cast<std::size_t>(task)];
  });
  CHECK(before.load() == 19);
  for (const auto& count : done) CHECK(count.load() == 1);
}

TEST_CASE("teams of several threads at the same time, and one inside another") {
  std::atomic<long> sum{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 20; ++repeat) parallel_for(3, 50, [&](int, int task) { sum += task; });
    });
  for (auto& caller : callers) caller.join();
  CHECK(sum.load() == 4L * 20 * 49 * 50 / 2);
  std::atomic<int> inner{0};
  parallel_for(2, 4, [&](int, int) { parallel_for(2, 8, [&](int, int) { ++inner; }); });
  CHECK(inner.load() == 32);
}

TEST_CASE("where waits for lost cores add up, one thread fewer takes part for a while") {
  using std::chrono::milliseconds;
  Contention contention;
  const auto at = [begin = std::chrono::steady_clock::now()](int ms) { return begin + milliseconds(ms); };
  for (int ms = 0; ms < 2000; ms += 40) contention.waited(milliseconds(4), at(ms));  // a tenth of the time
  CHECK(contention.uncontended(3, at(2000)) == 3);
  contention.waited(milliseconds(6), at(2001));
  CHECK(contention.uncontended(3, at(2002)) == 2);
  CHECK(contention.uncontended(1, at(2002)) == 1);
  CHECK(contention.uncontended(3, at(2050)) == 2);
  CHECK(contention.uncontended(3, at(2051)) == 3);
  contention.waited(milliseconds(3), at(2055));  // soon after: one is enough, and it is twice as long
  CHECK(contention.uncontended(3, at(2154)) == 2);
  contention.waited(milliseconds(8), at(2154));  // in that time: another thread fewer
  CHECK(contention.uncontended(3, at(2353)) == 1);
  CHECK(contention.uncontended(2, at(2353)) == 1);
  CHECK(contention.uncontended(3, at(2354)) == 3);
  contention.waited(milliseconds(3), at(3000));  // long after: as at first
  CHECK(contention.uncontended(3, at(3001)) == 3);
  contention.waited(milliseconds(6), at(3010));
  CHECK(contention.uncontended(3, at(3059)) == 2);
  CHECK(contention.uncontended(3, at(3060)) == 3);
}

TEST_CASE("phases leave threads out while cores are taken, and take them back") {
  constexpr int threads = 3, tasks = 100;
  const auto begin = std::chrono::steady_clock::now();
  const auto late = [&] { return std::chrono::steady_clock::now() - begin > std::chrono::seconds(20); };
  Phases work(threads);
  std::atomic<int> done{0}, by_the_last{0};
  int phases = 0, without_it = 0, broken = 0;
  bool left_out = false, back = false;
  work.start(threads, tasks);
  waited_for_core(Contention::tolerated);
  run_team(threads, [&](int thread) {
    work.work(
        thread,
        [&](int) {
          const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(10);
          while (std::chrono::steady_clock::now() < end)
            std::this_thread::yield();  // Windows sleeps 1 ms and more
          ++done;
          if (thread == threads - 1) ++by_the_last;
        },
        [&] {
          ++phases;
          if (left_out && by_the_last == 0) ++without_it;
          if (left_out && by_the_last > 0) ++broken;
          back = !left_out && without_it > 0 && by_the_last > 0;
          by_the_last = 0;
          if (back || late()) return work.finish();
          left_out = uncontended(threads) < threads;
          work.open(tasks);
        });
  });
  CHECK(done == phases * tasks);
  CHECK(without_it > 1);
  CHECK(broken <= 1);  // the time may end between the question and the opening
  CHECK(back);
}

namespace {

// Goes through steps that take so long with so many threads; gives back how many work in the end, and how
// many steps went by with another number.
template <class F>
std::pair<int, int> settle(TeamSize& size, std::chrono::steady_clock::time_point& now, int steps,
                           F&& step_time) {
  int others = 0, threads = 0;
  std::vector<int> used;
  for (int i = 0; i < steps; ++i) {
    threads = size.threads(now);
    used.push_back(threads);
    const std::chrono::nanoseconds time = step_time(threads);
    now += time;
    size.passed(1, time, now);
  }
  for (const int n : used) others += n != threads;
  return {threads, others};
}

}  // namespace

TEST_CASE("small steps are done by as many threads as make them fastest") {
  using std::chrono::microseconds;
  auto now = std::chrono::steady_clock::now();
  // What a thread saves, and what it costs.
  const auto model = [](double work, double each) {
    return [=](int threads) {
      return std::chrono::nanoseconds(static_cast<long>(1e3 * (work / threads + each * (threads - 1))));
    };
  };
  for (const int most : {2, 3, 8, 64}) {
    CAPTURE(most);
    TeamSize size;
    size.limit(most);
    CHECK(size.threads(now) == most);
    CHECK(settle(size, now, 5000, model(50, 40)).first == 1);
    CHECK(settle(size, now, 50000, model(500, 1)).first == std::min(most, 16));  // times have changed
    CHECK(settle(size, now, 100000, model(500, 0)).first == most);
    const auto [threads, others] = settle(size, now, 50000, model(500, 0));  // what timing goes on to cost
    CHECK(threads == most);
    CHECK(others < 1000);
    size.limit(1);
    CHECK(size.threads(now) == 1);
    CHECK(!size.timing());
  }
  TeamSize size;
  size.limit(2);
  // A pause now and then changes nothing: the fastest of several times counts.
  int i = 0;
  const auto disturbed = [&](int threads) {
    return microseconds((threads == 2 ? 50 : 80) + (++i % 97 == 0 ? 4000 : 0));
  };
  CHECK(settle(size, now, 3000, disturbed).first == 2);
}

TEST_CASE("the number of threads is what was asked for") {
  for (int n = 1; n <= 4; ++n) {
    set_threads(n);
    CHECK(threads() == n);
  }
  set_threads(0);
  CHECK(threads() >= 1);
}
