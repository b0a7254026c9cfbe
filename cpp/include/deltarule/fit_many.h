// Many independent networks at once: folds of a cross-validation, seeds, settings. Each is trained by one
// thread, without a barrier, and has the bits it has when it is trained alone. The data are shared.
#pragma once

#include <deltarule/fit.h>

namespace deltarule {

template <class T>
struct Fitting {
  Trainer<T>* trainer = nullptr;
  FitOptions<T> options;
};

struct ManyOptions {
  int threads = 0;  // 0: as many as a large job would use
  // Called on the calling thread every few milliseconds; true ends all training. What it throws is thrown
  // again when all threads are back.
  std::function<bool()> poll = {};
};

namespace engine {

// A job is done by one thread; where fewer jobs are left than threads, engine::threads() lets it use more.
struct Job {
  // Must not throw, and ends soon once stop() is true. False ends all the others too.
  std::function<bool(const std::function<bool()>& stop)> run;
  double cost = 1;  // in any unit; the dearest begin first
};

// Jobs are begun one by one by whichever thread is free. False when poll or a job ended it.
bool run_jobs(std::span<const Job> jobs, const ManyOptions& options);

}  // namespace engine

// The job of one training; what it refers to must stay where it is.
template <class T>
engine::Job job_of(const Fitting<T>& fitting, FitResult& result);

// The results in the order given; what one training throws is its result's `error` and leaves the others
// alone. Throws std::invalid_argument, naming the number, when one of them cannot be trained, before any is.
template <class T>
std::vector<FitResult> fit_many(std::span<const Fitting<T>> fittings, const ManyOptions& options = {});

}  // namespace deltarule
