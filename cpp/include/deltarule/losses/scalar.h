// Scalar functions in double for second derivatives, in branches that lose no digits.
#pragma once

#include <deltarule/activations/scalars.h>
#include <cmath>

namespace deltarule::scalar {

using activations::logistic;
inline double softplus(double x) { return std::fmax(x, 0) + std::log1p(std::exp(-std::abs(x))); }

}  // namespace deltarule::scalar
