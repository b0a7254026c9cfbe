#include "line_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace deltarule::second_order {

void LineSearch::start(const LineSearchSettings& settings, double value, double slope, double first_step) {
  settings_ = settings;
  start_ = before_ = low_ = best_ = {0, value, slope};
  step_ = first_step;
  width_ = std::numeric_limits<double>::infinity();
  evaluations_ = 0;
  bracketed_ = settled_ = false;
}

LineSearch::Found LineSearch::observe(double value, double slope) {
  if (settled_) return Found::step;
  ++evaluations_;
  const bool finite = std::isfinite(value) && std::isfinite(slope);
  const bool decreased =
      finite &&
      value <= start_.value + settings_.sufficient_decrease * step_ * start_.slope + settings_.noise;
  if (decreased && std::abs(slope) <= settings_.curvature * std::abs(start_.slope)) return Found::step;
  const Point here{step_, finite ? value : std::numeric_limits<double>::infinity(), slope};
  if (decreased && (best_.step == 0 || here.value < best_.value)) best_ = here;
  if (decreased && slope < 0) {
    before_ = low_;
    low_ = here;
  } else {
    high_ = here;
    bracketed_ = true;
  }
  const double next = bracketed_ ? inside() : beyond();
  const bool too_narrow = !(next > low_.step) || (bracketed_ && !(next < high_.step)) || !std::isfinite(next);
  if (evaluations_ < settings_.max_evaluations && !too_narrow) {
    step_ = next;
    return Found::nothing_yet;
  }
  if (best_.step == 0) return Found::nothing;
  if (best_.step == step_) return Found::step;
  step_ = best_.step;  // evaluated once more, so that what was computed last belongs to it
  settled_ = true;
  return Found::nothing_yet;
}

// Of the cubic through values and slopes at both (Nocedal & Wright 2006, equation 3.59).
double LineSearch::cubic_minimum(const Point& a, const Point& b) {
  const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
  const double d2 = std::copysign(std::sqrt(d1 * d1 - a.slope * b.slope), b.step - a.step);
  return b.step - (b.step - a.step) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
}

// The next step of a bracket; its width falls to two thirds at least every second time.
double LineSearch::inside() {
  const double width = high_.step - low_.step, middle = low_.step + 0.5 * width;
  const bool slow = width > 0.66 * width_;
  width_ = width;
  if (!std::isfinite(high_.value)) return low_.step + 0.1 * width;
  if (slow) return middle;
  double step = middle;
  if (std::abs(high_.value - low_.value) > settings_.noise)
    step = cubic_minimum(low_, high_);
  else if (high_.slope > 0)
    step = low_.step + width * (low_.slope / (low_.slope - high_.slope));
  if (!std::isfinite(step)) return low_.step + 0.1 * width;
  return std::clamp(step, low_.step + 0.1 * width, high_.step - 0.1 * width);
}

double LineSearch::beyond() const {
  const double step = cubic_minimum(before_, low_);
  const double shortest = low_.step + 0.1 * (low_.step - before_.step), longest = 10 * low_.step;
  return step > low_.step ? std::clamp(step, shortest, longest) : longest;
}

}  // namespace deltarule::second_order
