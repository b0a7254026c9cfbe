// Training over many epochs: validation, early stopping, a rate that follows a figure.
#pragma once

#include <deltarule/option_checks.h>
#include <deltarule/schedules/plateau.h>
#include <deltarule/trainer.h>
#include <algorithm>
#include <cmath>
#include <exception>
#include <stdexcept>

namespace deltarule {

// Says when training no longer improves a figure.
class EarlyStopping {
 public:
  struct Options {
    double min_delta = 0;  // what counts as an improvement
    int patience = 0;      // epochs in a row without improvement after which training ends; 0 means 1
    bool maximize = false;
    int start_from_epoch = 0;  // epochs that are not looked at
    bool restore_best_weights = true;
  };
  enum class Verdict { go_on, best_so_far, stop };
  // Throws std::invalid_argument where an option is out of range.
  explicit EarlyStopping(const Options& options) : options_(options) {
    constexpr const char* owner = "EarlyStopping";
    check_option(owner, "min_delta", options.min_delta);
    check_option(owner, "patience", options.patience);
    check_option(owner, "start_from_epoch", options.start_from_epoch);
  }

  // A figure that is not a number is no improvement; any number is one after it.
  Verdict observe(std::int64_t epoch, double figure) {
    if (++seen_ <= options_.start_from_epoch) return Verdict::go_on;
    const bool better =
        options_.maximize ? figure - options_.min_delta > best_ : figure + options_.min_delta < best_;
    if (best_epoch_ < 0 || better || (std::isnan(best_) && !std::isnan(figure))) {
      best_ = figure;
      best_epoch_ = epoch;
      waited_ = 0;
      return Verdict::best_so_far;
    }
    return ++waited_ < std::max(options_.patience, 1) ? Verdict::go_on : Verdict::stop;
  }
  const Options& options() const { return options_; }
  double best() const { return best_; }                    // where there is a best epoch
  std::int64_t best_epoch() const { return best_epoch_; }  // -1 before the first figure

 private:
  Options options_;
  double best_ = 0;
  std::int64_t best_epoch_ = -1;
  int seen_ = 0, waited_ = 0;
};

// A rule and the figure of every epoch that it is told: "loss", the name of a metric, the same behind "val_"
// for validation data, "learning_rate" or "time".
template <class Options>
struct Watching {
  Options options = {};
  std::string figure = "val_loss";
};

template <class T>
struct FitOptions {
  Data<T> data;
  Data<T> validation = {};  // no rows: none
  std::ptrdiff_t batch_size = automatic_batch;
  bool shuffle = true;
  std::int64_t first_epoch = 0, last_epoch = 1;  // the last one is not trained any more
  bool adapt = true;                             // the network, to the data, where it is not adapted yet
  std::optional<Watching<EarlyStopping::Options>> early_stopping = {};
  std::optional<Watching<ReduceOnPlateau::Options>> plateau = {};
  bool average_at_end = false;          // the weights' average (ema_decay, swa_start) takes their place
  std::function<bool()> poll = {};      // called every few milliseconds; true ends training
  std::function<void()> on_epoch = {};  // called after every epoch
};

struct EpochFigures {
  std::int64_t epoch = 0;
  Figures training;
  std::optional<Figures> validation = {};
  double learning_rate = 0;  // of the last step
  double seconds = 0;        // with validation
};

struct FitResult {
  std::vector<EpochFigures> epochs = {};
  std::optional<Figures> score = {};  // of the validation rows at the end, with the weights that stay
  bool interrupted = false;           // poll said so; the network is as after the last step
  std::string stop_reason = {};       // why the rule ended training by itself
  struct Best {
    double figure = 0;
    std::int64_t epoch = -1;  // none
  };
  Best early_stopping = {}, plateau = {};  // what they saw
  std::int64_t stopped_epoch = -1;         // where early stopping ended training
  double seconds = 0;
  std::exception_ptr error = nullptr;  // of fit_many: what ended this training
};

// Throws std::invalid_argument when this cannot be trained on or a figure is not measured.
template <class T>
void check_fit(const Trainer<T>& trainer, const FitOptions<T>& options);

// Trains over all epochs. What was measured stands in `result` also when something is thrown (NonFiniteError,
// what functions of the user throw).
template <class T>
void fit(Trainer<T>& trainer, const FitOptions<T>& options, FitResult& result);

template <class T>
FitResult fit(Trainer<T>& trainer, const FitOptions<T>& options) {
  FitResult result;
  fit(trainer, options, result);
  return result;
}

}  // namespace deltarule
