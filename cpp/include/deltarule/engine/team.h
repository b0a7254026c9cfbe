// Threads: how many, and how they meet.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

namespace deltarule::engine {

// Threads a large job would use now: set_threads, else OMP_NUM_THREADS / threadpoolctl, but never more than this
// process may use (affinity mask and cgroup quota). One in a child of fork, whose OpenMP runtime would hang.
int threads();
// The OpenMP standard that threads come from (201511 for 4.5); 0 where they are the library's own.
int openmp_version();
// 0 goes back to the default.
void set_threads(int count);

// Runs body(0) .. body(count - 1) at the same time; body must not throw.
void run_team(int count, const std::function<void(int)>& body);

// Where the threads of a team wait for each other: a short spin, then sleep, so that a thread whose core was taken
// away can move to ours.
class Barrier {
 public:
  explicit Barrier(int threads) : threads_(threads) {}
  // `last` runs on the last thread to arrive, before any other goes on.
  template <class F>
  void wait(F&& last) {
    const int phase = phase_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
      last();
      arrived_.store(0, std::memory_order_relaxed);
      phase_.store(phase + 1, std::memory_order_release);
      phase_.notify_all();
    } else {
      sleep_until_not(phase);
    }
  }

 private:
  void sleep_until_not(int phase);
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<int> phase_{0};
  int threads_;
};

// Numbered tasks shared out in equal runs; a thread that is done with its own takes from the others.
class TaskQueue {
 public:
  explicit TaskQueue(int threads) : next_(static_cast<std::size_t>(threads)) {}
  // Not while threads are taking.
  void reset() {
    for (auto& n : next_) n.value.store(0, std::memory_order_relaxed);
  }
  template <class F>
  void take_all(int thread, int tasks, F&& run) {
    const int threads = static_cast<int>(next_.size());
    for (int i = 0; i < threads; ++i) {
      const int owner = (thread + i) % threads;
      const int begin = share(owner, tasks, threads), end = share(owner + 1, tasks, threads);
      while (true) {
        const int task = begin + next_[static_cast<std::size_t>(owner)].value.fetch_add(1, std::memory_order_relaxed);
        if (task >= end) break;
        run(task);
      }
    }
  }

 private:
  static int share(int thread, int tasks, int threads) {
    return static_cast<int>(static_cast<long long>(thread) * tasks / threads);
  }
  struct alignas(64) Counter {
    std::atomic<int> value{0};
  };
  std::vector<Counter> next_;
};

}  // namespace deltarule::engine
