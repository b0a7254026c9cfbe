// Scalar functions in double for second derivatives, in branches that lose no digits.
#pragma once

#include <cmath>

namespace deltarule::scalar {

inline double logistic(double x) {
  const double e = std::exp(-std::abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}
inline double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace deltarule::scalar
