// e^x and what is built on it. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/pieces.h"

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
template <AnyPack P>
inline Exponential<P> exponential(Pair<P> x) {
  return exponential(x.high, x.low);
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

// Not below `lowest`, in the leading piece
template <AnyPack P>
inline P at_least(typename P::Scalar lowest, P x) {
  return max(x, P(lowest));
}
template <AnyPack P>
inline Pair<P> at_least(typename P::Scalar lowest, Pair<P> x) {
  return {max(x.high, P(lowest)), x.low};
}

// e^-|x|, for a Pack or a Pair
template <class X>
inline auto exp_minus_abs_of_any(X x) {
  using P = decltype(leading(x));
  const auto e = exponential(at_least(exp_lowest<typename P::Scalar>, minus_abs(x)));
  return scale(e.p + P(1), e.n);
}
template <class X>
inline auto exp_minus_abs(X x) {
  if constexpr (has_lookup<X>)
    return in_pieces_or(abs(x), coefficients::exp_minus_step, coefficients::exp_minus_pieces,
                        [&] { return exp_minus_abs_of_any(x); });
  else
    return exp_minus_abs_of_any(x);
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

// 1 / (1 + e^-x) = (x < 0 ? e : 1) / (1 + e), e = e^-|x|, for a Pack or a Pair  (ulp: 2.4, 2.2)
template <class X>
inline auto logistic(X x) {
  using P = decltype(leading(x));
  const auto general = [&] {
    const P e = exp_minus_abs_of_any(x);
    return select(leading(x) < P(0), e, P(1)) / (P(1) + e);
  };
  if constexpr (has_lookup<X>) {
    const P a = abs(x), tail = in_pieces(a, coefficients::logistic_step, coefficients::logistic_pieces);
    return inside_or(a, coefficients::logistic_step, select(x < P(0), tail, P(1) - tail), general);
  } else {
    return general();
  }
}

// e^-|x| = value 2^n, and once more as a number of the type, correct beside 1. For a Pack or a Pair.
template <AnyPack P>
struct Decay {
  P value;  // in (1/3, 3/4)
  Rounded<P> n;
  P e;
};
template <class P>
inline Decay<P> decay(Exponential<P> e) {
  using T = typename P::Scalar;
  constexpr T least_power = Format<P>::rounding + T(std::numeric_limits<T>::min_exponent - 1);
  const P value = fma(P(T(0.5)), e.p, P(T(0.5)));
  const Rounded<P> n{e.n.shifted + P(1)};
  return {value, n, value * power_of_two<P>(bits(max(n.shifted, P(least_power))))};
}
template <class X>
inline auto decay(X x) {
  using T = typename decltype(leading(x))::Scalar;
  constexpr T lowest = choose<T>(-900.0f, -1500.0);  // below, e^-|x| times any double is 0
  return decay(exponential(at_least(lowest, minus_abs(x))));
}

// x / (1 + e^-z): x e / (1 + e) for z <= 0, and the rest of x otherwise; 0 at -infinity  (ulp: 3.2, 3.2)
template <AnyPack P, class Z>
inline P times_logistic(P x, Z z) {
  const P largest(std::numeric_limits<typename P::Scalar>::max());
  const auto d = decay(z);
  const P part = Scaled<P>{min(max(x, -largest), largest) * (d.value / (P(1) + d.e)), d.n}.rounded();
  return select(leading(z) > P(0), x - part, part);
}

// (1 + e)^2, for e <= 1
template <AnyPack P>
inline P square_of_sum(P e) {
  return fma(e, e + P(2), P(1));
}

// The same for z = x, where less range will do
template <AnyPack P>
inline P times_logistic(P x) {
  const auto general = [&] {
    const P reach(choose<typename P::Scalar>(112.0f, 760.0));
    const P bounded = min(max(x, -reach), reach);
    const auto d = decay(exponential(minus_abs(bounded)));
    const P part = scale(bounded * (d.value / (P(1) + d.e)), d.n);
    return select(x > P(0), x - part, part);
  };
  if constexpr (has_lookup<P>) {
    const P a = abs(x), tail = in_pieces(a, coefficients::logistic_step, coefficients::logistic_pieces);
    return inside_or(a, coefficients::logistic_step, fma(-a, tail, max(x, -P::zero())), general);
  } else {
    return general();
  }
}

// The derivative of logistic: e / (1 + e)^2, e = e^-|x|, for a Pack or a Pair
template <class X>
inline auto logistic_slope(X x) {
  using P = decltype(leading(x));
  const auto d = decay(x);
  return Scaled<P>{d.value / square_of_sum(d.e), d.n};
}

// The same as a number of the type
template <AnyPack P>
inline P rounded_logistic_slope(P x) {
  const auto general = [&] {
    const P e = exp_minus_abs_of_any(x);
    return e / square_of_sum(e);
  };
  if constexpr (has_lookup<P>)
    return in_pieces_or(abs(x), coefficients::logistic_slope_step, coefficients::logistic_slope_pieces,
                        general);
  else
    return general();
}

// s + t s (1 - s), s = 1 / (1 + e^-z), for t of the sign of z: with t = z the derivative of z / (1 + e^-z).
// It is e (1 + e - |t|) / (1 + e)^2 for z <= 0, and what is left of 1 otherwise.
template <AnyPack P, class Z>
inline P times_logistic_slope(Z z, P t) {
  const auto d = decay(z);
  const P difference = (P(1) + d.e) - min(abs(t), P(typename P::Scalar(4096)));
  const P part = Scaled<P>{d.value * difference / square_of_sum(d.e), d.n}.rounded();
  return select(leading(z) > P(0), P(1) - part, part);
}

// The same for z = t = x
template <AnyPack P>
inline P times_logistic_slope(P x) {
  const auto general = [&] { return times_logistic_slope(x, x); };
  if constexpr (has_lookup<P>) {
    const P a = abs(x), g = in_pieces(a, coefficients::times_logistic_slope_step,
                                      coefficients::times_logistic_slope_pieces);
    return inside_or(a, coefficients::times_logistic_slope_step, select(x > P(0), P(1) - g, g), general);
  } else {
    return general();
  }
}

// f e^-|x|
template <class F, AnyPack P>
inline P times_exp_minus_abs(F f, P x) {
  if constexpr (std::is_same_v<F, One>) return exp_minus_abs(x);
  const auto d = decay(x);
  return (f * Scaled<P>{d.value, d.n}).rounded();
}

}  // namespace deltarule::simd
