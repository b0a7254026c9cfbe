// Natural logarithms. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/exp.h"

namespace deltarule::simd {

// exponent ln 2 + log(1 + f), f in [-1/4, 1/2]
template <AnyPack P>
inline P log_reduced(P exponent, P f) {
  using T = typename P::Scalar;
  const P ln2_high(choose<T>(0.693145751953125f, 0.6931471805598903));
  const P ln2_low(choose<T>(1.42860677e-06f, 5.497923018708371e-14));
  if constexpr (std::is_same_v<T, float>) {
    const P rest = fma(f * f, polynomial(f, coefficients::log_tail_float), exponent * ln2_low);
    return fma(exponent, ln2_high, f + rest);
  } else {  // log(1 + f) = f - f^2/2 + s (f^2/2 + z P(z)), s = f / (2 + f), z =
            // s^2
    const P s = f / (P(2) + f), z = s * s, half = P(0.5) * f * f;
    const P rest = fma(z, polynomial(z, coefficients::log_atanh_double), half);
    return fma(exponent, ln2_high, f - (half - fma(s, rest, exponent * ln2_low)));
  }
}

// The result where limit < x < inf; -inf at the limit, NaN below, inf and NaN
// kept.
template <AnyPack P>
inline P log_limits(P x, P limit, P result) {
  using Limits = std::numeric_limits<typename P::Scalar>;
  const P edge = select(x == limit, P(-Limits::infinity()), P(Limits::quiet_NaN()));
  return select(x > limit, select(x < P(Limits::infinity()), result, x), edge);
}

// log x  (ulp: 1.1, 0.9)
template <AnyPack P>
inline P log(P x) {
  if constexpr (split_is_total<P>) {
    const auto parts = split_exponent(x);
    return log_reduced(parts.exponent, parts.m - P(1));
  } else {
    using T = typename P::Scalar;
    constexpr T lift = T(std::int64_t(1) << Format<P>::fraction_bits);
    const auto subnormal = x < P(std::numeric_limits<T>::min());
    const auto parts = split_exponent(select(subnormal, x * P(lift), x));
    const P exponent = parts.exponent - apply_mask(subnormal, P(T(Format<P>::fraction_bits)));
    return log_limits(x, P::zero(), log_reduced(exponent, parts.m - P(1)));
  }
}

// log(1 + x) = log(u + c), u = fl(1 + x), c what the rounding dropped  (ulp: 1.3, 0.9)
template <AnyPack P>
inline P log1p(P x) {
  using T = typename P::Scalar;
  const P u = P(1) + x;
  const P c = x - (u - P(1));
  const auto parts = split_exponent(u);
  // u is 0 or at least 2^-digits; and where it is huge c does not matter
  constexpr T reach = T(std::numeric_limits<T>::max_exponent - 2);
  const P n = min(max(parts.exponent, P(-reach)), P(reach));
  const P inverse = power_of_two<P>(bits(P(Format<P>::rounding) - n));
  const P y = log_reduced(parts.exponent, fma(c, inverse, parts.m - P(1)));
  if constexpr (split_is_total<P>)
    return copysign(select(x < P(std::numeric_limits<T>::infinity()), y, x), x);
  else
    return copysign(log_limits(x, P(-1), y), x);
}

// log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|  (ulp: 2.2, 2.6)
template <AnyPack P>
inline P softplus(P x) {
  using T = typename P::Scalar;
  const P e = exp_minus_abs(x);
  const P tail = polynomial(e, choose<T>(coefficients::log1p_unit_float, coefficients::log1p_unit_double));
  return max(x, P(0)) + fma(e * e, tail, e);
}

// log(1 + e^(k x)) / k
template <class F, AnyPack P>
inline P softplus(F k, P x) {
  if constexpr (std::is_same_v<F, One>) return softplus(x);
  using T = typename P::Scalar;
  const auto d = decay(k.argument(x));
  const P tail = polynomial(d.e, choose<T>(coefficients::log1p_unit_float, coefficients::log1p_unit_double));
  return max(x, P(0)) + (Scaled<P>{fma(d.value * d.e, tail, d.value), d.n} / k).rounded();
}

}  // namespace deltarule::simd
