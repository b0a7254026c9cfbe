// A search along a descent direction for a step that satisfies the strong Wolfe conditions.
#pragma once

namespace deltarule::second_order {

struct LineSearchSettings {
  double sufficient_decrease = 1e-4, curvature = 0.9;  // c1 and c2
  double noise = 0;  // differences of values up to this say nothing: then slopes decide
  int max_evaluations = 25;
};

// Asks for one evaluation after the other: whoever runs it evaluates at step() and tells what came out.
//
// `low` is the longest step known to be too short: it lies below the line of sufficient decrease and still
// goes down steeply. `high` is too long: above that line, or going up. Between the two there is a step that
// satisfies both conditions, since the function minus the line has a minimum there.
class LineSearch {
 public:
  enum class Found { nothing_yet, step, nothing };

  void start(const LineSearchSettings& settings, double value, double slope, double first_step);
  // What value and slope are at step(); a step where they are not finite is too long.
  Found observe(double value, double slope);
  double step() const { return step_; }

 private:
  struct Point {
    double step = 0, value = 0, slope = 0;
  };
  static double cubic_minimum(const Point& a, const Point& b);
  double inside();
  double beyond() const;

  LineSearchSettings settings_{};
  Point start_{}, before_{}, low_{}, high_{}, best_{};
  double step_ = 0, width_ = 0;
  int evaluations_ = 0;
  bool bracketed_ = false, settled_ = false;
};

}  // namespace deltarule::second_order
