// reduce_on_plateau: a rate that follows a figure, such as the loss on validation data, and not the step. So
// it is no entry of the list of schedules: whoever measures the figure asks it for the next rate.
#pragma once

#include <deltarule/option_checks.h>
#include <algorithm>
#include <cmath>

namespace deltarule {

class ReduceOnPlateau {
 public:
  struct Options {
    double factor = 0.1;      // on the rate, 0 <= factor < 1
    int patience = 10;        // figures in a row without improvement before that; 0 means 1
    double min_delta = 1e-4;  // what counts as an improvement
    int cooldown = 0;         // figures that do not count after it
    double min_learning_rate = 0;
    bool maximize = false;  // a larger figure is the better one
  };
  // Throws std::invalid_argument where an option is out of range.
  explicit ReduceOnPlateau(const Options& options) : options_(options) {
    constexpr const char* owner = "ReduceOnPlateau";
    check_option(owner, "factor", options.factor, 1);
    check_option(owner, "patience", options.patience);
    check_option(owner, "cooldown", options.cooldown);
    check_option(owner, "min_delta", options.min_delta);
    check_option(owner, "min_learning_rate", options.min_learning_rate);
  }

  // The rate to go on with after this figure was measured with `rate`. A figure that is not a number is no
  // improvement.
  double observe(double figure, double rate) {
    const double cost = options_.maximize ? -figure : figure;
    if (cost + options_.min_delta < best_) {
      best_ = cost;
      waited_ = 0;
      return rate;
    }
    if (cooling_ > 0) {
      --cooling_;
      return rate;
    }
    if (++waited_ < std::max(options_.patience, 1)) return rate;
    waited_ = 0;
    cooling_ = options_.cooldown;
    return std::max(rate * options_.factor, std::min(rate, options_.min_learning_rate));
  }
  // The best figure so far; not a number before the first.
  double best() const {
    if (std::isinf(best_)) return std::numeric_limits<double>::quiet_NaN();
    return options_.maximize ? -best_ : best_;
  }

 private:
  Options options_;
  double best_ = std::numeric_limits<double>::infinity();
  int waited_ = 0, cooling_ = 0;
};

}  // namespace deltarule
