#include "pool.h"

#include <deltarule/engine/team.h>

#include <memory>
#include <mutex>
#include <thread>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#elif defined(_WIN32)
#include <windows.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif

namespace deltarule::engine {
namespace {

// One call of run_team. Threads enter while it is open; the caller closes it and waits for those inside.
struct Job {
  const std::function<void(int)>* body = nullptr;
  std::atomic<int> inside{0};  // threads in the body; negative once closed
  std::atomic<int> next{1};    // the number the next thread to enter gets
  int count = 1;

  static constexpr int closed = -(1 << 20);

  void enter_and_run() {
    if (inside.fetch_add(1, std::memory_order_acq_rel) >= 0) {
      const int number = next.fetch_add(1, std::memory_order_relaxed);
      if (number < count) (*body)(number);
    }
    if (inside.fetch_sub(1, std::memory_order_acq_rel) == closed + 1) inside.notify_all();
  }
  void close() {
    int now = inside.fetch_add(closed, std::memory_order_acq_rel) + closed;
    for (int i = 0; i < 300 && now != closed; ++i) now = inside.load(std::memory_order_acquire);
    while (now != closed) {
      inside.wait(now, std::memory_order_acquire);
      now = inside.load(std::memory_order_acquire);
    }
  }
};

struct Worker {
  std::atomic<int> signal{0};  // counts the jobs handed to this thread
  std::shared_ptr<Job> job;

#if defined(__linux__)
  // A thread that is woken often lands on the core of the one that woke it, and stays behind it for tens of
  // milliseconds, until the kernel evens out. So it may go to any core of the caller's but that one.
  void keep_off(int cpu) {
    const pid_t id = thread.load(std::memory_order_relaxed);
    if (cpu < 0 || cpu == kept_off || id == 0) return;
    kept_off = cpu;
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return;
    CPU_CLR(static_cast<std::size_t>(cpu), &set);
    if (CPU_COUNT(&set) > 0) sched_setaffinity(id, sizeof(set), &set);
  }
  void begin() { thread.store(gettid(), std::memory_order_relaxed); }
  std::atomic<pid_t> thread{0};
  int kept_off = -1;
#else
  void keep_off(int) {}
  void begin() {}
#endif
};

int current_cpu() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

// The threads never end, so the code they run must never go, whatever plug-in it is part of.
void stay_loaded() {
  static const char here = 0;
#if defined(__unix__) || defined(__APPLE__)
  Dl_info place;
  if (dladdr(&here, &place) != 0 && place.dli_fname)
    dlopen(place.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
#elif defined(_WIN32)
  HMODULE self;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, &here, &self);
#endif
}

class Pool {
 public:
  void hire(int count, const std::shared_ptr<Job>& job) {
    const int cpu = current_cpu();
    const std::lock_guard lock(mutex_);
    for (int i = 0; i < count; ++i) {
      if (idle_.empty() && !grow()) return;
      Worker* worker = idle_.back();
      idle_.pop_back();
      worker->keep_off(cpu);
      worker->job = job;
      worker->signal.fetch_add(1, std::memory_order_release);
      worker->signal.notify_one();
    }
  }

 private:
  // The threads live as long as the process: joining them at exit could wait on a loader's lock.
  bool grow() {
    if (workers_.size() >= static_cast<std::size_t>(most_threads)) return false;
    if (workers_.empty()) stay_loaded();
    workers_.push_back(std::make_unique<Worker>());
    Worker* worker = workers_.back().get();
    try {
      std::thread([this, worker] { live(*worker); }).detach();
    } catch (const std::system_error&) {  // no more threads to be had: the caller does the work alone
      workers_.pop_back();
      return false;
    }
    idle_.push_back(worker);
    return true;
  }
  // Some 60 microseconds: what a caller does from one small job to the next is shorter, and waking a thread
  // that sleeps takes nearly as long.
  static constexpr int spins = 2000;
  void live(Worker& worker) {
    worker.begin();
    for (int done = 0;; ++done) {
      for (int i = 0; i < spins && worker.signal.load(std::memory_order_acquire) == done; ++i) pause();
      worker.signal.wait(done, std::memory_order_acquire);
      const std::shared_ptr<Job> job = std::move(worker.job);
      job->enter_and_run();
      const std::lock_guard lock(mutex_);
      idle_.push_back(&worker);
    }
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
};

std::atomic<bool> forked{false};

Pool& pool() {
  static Pool* const only = [] {  // never destroyed: its threads may outlive main
#if defined(__unix__) || defined(__APPLE__)
    pthread_atfork(nullptr, nullptr, [] { forked.store(true); });
#endif
    return new Pool;
  }();
  return *only;
}

}  // namespace

bool in_forked_child() { return forked.load(std::memory_order_relaxed); }

void run_team(int count, const std::function<void(int)>& body) {
  if (count <= 1 || in_forked_child()) {
    body(0);
    return;
  }
  const auto job = std::make_shared<Job>();
  job->body = &body;
  job->count = count;
  pool().hire(count - 1, job);
  body(0);
  job->close();
}

}  // namespace deltarule::engine
