// What the losses of a softmax share.
#pragma once

#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <cmath>
#include <cstddef>

namespace deltarule {

// The shared part of the softmax losses: e_k = exp(z_k - m) goes to `e`, but 0 in place `left_out`. What is
// left out is added last, so that neither p - 1 nor a loss near zero loses its digits.
template <class T>
struct SoftmaxSums {
  T maximum, own;
  double rest, total;
  SoftmaxSums(std::size_t n, const T* z, T* e, std::size_t left_out) : maximum(simd::maximum(n, z)) {
    using P = simd::Pack<T>;
    simd::each<T>(n, [&](auto span) { span.store(e, simd::exp(span.load(z) - P(maximum))); });
    own = e[left_out];
    e[left_out] = 0;
    rest = static_cast<double>(simd::sum<T>(n, [&](auto span) { return span.load(e); }));
    total = rest + static_cast<double>(own);
  }
  // ln of the sum of all e
  double log_total() const { return own == T(1) ? std::log1p(rest) : std::log(total); }
};

// out = mass (diag(p) - p p^T) v: the Hessian of a softmax's cross-entropy with a target of this mass
inline void softmax_jacobian_times(std::size_t n, const double* z, const double* v, double mass,
                                   double* out) {
  double maximum = z[0], total = 0, mean = 0;
  for (std::size_t c = 1; c < n; ++c) maximum = std::fmax(maximum, z[c]);
  for (std::size_t c = 0; c < n; ++c) total += out[c] = std::exp(z[c] - maximum);
  for (std::size_t c = 0; c < n; ++c) mean += out[c] * (v[c] / total);
  for (std::size_t c = 0; c < n; ++c) out[c] *= mass * (v[c] - mean) / total;
}

}  // namespace deltarule
