// fit_many for Python: jobs that are all C++, and jobs that are a Python function.
#include <deltarule/fit_many.h>
#include <chrono>

#include "models.h"

namespace deltarule::bindings {
namespace {

using namespace py::literals;

py::object as_python(const std::exception_ptr& error) {
  if (!error) return py::none();
  try {
    py::cpp_function([&] { std::rethrow_exception(error); })();
  } catch (py::error_already_set& translated) {
    return translated.value();
  }
  return py::none();
}

// One entry of the list. Made, asked for its outcome and destroyed with the GIL; run without.
class ManyTask {
 public:
  virtual ~ManyTask() = default;
  virtual engine::Job job() = 0;
  virtual py::object outcome() { return py::none(); }
  std::atomic<std::int64_t> epochs{0};  // done
};

template <class Options>
std::optional<Watching<Options>> watching(const py::dict& given, const char* name,
                                          Options (*read)(const py::dict&)) {
  const py::object rule = given[name];
  if (rule.is_none()) return {};
  const auto settings = py::cast<py::dict>(rule);
  return Watching<Options>{read(settings), py::cast<std::string>(settings["figure"])};
}

EarlyStopping::Options stopping_options(const py::dict& d) {
  return {.min_delta = py::cast<double>(d["min_delta"]),
          .patience = py::cast<int>(d["patience"]),
          .maximize = py::cast<bool>(d["maximize"]),
          .start_from_epoch = py::cast<int>(d["start_from_epoch"]),
          .restore_best_weights = py::cast<bool>(d["restore_best_weights"])};
}

ReduceOnPlateau::Options plateau_options(const py::dict& d) {
  return {.factor = py::cast<double>(d["factor"]),
          .patience = py::cast<int>(d["patience"]),
          .min_delta = py::cast<double>(d["min_delta"]),
          .cooldown = py::cast<int>(d["cooldown"]),
          .min_learning_rate = py::cast<double>(d["min_learning_rate"]),
          .maximize = py::cast<bool>(d["maximize"])};
}

// A training without Python: the trainer has its data, validation and rules stand in the dict.
template <class T>
class CoreTask final : public ManyTask {
 public:
  CoreTask(std::shared_ptr<TrainerBox<T>> box, const py::dict& given)
      : box_(std::move(box)), validation_(given["validation"]) {
    FitOptions<T>& o = fitting_.options;
    fitting_.trainer = box_->trainer.get();
    o.data = box_->data;
    if (!validation_.is_none()) {
      const auto v = py::cast<py::tuple>(validation_);
      o.validation = data_of(box_->owner->network, box_->trainer->loss(), v[0], v[1], v[2], v[3]);
    }
    o.batch_size = box_->batch_size;
    o.shuffle = box_->shuffle;
    o.first_epoch = py::cast<std::int64_t>(given["first_epoch"]);
    o.last_epoch = py::cast<std::int64_t>(given["last_epoch"]);
    o.adapt = py::cast<bool>(given["adapt"]);
    o.average_at_end = py::cast<bool>(given["average_at_end"]);
    o.early_stopping = watching(given, "early_stopping", &stopping_options);
    o.plateau = watching(given, "plateau", &plateau_options);
    o.on_epoch = [this] { epochs.fetch_add(1, std::memory_order_relaxed); };
  }
  engine::Job job() override { return job_of(fitting_, result_); }
  py::object outcome() override {
    py::list epochs_logs;
    for (const EpochFigures& e : result_.epochs) {
      py::dict logs;
      put_figures(*box_, e.training, logs);
      if (e.validation) put_figures(*box_, *e.validation, logs, "val_");
      logs["learning_rate"] = e.learning_rate;
      logs["time"] = e.seconds;
      epochs_logs.append(py::make_tuple(e.epoch, logs));
    }
    py::dict score;
    if (result_.score) put_figures(*box_, *result_.score, score, "val_");
    const auto best = [](const FitResult::Best& b) { return py::make_tuple(b.figure, b.epoch); };
    return py::dict("epochs"_a = epochs_logs, "score"_a = score, "interrupted"_a = result_.interrupted,
                    "stop_reason"_a = result_.stop_reason, "seconds"_a = result_.seconds,
                    "stopped_epoch"_a = result_.stopped_epoch,
                    "early_stopping"_a = best(result_.early_stopping), "plateau"_a = best(result_.plateau),
                    "error"_a = as_python(result_.error));
  }

 private:
  std::shared_ptr<TrainerBox<T>> box_;
  py::object validation_;
  Fitting<T> fitting_;
  FitResult result_;
};

// A Python function that trains one network. It keeps its outcome itself.
class PythonTask final : public ManyTask {
 public:
  PythonTask(py::object function, double cost, std::function<void(py::error_already_set&)> give_up)
      : function_(std::move(function)), cost_(cost), give_up_(std::move(give_up)) {}
  engine::Job job() override {
    const auto run = [this](const std::function<bool()>& stop) {
      const py::gil_scoped_acquire acquire;
      const StopInstead instead(&stop);
      try {
        function_(py::cpp_function([this] { epochs.fetch_add(1, std::memory_order_relaxed); }));
      } catch (py::error_already_set& error) {
        give_up_(error);
      }
      return true;
    };
    return {run, cost_};
  }

 private:
  py::object function_;
  double cost_;
  std::function<void(py::error_already_set&)> give_up_;
};

// Runs the tasks. `report` is called on this thread now and then with the number of epochs done and the list
// of (number, outcome) of what has ended since. Gives the exception that ended all, or None.
class ManyRun {
 public:
  explicit ManyRun(py::function report) : report_(std::move(report)), outer_(StopInstead::current()) {}

  void add(const py::object& task) {
    const auto give_up = [this](py::error_already_set& error) { end(error); };
    if (!py::isinstance<py::dict>(task)) {
      const auto pair = py::cast<py::tuple>(task);
      tasks_.push_back(std::make_unique<PythonTask>(pair[0], py::cast<double>(pair[1]), give_up));
      return;
    }
    const auto given = py::cast<py::dict>(task);
    std::visit(
        [&]<class T>(const std::shared_ptr<TrainerBox<T>>& box) {
          tasks_.push_back(std::make_unique<CoreTask<T>>(box, given));
        },
        py::cast<const PyTrainer&>(given["trainer"]).box);
  }

  py::object run(int threads) {
    std::vector<engine::Job> jobs;
    for (std::size_t i = 0; i < tasks_.size(); ++i) {
      engine::Job job = tasks_[i]->job();
      job.run = [this, i, run = std::move(job.run)](const std::function<bool()>& stop) {
        run(stop);
        const std::lock_guard lock(mutex_);
        ended_.push_back(i);
        return !over_.load();
      };
      jobs.push_back(std::move(job));
    }
    {
      const py::gil_scoped_release release;
      engine::run_jobs(jobs, {.threads = threads, .poll = [this] { return poll(); }});
    }
    guard([&] { report(); });
    return error_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  template <class F>
  void guard(F&& f) {
    try {
      f();
    } catch (py::error_already_set& error) {
      end(error);
    }
  }
  // With the GIL. The first exception is the one that is raised; what follows from it is not.
  void end(py::error_already_set& error) {
    if (!over_.exchange(true)) error_ = error.value();
  }
  bool poll() {
    if (over_.load()) return true;
    const py::gil_scoped_acquire acquire;
    const StopInstead instead(outer_);
    guard([&] {
      raise_if_signalled(signalled());
      if (Clock::now() < next_report_) return;
      report();
      next_report_ = Clock::now() + std::chrono::milliseconds(100);
    });
    return over_.load();
  }
  void report() {
    std::vector<std::size_t> ended;
    {
      const std::lock_guard lock(mutex_);
      std::swap(ended, ended_);
    }
    std::int64_t epochs = 0;
    for (const auto& task : tasks_) epochs += task->epochs.load(std::memory_order_relaxed);
    py::list outcomes;
    for (const std::size_t i : ended) outcomes.append(py::make_tuple(i, tasks_[i]->outcome()));
    report_(epochs, outcomes);
  }

  py::function report_;
  const std::function<bool()>* outer_;  // of a fit_many around this one
  std::vector<std::unique_ptr<ManyTask>> tasks_;
  std::mutex mutex_;
  std::vector<std::size_t> ended_;
  std::atomic<bool> over_{false};
  py::object error_ = py::none();
  Clock::time_point next_report_{};
};

}  // namespace

void bind_fit_many(py::module_& m) {
  m.def(
      "fit_many",
      [](const py::list& tasks, int threads, const py::function& report) {
        ManyRun run(report);
        for (const auto& task : tasks) run.add(py::reinterpret_borrow<py::object>(task));
        return run.run(threads);
      },
      "tasks"_a, "threads"_a, "report"_a);
}

}  // namespace deltarule::bindings
