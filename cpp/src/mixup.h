// Shares of mixup.
#pragma once

#include <deltarule/engine/normal.h>
#include <deltarule/engine/philox.h>
#include <cmath>

namespace deltarule {

// Uniform in (0, 1), 52 bits.
inline double uniform(engine::PhiloxSequence& random) {
  const std::uint64_t high = random.next();
  return (static_cast<double>((high << 20) ^ (random.next() >> 12)) + 0.5) * 0x1p-52;
}

// Logarithm of a number of the Gamma(shape, 1) distribution (Marsaglia & Tsang 2000; a shape below one by
// Gamma(shape + 1) * U^(1 / shape), in logarithms so that small shapes do not underflow).
inline double log_gamma_draw(double shape, engine::PhiloxSequence& random) {
  const double boost = shape < 1 ? std::log(uniform(random)) / shape : 0;
  const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  while (true) {
    const double x = engine::normal_quantile(uniform(random)), root = 1 + c * x;
    const double u = uniform(random);
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(u) < 0.5 * x * x + d * (1 - v + std::log(v))) return std::log(d * v) + boost;
  }
}

// A number of the Beta(shape, shape) distribution.
inline double beta_draw(double shape, engine::PhiloxSequence& random) {
  const double a = log_gamma_draw(shape, random), b = log_gamma_draw(shape, random);
  return 1 / (1 + std::exp(b - a));
}

}  // namespace deltarule
