// Session::run and StaticNetwork::run in four threads on one const network: no allocation, no lock, no system
// call. Allocation and locks are counted by functions that take the place of the C library's; a system call
// kills the thread (seccomp's strict mode), which is looked for. Both proofs are tried on a thread that
// breaks the rule. Sanitizers have their own allocator: under them only results are compared, and races are
// theirs to find.
#include <deltarule/deltarule.h>
#include <deltarule/static_network.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "../support.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif

#if defined(__linux__) && defined(__GLIBC__) && !defined(UNDER_SANITIZER)
#define PROOFS 1
#include <dlfcn.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#else
#define PROOFS 0
#endif

namespace {

constexpr int thread_count = 4;

thread_local bool watched = false;
[[maybe_unused]] std::atomic<long> allocated{0}, locked{0};

}  // namespace

#if PROOFS
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);

void* malloc(std::size_t size) {
  if (watched) ++allocated;
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) {
  if (watched) ++allocated;
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t size) {
  if (watched) ++allocated;
  return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
  if (watched) ++allocated;
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** p, std::size_t alignment, std::size_t size) {
  *p = memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
void free(void* p) {
  if (watched) ++allocated;
  __libc_free(p);
}

// The real function is kept without a guarded static: libc++ locks a mutex to make one.
#define DELTARULE_WATCH(name, Argument)                                              \
  int name(Argument* p) {                                                            \
    static constinit std::atomic<int (*)(Argument*)> real{nullptr};                  \
    if (!real) real = reinterpret_cast<int (*)(Argument*)>(dlsym(RTLD_NEXT, #name)); \
    if (watched) ++locked;                                                           \
    return real.load()(p);                                                           \
  }
DELTARULE_WATCH(pthread_mutex_lock, pthread_mutex_t)
DELTARULE_WATCH(pthread_mutex_trylock, pthread_mutex_t)
DELTARULE_WATCH(pthread_rwlock_rdlock, pthread_rwlock_t)
DELTARULE_WATCH(pthread_rwlock_wrlock, pthread_rwlock_t)
DELTARULE_WATCH(sem_wait, sem_t)
}
#endif

namespace {

using namespace deltarule;
using support::dense;

LayerSpec part(const std::string& type, std::vector<Setting> settings = {}) {
  return {type, {}, std::move(settings)};
}

// Networks that have every layer between them.
std::vector<NetworkSpec> networks() {
  LayerSpec embedding = part("embedding");
  embedding.settings = {{"columns", {0, 3}}, {"cardinalities", {2, 2}}, {"dimension", 5}};
  return {
      support::mixed(20, 4),
      support::on_images(4),
      {1, {dense(900, "gelu"), dense(700, "softmax"), dense(2)}, 20},
      {2,
       {embedding, residual({dense(12, "swish"), dense(28)}),
        branches({{dense(6, "mish")}, {part("rms_norm")}, {}}, "concat"), weight_norm(dense(9, "tanh")),
        part("prelu"), part("adaptive_relu"), part("learned_swish"), part("alpha_dropout"),
        part("gaussian_noise")},
       20},
      {3, {part("periodic_embedding", {{"frequencies", 4}}), part("rbf", {{"units", 7}})}, 20},
  };
}

using Fixed = StaticNetwork<float, 20, fixed::Dense<32, Tanh>, fixed::LayerNorm, fixed::Dense<5, Softmax>>;

struct Work {
  std::vector<NetworkSpec> specs = networks();
  std::vector<Network<float>> nets;
  std::vector<std::vector<float>> expected;
  std::vector<float> x, expected_rounded;
  Network<float> plain{{1, {dense(32, "tanh"), part("layer_norm"), dense(5, "softmax")}, 20}};
  Fixed fixed{plain};
  Bfloat16Weights rounded{plain};
  static constexpr std::ptrdiff_t rows = 9;

  Work() {
    x = support::Numbers(2).many<float>(20 * rows);
    for (std::size_t i = 0; i < static_cast<std::size_t>(rows); ++i)
      x[20 * i] = 1, x[20 * i + 3] = 0;  // indices
    for (const NetworkSpec& spec : specs) {
      nets.emplace_back(spec);
      expected.emplace_back(static_cast<std::size_t>(nets.back().output_width() * rows));
      Session<float>(nets.back(), rows).run(x.data(), expected.back().data(), rows);
    }
    expected_rounded.resize(5 * rows);
    Session<float>(plain, rounded, rows).run(x.data(), expected_rounded.data(), rows);
  }
};

// What a thread prepares, and what it then does without any of the above.
struct Thread {
  const Work& work;
  std::vector<Session<float>> sessions;
  std::vector<std::vector<float>> y;
  std::vector<float> out = std::vector<float>(5);
  Session<float> with_rounded;
  std::vector<float> y_rounded;

  explicit Thread(const Work& w)
      : work(w), with_rounded(w.plain, w.rounded, 2), y_rounded(w.expected_rounded.size()) {
    sessions.reserve(2 * w.nets.size());
    for (std::size_t i = 0; i < w.nets.size(); ++i) {
      sessions.emplace_back(w.nets[i], 1);
      sessions.emplace_back(w.nets[i], 4);
      y.emplace_back(w.expected[i].size());
    }
  }
  // The number of wrong results.
  int run() noexcept {
    int wrong = 0;
    for (int repeat = 0; repeat < 20; ++repeat) {
      for (std::size_t i = 0; i < sessions.size(); ++i) {
        std::vector<float>& result = y[i / 2];
        sessions[i].run(work.x.data(), result.data(), Work::rows);
        wrong += !support::same_bits<float>(result, work.expected[i / 2]);
      }
      work.fixed.run(work.x.data(), out.data());
      with_rounded.run(work.x.data(), y_rounded.data(), Work::rows);
      wrong += !support::same_bits<float>(y_rounded, work.expected_rounded);
    }
    return wrong;
  }
};

std::atomic<int> failures{0};
void check(bool holds, const char* what) {
  std::printf("%s: %s\n", what, holds ? "yes" : "NO");
  if (!holds) ++failures;
}

void in_threads(const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int t = 0; t < thread_count; ++t) threads.emplace_back(body, t);
  for (auto& t : threads) t.join();
}

void allocations_and_locks(const Work& work) {
  std::atomic<int> wrong{0};
  std::atomic<int> ready{0};
  in_threads([&](int) {
    Thread own(work);
    ++ready;
    while (ready < thread_count) std::this_thread::yield();
    watched = true;
    const int mine = own.run();
    watched = false;
    wrong += mine;
  });
  check(wrong == 0, "four threads on one network get the same bits");
#if PROOFS
  check(allocated == 0, "nothing is allocated or freed");
  check(locked == 0, "no lock is taken");
  std::mutex mutex;
  watched = true;
  {
    const std::lock_guard lock(mutex);
    std::free(std::malloc(1));
  }
  watched = false;
  check(allocated == 2 && locked == 1, "allocations and locks would be seen");
#endif
}

#if PROOFS
struct Shared {
  std::atomic<int> state[thread_count + 1];  // 0 starts, 1 no seccomp here, 2 in strict mode, 3 finished
  std::atomic<int> tid[thread_count + 1];
  std::atomic<int> wrong;
};

void become_strict(Shared* shared, int t) {
  shared->tid[t] = static_cast<int>(syscall(SYS_gettid));
  shared->state[t] = 2;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) shared->state[t] = 1;
}

// From now on the kernel kills a thread that calls it for anything but to end itself.
[[noreturn]] void end_thread() {
  syscall(SYS_exit, 0);
  std::abort();
}

int wait_for(const Shared* shared, int t) {
  while (shared->state[t] == 0 || shared->tid[t] == 0) usleep(1000);
  while (shared->state[t] == 2 && syscall(SYS_tgkill, getpid(), shared->tid[t].load(), 0) == 0) usleep(1000);
  return shared->state[t];
}

void system_calls(const Work& work) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* shared = new (memory) Shared{};
  const pid_t child = fork();
  if (child == 0) {
    for (int t = 0; t < thread_count; ++t)
      std::thread([&work, shared, t] {
        Thread own(work);
        become_strict(shared, t);
        if (shared->state[t] == 2) {
          shared->wrong += own.run();
          shared->state[t] = 3;
          end_thread();
        }
      }).detach();
    std::thread([shared] {
      become_strict(shared, thread_count);
      if (shared->state[thread_count] == 2) {
        syscall(SYS_getppid);  // breaks the rule
        shared->state[thread_count] = 3;
        end_thread();
      }
    }).detach();
    for (int t = 0; t <= thread_count; ++t) wait_for(shared, t);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  bool available = true, finished = true;
  for (int t = 0; t < thread_count; ++t) {
    available = available && shared->state[t] != 1;
    finished = finished && shared->state[t] == 3;
  }
  if (!available || (shared->state[thread_count] == 3)) {
    std::printf("system calls: not looked at, this kernel has no strict seccomp\n");
    return;
  }
  check(finished && shared->wrong == 0, "no system call is made");
  check(shared->state[thread_count] != 3, "system calls would be seen");
}
#endif

}  // namespace

int main() {
  const auto work = std::make_unique<Work>();
#if PROOFS
  system_calls(*work);  // first: it forks
#endif
  allocations_and_locks(*work);
  return failures.load();
}
