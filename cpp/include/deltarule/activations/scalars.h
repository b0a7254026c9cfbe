// What the second derivatives are made of: functions of one double, in forms that neither overflow nor
// cancel.
#pragma once

#include <algorithm>
#include <cmath>

namespace deltarule::activations {

// 0, the second derivative of straight lines; NaN for NaN
inline double no_curvature(double x) { return std::isnan(x) ? x : 0; }

inline double logistic(double z) {
  const double e = std::exp(-std::abs(z));
  return (z < 0 ? e : 1) / (1 + e);
}
// sigma'(z) = e / (1 + e)^2, e = e^-|z|
inline double logistic_slope(double z) {
  const double e = std::exp(-std::abs(z));
  return e / ((1 + e) * (1 + e));
}
// sigma''(z) / sigma'(z) = 1 - 2 sigma(z)
inline double logistic_bend(double z) { return -std::tanh(z / 2); }

// 1 - tanh(z)^2
inline double tanh_slope(double z) { return 4 * logistic_slope(2 * z); }

inline double normal_density(double x) { return 0.39894228040143267794 * std::exp(-0.5 * x * x); }

// Where every bell-shaped factor of a second derivative is 0, and products are far from overflow.
inline double bounded(double x, double reach) { return std::isnan(x) ? x : std::clamp(x, -reach, reach); }

}  // namespace deltarule::activations
