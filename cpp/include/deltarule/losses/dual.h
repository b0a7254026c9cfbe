// Numbers with a derivative along one direction: a gradient written for any scalar gives, on these, the
// Hessian times the direction, exactly.
#pragma once

#include <cmath>

namespace deltarule {

struct Dual {
  double value = 0, slope = 0;
  Dual() = default;
  Dual(double x, double dx = 0) : value(x), slope(dx) {}  // NOLINT(google-explicit-constructor): a constant
  friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
  friend Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
  friend Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
  friend Dual operator/(Dual a, Dual b) {
    const double ratio = a.value / b.value;
    return {ratio, (a.slope - ratio * b.slope) / b.value};
  }
  Dual operator-() const { return {-value, -slope}; }
  Dual& operator+=(Dual b) { return *this = *this + b; }
};

namespace scalar {
inline double value(double x) { return x; }
inline double value(Dual x) { return x.value; }
inline double exp(double x) { return std::exp(x); }
inline Dual exp(Dual x) { return {std::exp(x.value), x.slope * std::exp(x.value)}; }
inline double log1p(double x) { return std::log1p(x); }
inline Dual log1p(Dual x) { return {std::log1p(x.value), x.slope / (1 + x.value)}; }
inline double pow(double x, double power) { return std::pow(x, power); }
inline Dual pow(Dual x, double power) {
  const double y = std::pow(x.value, power);
  return {y, power == 0 || y == 0 ? 0 : power * y / x.value * x.slope};
}
}  // namespace scalar
}  // namespace deltarule
