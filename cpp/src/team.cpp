#include <deltarule/engine/team.h>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "contention.h"
#include "pool.h"

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif

namespace deltarule::engine {
namespace {

std::atomic<int> chosen{0};
thread_local const ThreadLimit* limited = nullptr;

constexpr std::uint64_t task_bits = 24, task_mask = (1u << task_bits) - 1;
static_assert(Phases::most_tasks == static_cast<int>(task_mask));

std::uint64_t tag_of(std::uint32_t phase) {
  return static_cast<std::uint64_t>(phase & 0xffff) << (2 * task_bits);
}

// CPUs' worth of time that the control group allows, rounded up; 0 for no limit.
int quota() {
#if defined(__linux__)
  std::string first;
  double period = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> first >> period && first != "max" && period > 0)
    return std::max(1, static_cast<int>((std::stod(first) + period - 1) / period));
  double limit = 0;
  std::ifstream q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  if (q >> limit && p >> period && limit > 0 && period > 0)
    return std::max(1, static_cast<int>((limit + period - 1) / period));
#endif
  return 0;
}

std::chrono::nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }

int usable_cpus() {
  static const int installed =
      static_cast<int>(std::thread::hardware_concurrency());  // reads a file: too slow to ask twice
  int cpus = installed;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = CPU_COUNT(&set);
#endif
  static const int limit = quota();
  if (limit > 0) cpus = std::min(cpus, limit);
  return std::max(1, cpus);
}

}  // namespace

int unlimited_threads() {
  if (in_forked_child()) return 1;
  const int cpus = usable_cpus();
  if (const int count = chosen.load(); count > 0) return count;
#if defined(_OPENMP)
  return std::clamp(omp_get_max_threads(), 1, cpus);
#else
  if (const char* text = std::getenv("OMP_NUM_THREADS"))
    if (const int count = std::atoi(text); count > 0) return std::min(count, cpus);
  return cpus;
#endif
}

int threads() {
  const int most = limited ? limited->limit_() : 0;
  return most == 1 ? 1 : most > 1 ? std::min(most, unlimited_threads()) : unlimited_threads();
}

ThreadLimit::ThreadLimit(std::function<int()> limit)
    : limit_(std::move(limit)), outer_(std::exchange(limited, this)) {}
ThreadLimit::~ThreadLimit() { limited = outer_; }

int openmp_version() {
#if defined(_OPENMP)
  return _OPENMP;
#else
  return 0;
#endif
}

void set_threads(int count) { chosen.store(std::clamp(count, 0, most_threads)); }

void Phases::open(int tasks) {
  if (threads_ == 1) return remaining_.store(tasks, std::memory_order_relaxed);
  const int seats = std::min(uncontended(threads_), most_);
  const int before = seats_.load(std::memory_order_relaxed);
  if (seats != before) seats_.store(seats, std::memory_order_release);
  share_out(seats, tasks);
  // A thread that goes on alone is awake, and those that are left out sleep on.
  if (seats > 1 || before > 1) phase_.notify_all();
  if (seats > before) seats_.notify_all();
}

void Phases::share_out(int seats, int tasks) {
  remaining_.store(tasks, std::memory_order_relaxed);
  const std::uint32_t next = phase_.load(std::memory_order_relaxed) + 1;
  const auto share = [&](int thread) {
    return static_cast<std::uint64_t>(static_cast<long long>(std::min(thread, seats)) * tasks / seats);
  };
  for (int t = 0; t < threads_; ++t)
    queues_[static_cast<std::size_t>(t)].word.store(tag_of(next) | share(t + 1) << task_bits | share(t),
                                                    std::memory_order_release);
  if (asleep_since_.load(std::memory_order_relaxed) != 0) asleep_since_.store(0, std::memory_order_relaxed);
  phase_.store(next, std::memory_order_release);
}

void Phases::finish() {
  finished_.store(true, std::memory_order_release);
  if (seats_.exchange(threads_, std::memory_order_acq_rel) != threads_) seats_.notify_all();
  phase_.fetch_add(1, std::memory_order_release);
  if (threads_ > 1) phase_.notify_all();
}

int Phases::claim(int thread, std::uint32_t phase) {
  for (int i = 0; i < threads_; ++i) {
    const int owner = thread + i < threads_ ? thread + i : thread + i - threads_;
    auto& word = queues_[static_cast<std::size_t>(owner)].word;
    std::uint64_t value = word.load(std::memory_order_acquire);
    while (true) {
      if (value >> (2 * task_bits) != tag_of(phase) >> (2 * task_bits)) return -1;
      const std::uint64_t next = value & task_mask, end = (value >> task_bits) & task_mask;
      if (next >= end) break;
      if (word.compare_exchange_weak(value, value + 1, std::memory_order_acq_rel, std::memory_order_acquire))
        return static_cast<int>(next);
    }
  }
  return -1;
}

double phase_seconds(int threads, int count) {
  Phases phases(threads);
  int left = std::max(1, count);
  const auto begin = std::chrono::steady_clock::now();
  // A task goes on when all of the phase have begun, or some 100 microseconds later: a thread may be missing.
  std::atomic<int> begun{0};
  phases.start(threads, threads);
  run_team(threads, [&](int thread) {
    phases.work(
        thread,
        [&](int) {
          begun.fetch_add(1, std::memory_order_acq_rel);
          for (int i = 0; i < 3000 && begun.load(std::memory_order_acquire) < threads; ++i) pause();
        },
        [&] {
          begun.store(0, std::memory_order_release);
          --left > 0 ? phases.open(threads) : phases.finish();
        });
  });
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
  return passed.count() / std::max(1, count);
}

double rewrite_seconds(std::size_t bytes, int count) {
  constexpr int over = -1;
  std::vector<float> lines(std::max<std::size_t>(1, bytes / sizeof(float)));
  std::atomic<int> turn{0};  // even: to be written
  std::atomic<bool> joined{false};
  std::atomic<float> seen{0};
  double seconds = 0;
  // Whether it is this thread's turn at last. A reader that never came is not waited for.
  const auto wait = [&](auto reached) {
    for (int i = 0; !reached(turn.load(std::memory_order_acquire)); ++i) {
      if (i < 3000) {
        pause();
      } else {
        if (!joined.load()) return false;
        std::this_thread::yield();
      }
    }
    return true;
  };
  run_team(2, [&](int thread) {
    if (thread > 0) {
      joined.store(true);
      while (true) {
        wait([](int now) { return now == over || now % 2 == 1; });
        int now = turn.load();
        if (now == over) return;
        float sum = 0;
        for (const float x : lines) sum += x;
        seen.store(sum, std::memory_order_relaxed);
        if (!turn.compare_exchange_strong(now, now + 1)) return;  // given up meanwhile
      }
    }
    for (int i = 0; i < count; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      std::ranges::fill(lines, static_cast<float>(i));
      seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      turn.store(2 * i + 1, std::memory_order_release);
      if (!wait([](int now) { return now % 2 == 0; })) break;
    }
    turn.store(over, std::memory_order_release);
  });
  return seconds / std::max(1, count);
}

void Phases::wait_while(std::uint32_t phase) {
  // About 10 microseconds: longer than the threads of a team are apart, far shorter than a scheduler's slice.
  // Who sleeps leaves the core to a thread that was pushed off another one.
  for (int i = 0; i < 300; ++i) {
    if (phase_.load(std::memory_order_acquire) != phase) return;
    pause();
  }
  if (asleep_since_.load(std::memory_order_relaxed) == 0) {
    asleep_since_.store(now().count());
    // The phase may have ended meanwhile: its time is not the next one's.
    if (phase_.load() != phase) return asleep_since_.store(0, std::memory_order_relaxed);
  }
  phase_.wait(phase, std::memory_order_acquire);
}

void Phases::wait_for_seat(int thread) {
  for (int seats = seats_.load(std::memory_order_acquire); seats <= thread;
       seats = seats_.load(std::memory_order_acquire))
    seats_.wait(seats, std::memory_order_acquire);
}

void Phases::was_awaited() {
  const std::chrono::nanoseconds waited =
      now() - std::chrono::nanoseconds(asleep_since_.load(std::memory_order_relaxed));
  if (waited > longest_wait && was_preempted()) waited_for_core(waited);
}

}  // namespace deltarule::engine
