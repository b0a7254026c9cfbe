#include <algorithm>
#include <deltarule/engine/team.h>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deltarule::engine {
namespace {

std::atomic<int> chosen{0};
std::atomic<bool> forked{false};
std::atomic<bool> team_started{false};

// A child inherits the parent's OpenMP state but not its threads.
void watch_fork() {
#if defined(__unix__) || defined(__APPLE__)
  static std::once_flag once;
  std::call_once(once, [] {
    pthread_atfork(nullptr, nullptr, [] {
      if (team_started.load()) forked.store(true);
    });
  });
#endif
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

int usable_cpus() {
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) cpus = CPU_COUNT(&set);
#endif
  static const int limit = quota();
  if (limit > 0) cpus = std::min(cpus, limit);
  return std::max(1, cpus);
}

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

int threads() {
  if (forked.load()) return 1;
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

int openmp_version() {
#if defined(_OPENMP)
  return _OPENMP;
#else
  return 0;
#endif
}

void set_threads(int count) { chosen.store(std::max(0, count)); }

void run_team(int count, const std::function<void(int)>& body) {
  if (count <= 1) {
    body(0);
    return;
  }
  watch_fork();
  team_started.store(true);
#if defined(_OPENMP)
  // The team may come out smaller than asked for (nested regions, OMP_THREAD_LIMIT): bodies that meet at a barrier
  // need all of them, so the rest then run on threads of their own.
  std::vector<std::thread> extra;
#pragma omp parallel num_threads(count)
  {
    const int have = omp_get_num_threads();
    if (have < count) {
#pragma omp single
      for (int i = have; i < count; ++i) extra.emplace_back([&body, i] { body(i); });
    }
    body(omp_get_thread_num());
  }
  for (auto& thread : extra) thread.join();
#else
  std::vector<std::thread> others;
  for (int i = 1; i < count; ++i) others.emplace_back([&body, i] { body(i); });
  body(0);
  for (auto& thread : others) thread.join();
#endif
}

void Barrier::sleep_until_not(int phase) {
  // About 20 microseconds: longer than the threads of a busy team are apart, shorter than a scheduler's slice.
  for (int i = 0; i < 600; ++i) {
    if (phase_.load(std::memory_order_acquire) != phase) return;
    pause();
  }
  phase_.wait(phase, std::memory_order_acquire);
}

}  // namespace deltarule::engine
