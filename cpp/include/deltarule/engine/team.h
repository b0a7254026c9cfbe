// Threads: how many, and how they share work.
//
// Nothing here waits for a thread to turn up. Work is claimed task by task; a phase is over when its tasks
// are done, whoever did them. So a thread whose core was taken away costs its share of the work and no more,
// unless it holds a task at that moment.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <utility>
#include <vector>

namespace deltarule::engine {

inline constexpr int most_threads = 512;

// Threads a large job would use now: what set_threads says, else OMP_NUM_THREADS / threadpoolctl, but of
// those never more than this process may use (affinity mask and cgroup quota). One in a child of fork, which
// has none of its parent's threads.
int threads();
// At most most_threads; 0 goes back to the default.
void set_threads(int count);
// The same without the limit of a ThreadLimit.
int unlimited_threads();

// While it lives, threads() is at most limit() where it is called on this thread. The inner one of two
// decides.
class ThreadLimit {
 public:
  explicit ThreadLimit(std::function<int()> limit);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  friend int threads();
  std::function<int()> limit_;
  const ThreadLimit* outer_;
};
// The OpenMP standard whose settings threads() follows (201511 for 4.5); 0 where there is none.
int openmp_version();

// Runs body(0) here and body(1) .. body(count - 1) on threads of the pool, those that are free in time.
// Returns when body(0) and all that began are back. A body must not throw, and must not count on the others.
void run_team(int count, const std::function<void(int)>& body);

// Phases of numbered tasks, one phase after the other. While other processes take cores away, fewer threads
// take part (cpp/src/contention.h).
class Phases {
 public:
  static constexpr int most_tasks = (1 << 24) - 1;  // of a phase
  explicit Phases(int max_threads) : queues_(static_cast<std::size_t>(max_threads)) {}

  // While nobody works: begins with a phase of this many tasks.
  void start(int threads, int tasks) {
    threads_ = most_ = threads;
    seats_.store(threads, std::memory_order_relaxed);
    finished_.store(false, std::memory_order_relaxed);
    share_out(threads, tasks);
  }
  // The next phase; only from `complete` below. tasks > 0.
  void open(int tasks);
  // No further phase; only from `complete` below.
  void finish();
  // From the next phase on at most so many threads take part; while nobody works, or from `complete` below.
  void limit(int threads) { most_ = threads; }

  // What every thread of a team calls. run(task) does a task; complete() is called once a phase, by the
  // thread that finished its last task, and says what comes next.
  template <class Run, class Complete>
  void work(int thread, Run&& run, Complete&& complete) {
    // Claims order all of memory: each would wait until what the task before computes is written.
    if (threads_ == 1) {
      while (!finished_.load(std::memory_order_relaxed)) {
        const int tasks = remaining_.load(std::memory_order_relaxed);
        for (int task = 0; task < tasks; ++task) run(task);
        complete();
      }
      return;
    }
    while (true) {
      const std::uint32_t phase = phase_.load(std::memory_order_acquire);
      if (finished_.load(std::memory_order_acquire)) return;
      if (thread >= seats_.load(std::memory_order_acquire)) {
        wait_for_seat(thread);
        continue;
      }
      for (int task = claim(thread, phase); task >= 0; task = claim(thread, phase)) {
        run(task);
        if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
          if (asleep_since_.load(std::memory_order_relaxed) != 0) was_awaited();
          complete();
        }
      }
      wait_while(phase);
    }
  }

 private:
  int claim(int thread, std::uint32_t phase);
  void wait_while(std::uint32_t phase);
  void wait_for_seat(int thread);
  void share_out(int seats, int tasks);
  void was_awaited();

  // A thread's own run of tasks: phase, end and next in one word, so that a claim is valid or fails as a
  // whole.
  struct alignas(64) Queue {
    std::atomic<std::uint64_t> word{0};
  };
  std::vector<Queue> queues_;
  int threads_ = 1, most_ = 1;
  alignas(64) std::atomic<std::uint32_t> phase_{0};
  alignas(64) std::atomic<int> remaining_{0};
  std::atomic<bool> finished_{false};
  alignas(64) std::atomic<int> seats_{1};      // threads below take part
  std::atomic<std::int64_t> asleep_since_{0};  // when a thread without work left went to sleep
};

// Seconds from one phase to the next when every thread takes part and has nothing to do: the mean of `count`
// phases.
double phase_seconds(int threads, int count);

// Seconds for a thread to write so many bytes that another has just read, so that their cache lines have to
// be taken back: the mean of `count` times. Where there is no second thread, of lines that nobody else has.
double rewrite_seconds(std::size_t bytes, int count);

// The first exception of several threads, to be thrown again by the one that waits for them.
class FirstError {
 public:
  template <class F>
  void guard(F&& f) {
    try {
      f();
    } catch (...) {
      if (!taken_.exchange(true)) error_ = std::current_exception();
    }
  }
  bool any() const { return taken_.load(std::memory_order_relaxed); }
  // When all threads are back.
  void rethrow() {
    if (!taken_.exchange(false)) return;
    std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr error_{};
};

// f(thread, task) for every task; in any order, on at most this many threads. Throws what f threw first;
// other tasks may have been left out then.
template <class F>
void parallel_for(int threads, int tasks, F&& f) {
  if (tasks <= 0) return;
  if (threads <= 1 || tasks == 1) {
    for (int task = 0; task < tasks; ++task) f(0, task);
    return;
  }
  Phases phases(threads);
  FirstError error;
  for (int done = 0, share; done < tasks && !error.any(); done += share) {
    share = std::min(tasks - done, Phases::most_tasks);
    phases.start(threads, share);
    run_team(threads, [&](int thread) {
      phases.work(
          thread,
          [&](int task) {
            if (!error.any()) error.guard([&] { f(thread, done + task); });
          },
          [&] { phases.finish(); });
    });
  }
  error.rethrow();
}

}  // namespace deltarule::engine
