#include <deltarule/engine/team.h>
#include <deltarule/fit_many.h>
#include <chrono>
#include <condition_variable>
#include <numeric>
#include <set>

namespace deltarule {
namespace engine {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds poll_period{10};

class Jobs {
 public:
  Jobs(std::span<const Job> jobs, const ManyOptions& options)
      : jobs_(jobs), options_(options), threads_(options.threads > 0 ? options.threads : threads()) {
    order_.resize(jobs.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::ranges::stable_sort(order_, std::greater{}, [&](std::size_t i) { return jobs[i].cost; });
    unfinished_ = static_cast<int>(jobs.size());
  }

  bool run() {
    const int workers = std::min(threads_, static_cast<int>(std::min<std::size_t>(jobs_.size(), 1 << 16)));
    run_team(workers, [&](int thread) {
      work(thread == 0);
      if (thread == 0) wait();
    });
    error_.rethrow();
    return !stop_.load();
  }

 private:
  void work(bool caller) {
    const std::function<bool()> stop = [this, caller] { return stopped(caller); };
    // The threads of those that are through are shared out among the rest.
    const ThreadLimit limit([this] { return std::max(1, threads_ / std::max(1, unfinished_.load())); });
    while (!stop()) {
      const std::size_t next = next_.fetch_add(1);
      if (next >= jobs_.size()) return;
      if (!jobs_[order_[next]].run(stop)) stop_.store(true);
      const std::lock_guard lock(mutex_);
      --unfinished_;
      changed_.notify_all();
    }
  }
  // The calling thread has nothing left to begin, but is still the one that polls.
  void wait() {
    std::unique_lock lock(mutex_);
    while (unfinished_.load() > 0 && !stop_.load()) {
      changed_.wait_for(lock, poll_period);
      lock.unlock();
      stopped(true);
      lock.lock();
    }
  }
  bool stopped(bool caller) {
    if (caller && options_.poll && !stop_.load(std::memory_order_relaxed)) {
      if (const auto now = Clock::now(); now >= next_poll_) {
        error_.guard([&] { stop_.store(options_.poll()); });
        if (error_.any()) stop_.store(true);
        next_poll_ = Clock::now() + poll_period;
      }
    }
    return stop_.load(std::memory_order_relaxed);
  }

  std::span<const Job> jobs_;
  const ManyOptions& options_;
  int threads_;
  std::vector<std::size_t> order_;
  std::atomic<std::size_t> next_{0};
  std::atomic<int> unfinished_{0};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  Clock::time_point next_poll_{};  // of the calling thread
  FirstError error_;               // of poll
};

}  // namespace

bool run_jobs(std::span<const Job> jobs, const ManyOptions& options) {
  return jobs.empty() || Jobs(jobs, options).run();
}

}  // namespace engine

template <class T>
engine::Job job_of(const Fitting<T>& fitting, FitResult& result) {
  result.interrupted = true;  // as long as it has not begun
  const auto rows = static_cast<double>(fitting.options.data.rows);
  const auto epochs = static_cast<double>(fitting.options.last_epoch - fitting.options.first_epoch);
  const auto run = [&fitting, &result](const std::function<bool()>& stop) {
    FitOptions<T> options = fitting.options;
    if (options.poll)
      options.poll = [&] { return stop() || fitting.options.poll(); };
    else
      options.poll = stop;
    try {
      fit(*fitting.trainer, options, result);
    } catch (...) {
      result.error = std::current_exception();
    }
    fitting.trainer->release_memory();
    return true;
  };
  return {run, rows * epochs * static_cast<double>(fitting.trainer->network().parameters().size())};
}

template <class T>
std::vector<FitResult> fit_many(std::span<const Fitting<T>> fittings, const ManyOptions& options) {
  std::set<const Trainer<T>*> seen;
  for (std::size_t i = 0; i < fittings.size(); ++i) {
    const std::string which = "fit_many: number " + std::to_string(i) + ": ";
    const Trainer<T>* trainer = fittings[i].trainer;
    if (!trainer) throw std::invalid_argument(which + "there is no trainer");
    if (!seen.insert(trainer).second) throw std::invalid_argument(which + "its trainer is given twice");
    try {
      check_fit(*trainer, fittings[i].options);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(which + error.what());
    }
  }
  std::vector<FitResult> results(fittings.size());
  std::vector<engine::Job> jobs;
  for (std::size_t i = 0; i < fittings.size(); ++i) jobs.push_back(job_of(fittings[i], results[i]));
  engine::run_jobs(jobs, options);
  return results;
}

template engine::Job job_of(const Fitting<float>&, FitResult&);
template engine::Job job_of(const Fitting<double>&, FitResult&);
template std::vector<FitResult> fit_many(std::span<const Fitting<float>>, const ManyOptions&);
template std::vector<FitResult> fit_many(std::span<const Fitting<double>>, const ManyOptions&);

}  // namespace deltarule
