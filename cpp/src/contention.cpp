#include "contention.h"

#include <algorithm>
#include <cmath>
#include <utility>

#if defined(__linux__)
#include <sys/resource.h>
#endif

namespace deltarule::engine {
namespace {

double seconds(Contention::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

int Contention::uncontended(int threads, Clock::time_point now) {
  const int fewer = fewer_.load(std::memory_order_relaxed);
  if (fewer == 0) return threads;
  if (now < end_.load(std::memory_order_relaxed)) return std::max(1, threads - fewer);
  fewer_.store(0, std::memory_order_relaxed);
  return threads;
}

void Contention::waited(Clock::duration time, Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  const double passed = std::max(0.0, seconds(now - known_));
  sum_ = sum_ * std::exp(-passed / seconds(memory)) + seconds(time);
  known_ = now;
  if (sum_ < seconds(tolerated)) return;
  const Clock::time_point before = end_.load(std::memory_order_relaxed);
  length_ =
      now < before + 2 * memory ? std::min<Clock::duration>(2 * length_, longest) : Clock::duration(shortest);
  end_.store(now + length_, std::memory_order_relaxed);
  fewer_.fetch_add(1, std::memory_order_relaxed);
  // Afterwards less is tolerated at first.
  sum_ = seconds(tolerated) * 0.75;
  known_ = now + length_;
}

namespace {
Contention here;
}  // namespace

int uncontended(int threads) {
  return threads > 1 && here.any() ? here.uncontended(threads, Contention::Clock::now()) : threads;
}

void waited_for_core(std::chrono::nanoseconds time) {
  if (time > longest_wait) here.waited(time, Contention::Clock::now());
}

bool was_preempted() {
#if defined(__linux__)
  thread_local long seen = 0;
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) != 0) return false;
  return usage.ru_nivcsw != std::exchange(seen, usage.ru_nivcsw);
#else
  return false;
#endif
}

}  // namespace deltarule::engine
