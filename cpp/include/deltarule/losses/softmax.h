// What the losses of a softmax share.
#pragma once

#include <deltarule/simd/columns.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>
#include <cstddef>

namespace deltarule {

// A row's loss as plain + factor ln(own + rest): the logarithms of several rows are taken together. Where
// `own` is 1 no digit of a small `rest` is lost.
struct LogTerm {
  double plain, factor, own, rest;
};

// The first place of the row's largest number; 0 where there is none.
template <class T>
std::size_t first_largest(std::size_t n, const T* z, T largest) {
  using P = simd::Pack<T>;
  constexpr std::size_t width = P::width;
  for (std::size_t i = 0; i < n; i += width) {
    const int lanes = static_cast<int>(std::min(width, n - i));
    const auto found = (P::load_partial(z + i, lanes) == P(largest)) & (P::iota() < P(static_cast<T>(lanes)));
    if (!simd::any<P>(found)) continue;
    const P place = simd::select(found, P::iota(), P(static_cast<T>(width)));
    return i + static_cast<std::size_t>(-simd::reduce_max(-place));
  }
  return 0;
}

// The shared part of the softmax losses: e_k = exp(z_k - m) goes to `e`. What is in place `left_out` is added
// last, so that neither p - 1 nor a loss near zero loses its digits.
template <class T>
struct SoftmaxSums {
  T maximum, own;
  double rest, total;
  SoftmaxSums(std::size_t n, const T* z, T* e, T largest, std::size_t left_out) : maximum(largest) {
    using P = simd::Pack<T>;
    rest = static_cast<double>(simd::sum<T>(n, [&](auto span) {
      const P power = simd::exp(span.load(z) - P(maximum));
      span.store(e, power);
      const T place = static_cast<T>(static_cast<std::ptrdiff_t>(left_out - span.i));
      return simd::select(P::iota() == P(place), P(0), power);
    }));
    own = e[left_out];
    total = rest + static_cast<double>(own);
  }
  SoftmaxSums(std::size_t n, const T* z, T* e, std::size_t left_out)
      : SoftmaxSums(n, z, e, simd::maximum(n, z), left_out) {}
  // ln of the sum of all e
  LogTerm log_total(double plain, double factor) const {
    return {plain, factor, static_cast<double>(own), rest};
  }
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
