// Cores that others use as well. A thread whose core is taken away while it holds a task is waited for, as
// long as a scheduler's slice lasts. Where such waits add up, one thread fewer takes part for a while.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

namespace deltarule::engine {

// Waits longer than this are not the work's.
constexpr std::chrono::microseconds longest_wait{500};

class Contention {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds shortest{50}, longest{1600};
  // Waits are forgotten at this rate, and tolerated up to this sum: a fifth of the time.
  static constexpr std::chrono::milliseconds memory{40}, tolerated{8};

  // How many of so many threads should take part at this time; at least one.
  int uncontended(int threads, Clock::time_point now);
  // The others waited so long for a thread, until now. Too much of it, and one thread fewer takes part; for
  // longer where it happens again soon after.
  void waited(Clock::duration time, Clock::time_point now);
  bool any() const { return fewer_.load(std::memory_order_relaxed) > 0; }

 private:
  std::mutex mutex_;
  double sum_ = 0;             // of the waits that are remembered, in seconds
  Clock::time_point known_{};  // when it was that
  Clock::duration length_ = shortest;
  std::atomic<Clock::time_point> end_{Clock::time_point{}};
  std::atomic<int> fewer_{0};
};

// The same for this process and now; shorter waits than longest_wait do not count.
int uncontended(int threads);
void waited_for_core(std::chrono::nanoseconds time);
// Whether this thread's core was given to another since it last asked; false where the system does not tell.
bool was_preempted();

}  // namespace deltarule::engine
