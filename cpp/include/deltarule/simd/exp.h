// e^x and what is built on it. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/numeric.h"

namespace deltarule::simd {

// e^(high + low) = 2^n (1 + p)
template <AnyPack P>
struct Exponential {
  P p;
  Rounded<P> n;
};

// n = round(high / ln 2), r = high - n ln 2 + low, p = e^r - 1; n within the exponent range, |low| small
template <AnyPack P, class... Low>
inline Exponential<P> exponential(P high, Low... low) {
  using T = typename P::Scalar;
  constexpr T ln2_high = choose<T>(0.693145751953125f, 0.6931471805598903);  // short: n ln2_high is exact
  constexpr T ln2_low = choose<T>(1.42860677e-06f, 5.497923018708371e-14);
  const auto n = round_product(high, T(1.44269504088896340736));
  const P reduced = fma(n.value(), P(-ln2_low), fma(n.value(), P(-ln2_high), high));
  const P r = (reduced + ... + low);
  const P tail = polynomial(r, choose<T>(coefficients::exp_tail_float, coefficients::exp_tail_double));
  return {fma(r * r, tail, r), n};
}
template <class T>
inline constexpr T exp_lowest = choose<T>(-104.0f, -746.0);
template <class T>
inline constexpr T exp_highest = choose<T>(89.0f, 710.0);

// e^x  (ulp: 1.0, 1.0)
template <AnyPack P>
inline P exp(P x) {
  using T = typename P::Scalar;
  const auto e = exponential(min(max(x, P(exp_lowest<T>)), P(exp_highest<T>)));
  return scale(e.p + P(1), e.n);
}

// e^-|x|
template <AnyPack P>
inline P exp_minus_abs(P x) {
  const auto e = exponential(max(-abs(x), P(exp_lowest<typename P::Scalar>)));
  return scale(e.p + P(1), e.n);
}

// e^x - 1 = 2 (t p + (t - 1/2)), t = 2^(n-1): finite as long as the result is  (ulp: 1.6, 1.9)
template <AnyPack P>
inline P expm1(P x) {
  using T = typename P::Scalar;
  constexpr T lowest = choose<T>(-18.0f, -38.0);
  const auto e = exponential(min(max(x, P(lowest)), P(exp_highest<T>)));
  const P t = power_of_two<P>(e.n.low_bits() - 1);
  const P y = fma(t, e.p, t - P(T(0.5)));
  const P tiny(std::numeric_limits<T>::epsilon() / 4);
  return select(abs(x) < tiny, x, y + y);
}

// tanh |x| = -E / (E + 2), E = e^(-2|x|) - 1  (ulp: 2.5, 2.5)
template <AnyPack P>
inline P tanh(P x) {
  using T = typename P::Scalar;
  const P a = min(abs(x), P(choose<T>(9.5f, 20.0)));
  const auto e = exponential(P(T(-2)) * a);
  const P t = power_of_two<P>(e.n.low_bits());
  const P y = fma(t, e.p, t - P(1));
  return copysign(y / (y + P(2)), x);
}

// 1 / (1 + e^-x) = (x < 0 ? e : 1) / (1 + e), e = e^-|x|  (ulp: 2.4, 2.2)
template <AnyPack P>
inline P logistic(P x) {
  const P e = exp_minus_abs(x);
  return select(x < P(0), e, P(1)) / (P(1) + e);
}

}  // namespace deltarule::simd
