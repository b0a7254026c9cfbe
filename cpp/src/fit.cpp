#include <deltarule/fit.h>
#include <chrono>

namespace deltarule {
namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::vector<std::string> measured(const TrainerSpec& spec) {
  std::vector<std::string> names{"loss"};
  for (const Spec& metric : spec.metrics) names.push_back(metric.name);
  return names;
}

// Reads one figure of an epoch.
class Figure {
 public:
  Figure(const TrainerSpec& spec, const std::string& name, bool validated) {
    const std::vector<std::string> names = measured(spec);
    std::vector<std::string> all = names;
    if (validated)
      for (const std::string& n : names) all.push_back("val_" + n);
    all.insert(all.end(), {"learning_rate", "time"});
    const auto found = std::find(all.begin(), all.end(), name);
    if (found == all.end()) {
      std::string text = "fit: the figure '" + name + "' is not measured; measured: ";
      for (const std::string& n : all) text += (n == all[0] ? "" : ", ") + n;
      throw std::invalid_argument(text);
    }
    const auto at = static_cast<std::size_t>(found - all.begin());
    rate_ = at + 2 == all.size();
    time_ = at + 1 == all.size();
    validation_ = !rate_ && !time_ && at >= names.size();
    index_ = at % names.size();
  }
  double operator()(const EpochFigures& epoch) const {
    if (rate_) return epoch.learning_rate;
    if (time_) return epoch.seconds;
    const Figures& figures = validation_ ? *epoch.validation : epoch.training;
    return index_ == 0 ? figures.loss : figures.metrics[index_ - 1];
  }

 private:
  std::size_t index_;
  bool validation_, rate_, time_;
};

// Parameters and statistics of a network at one time.
template <class T>
struct Weights {
  std::vector<T> parameters, statistics;
  void keep(const Network<T>& from) {
    parameters.assign(from.parameters().begin(), from.parameters().end());
    statistics.assign(from.statistics().begin(), from.statistics().end());
  }
  void put_back(Network<T>& to) const {
    std::copy(parameters.begin(), parameters.end(), to.parameters().begin());
    std::copy(statistics.begin(), statistics.end(), to.statistics().begin());
  }
  bool empty() const { return parameters.empty(); }
};

template <class T>
void run(Trainer<T>& trainer, const FitOptions<T>& options, FitResult& result) {
  check_fit(trainer, options);
  const TrainerSpec spec = trainer.spec();
  const bool validated = options.validation.rows > 0;
  std::optional<EarlyStopping> stopping;
  std::optional<ReduceOnPlateau> plateau;
  std::optional<Figure> stop_figure, plateau_figure;
  if (options.early_stopping) {
    stopping.emplace(options.early_stopping->options);
    stop_figure.emplace(spec, options.early_stopping->figure, validated);
  }
  if (options.plateau) {
    plateau.emplace(options.plateau->options);
    plateau_figure.emplace(spec, options.plateau->figure, validated);
  }
  bool asked = false;
  const std::function<bool()> poll = [&] { return asked = asked || (options.poll && options.poll()); };
  if (options.adapt && !trainer.network().adapted())
    trainer.network().adapt(options.data.rows, options.data.x, trainer.network().input_width(),
                            options.data.index);
  Weights<T> best;
  bool changed = false;  // whether the weights are no longer those of the last validation
  for (std::int64_t epoch = options.first_epoch; epoch < options.last_epoch; ++epoch) {
    if (poll()) {  // short epochs end before they would ask
      result.interrupted = true;
      return;
    }
    const auto start = Clock::now();
    EpochFigures figures{.epoch = epoch, .training = {}};
    const EpochResult trained = trainer.run_epoch(
        options.data,
        {.epoch = epoch, .batch_size = options.batch_size, .shuffle = options.shuffle, .poll = poll});
    if (!trained.stopped && validated) figures.validation = trainer.evaluate(options.validation, 0, poll);
    if (trained.stopped || asked) {
      result.interrupted = true;
      return;
    }
    figures.training = trained.figures;
    figures.learning_rate = trained.learning_rate;
    figures.seconds = since(start);
    result.epochs.push_back(figures);
    result.stop_reason = trained.stop_reason;
    bool end = !trained.stop_reason.empty();
    if (stopping) {
      const auto verdict = stopping->observe(epoch, (*stop_figure)(figures));
      if (verdict == EarlyStopping::Verdict::best_so_far && stopping->options().restore_best_weights)
        best.keep(trainer.network());
      if (verdict == EarlyStopping::Verdict::stop) {
        result.stopped_epoch = epoch;
        end = true;
      }
      result.early_stopping = {stopping->best(), stopping->best_epoch()};
    }
    if (plateau) {
      const double figure = (*plateau_figure)(figures), rate = trainer.learning_rate();
      if (const double next = plateau->observe(figure, rate); next != rate) trainer.set_learning_rate(next);
      if (figure == plateau->best() && (result.plateau.epoch < 0 || figure != result.plateau.figure))
        result.plateau = {figure, epoch};
    }
    if (options.on_epoch) options.on_epoch();
    if (end) break;
  }
  if (!best.empty()) {
    changed = stopping->best_epoch() != result.epochs.back().epoch;
    best.put_back(trainer.network());
  }
  if (options.average_at_end && trainer.averaged() > 0) {
    const auto average = std::as_const(trainer).state(trainer.state_count() - 1);
    std::copy(average.begin(), average.end(), trainer.network().parameters().begin());
    changed = true;
  }
  if (validated && !result.epochs.empty())
    result.score = changed ? trainer.evaluate(options.validation, 0, poll) : *result.epochs.back().validation;
  if (asked) result.score.reset();
  result.interrupted = asked;
}

}  // namespace

template <class T>
void check_fit(const Trainer<T>& trainer, const FitOptions<T>& options) {
  trainer.check_training(options.data);
  if (options.first_epoch < 0 || options.first_epoch > options.last_epoch)
    throw std::invalid_argument("fit: epochs " + std::to_string(options.first_epoch) + " to " +
                                std::to_string(options.last_epoch) +
                                " are not allowed; allowed: first_epoch from 0 to last_epoch");
  const bool validated = options.validation.rows > 0;
  if (validated) trainer.check_data(options.validation);
  if (options.early_stopping) Figure(trainer.spec(), options.early_stopping->figure, validated);
  if (options.plateau) Figure(trainer.spec(), options.plateau->figure, validated);
}

template <class T>
void fit(Trainer<T>& trainer, const FitOptions<T>& options, FitResult& result) {
  result = {};
  const auto start = Clock::now();
  try {
    run(trainer, options, result);
  } catch (...) {
    result.seconds = since(start);
    throw;
  }
  result.seconds = since(start);
}

template void check_fit(const Trainer<float>&, const FitOptions<float>&);
template void check_fit(const Trainer<double>&, const FitOptions<double>&);
template void fit(Trainer<float>&, const FitOptions<float>&, FitResult&);
template void fit(Trainer<double>&, const FitOptions<double>&, FitResult&);

}  // namespace deltarule
