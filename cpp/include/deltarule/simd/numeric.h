// What the vector functions are made of: polynomials, rounding to an integer, powers of two, and numbers with
// more digits (Pair) or more range (Scaled, Factor) than the type.
#pragma once

#include <cstddef>
#include <utility>

#include "deltarule/simd/coefficients.h"
#include "deltarule/simd/pack.h"

namespace deltarule::simd {

// The float or the double of a pair of constants.
template <class T, class A, class B>
constexpr const auto& choose([[maybe_unused]] const A& for_float, [[maybe_unused]] const B& for_double) {
  if constexpr (std::is_same_v<T, float>)
    return for_float;
  else
    return for_double;
}

template <AnyPack P>
struct Format {
  using T = typename P::Scalar;
  using Integer = typename P::Integer;
  static constexpr int fraction_bits = std::numeric_limits<T>::digits - 1;
  static constexpr Integer one = std::bit_cast<Integer>(T(1));
  // Adding this leaves the nearest integer in the low bits of the sum.
  static constexpr T rounding = T(Integer(3) << (fraction_bits - 1));
  static constexpr Integer sign = std::numeric_limits<Integer>::min();
};

// c[0] + c[1] x + c[2] x^2 + ..., in pairs: half the latency of Horner's rule
template <AnyPack P, std::size_t N>
inline P polynomial(P x, const typename P::Scalar (&c)[N]) {
  static_assert(N >= 2);
  const auto pair = [&](std::size_t i) { return i + 1 < N ? fma(P(c[i + 1]), x, P(c[i])) : P(c[i]); };
  constexpr std::size_t last = (N - 1) / 2;
  P sum = pair(2 * last);
  if constexpr (last > 0) {
    const P square = x * x;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      ((sum = fma(sum, square, pair(2 * (last - 1 - I)))), ...);
    }(std::make_index_sequence<last>{});
  }
  return sum;
}

// An integer, kept as its sum with Format::rounding: it stands in the low bits.
template <AnyPack P>
struct Rounded {
  P shifted;
  P value() const { return shifted - P(Format<P>::rounding); }
  typename P::Mask low_bits() const { return bits(shifted); }
};

// The integer nearest x * factor, for |x * factor| < 2^21.
template <AnyPack P>
inline Rounded<P> round_product(P x, typename P::Scalar factor) {
  return {fma(P(factor), x, P(Format<P>::rounding))};
}

// 2^n for a normal result
template <AnyPack P>
inline P power_of_two(typename P::Mask low_bits_of_n) {
  return from_bits<P>((low_bits_of_n << Format<P>::fraction_bits) + Format<P>::one);
}

// AVX-512 scales by any power of two, and takes any number apart.
template <AnyPack P>
inline constexpr bool has_scalef =
#if defined(__AVX512F__)
    sizeof(P) == 64;
#else
    false;
#endif

// a * 2^n, rounded once even where it is subnormal, for |n| up to `pieces` times the exponent range
template <int pieces = 2, AnyPack P>
inline P scale(P a, Rounded<P> n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm512_maskz_scalef_ps(0xffff, __m512(a.v), __m512(n.value().v))));
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm512_maskz_scalef_pd(0xff, __m512d(a.v), __m512d(n.value().v))));
#endif
  const auto piece = round_product(n.value(), typename P::Scalar(1) / pieces).low_bits();
  const P power = power_of_two<P>(piece);
  typename P::Mask rest = n.low_bits();
  for (int i = 1; i < pieces; ++i) {
    a *= power;
    rest -= piece;
  }
  return a * power_of_two<P>(rest);
}

// x = m 2^exponent with m in [3/4, 3/2), for normal x > 0. With split_is_total for every x: exponent -inf
// at 0, +inf at inf, m NaN for x < 0, as the logarithm needs them.
template <AnyPack P>
struct Split {
  P m, exponent;
};
template <AnyPack P>
inline constexpr bool split_is_total = has_scalef<P>;

template <AnyPack P>
inline Split<P> split_exponent(P x) {
  using F = Format<P>;
  using T = typename P::Scalar;
#if defined(__AVX512F__)
  if constexpr (split_is_total<P>) {
    P m, exponent;
    if constexpr (sizeof(T) == 4) {
      m = typename P::Vector(
          _mm512_maskz_getmant_ps(0xffff, __m512(x.v), _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan));
      exponent = typename P::Vector(_mm512_maskz_getexp_ps(0xffff, __m512(x.v)));
    } else {
      m = typename P::Vector(
          _mm512_maskz_getmant_pd(0xff, __m512d(x.v), _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan));
      exponent = typename P::Vector(_mm512_maskz_getexp_pd(0xff, __m512d(x.v)));
    }
    return {m, select(m < P(1), exponent + P(1), exponent)};
  }
#endif
  constexpr auto lowest = std::bit_cast<typename P::Integer>(T(0.75));
  constexpr auto rounding = std::bit_cast<typename P::Integer>(F::rounding);
  const typename P::Mask n = (bits(x) - lowest) >> F::fraction_bits;
  return {from_bits<P>(bits(x) - (n << F::fraction_bits)), from_bits<P>(n + rounding) - P(F::rounding)};
}

// Is fma() one rounding for this Pack?
template <AnyPack P>
inline constexpr bool exact_fma =
#if defined(__FMA__) || defined(__aarch64__)
    !std::is_void_v<typename EigenRegister<P>::type>;
#else
    false;
#endif

// The upper half of the significand: products of two such are exact, so that a compiler may contract them.
template <AnyPack P>
inline P upper_half(P x) {
  constexpr auto low_half = (typename P::Integer(1) << (Format<P>::fraction_bits / 2 + 1)) - 1;
  return from_bits<P>(bits(x) & ~low_half);
}

// high + low, to about twice the precision
template <AnyPack P>
struct Pair {
  P high, low;
};
template <AnyPack P>
inline P leading(P a) {
  return a;
}
template <AnyPack P>
inline P leading(Pair<P> a) {
  return a.high;
}
template <AnyPack P>
inline P rounded(P a) {
  return a;
}
template <AnyPack P>
inline P rounded(Pair<P> a) {
  return a.high + a.low;
}
// -|a|
template <AnyPack P>
inline P minus_abs(P a) {
  return -abs(a);
}
template <AnyPack P>
inline Pair<P> minus_abs(Pair<P> a) {
  return {-abs(a.high), from_bits<P>(bits(a.low) ^ (~bits(a.high) & Format<P>::sign))};
}

// a * b and a + b without error
template <AnyPack P>
inline Pair<P> exact_product(P a, P b) {
  const P high = a * b;
  if constexpr (exact_fma<P>) {
    return {high, fma(a, b, -high)};
  } else {
    const P a_upper = upper_half(a), b_upper = upper_half(b), a_low = a - a_upper, b_low = b - b_upper;
    return {high, ((a_upper * b_upper - high) + a_upper * b_low + a_low * b_upper) + a_low * b_low};
  }
}
template <AnyPack P>
inline Pair<P> exact_sum(P a, P b) {
  const P high = a + b, b_part = high - a;
  return {high, (a - (high - b_part)) + (b - b_part)};
}
template <AnyPack P>
inline Pair<P> operator*(Pair<P> a, P b) {
  const auto high = exact_product(a.high, b);
  return {high.high, fma(a.low, b, high.low)};
}
template <AnyPack P>
inline Pair<P> operator*(Pair<P> a, Pair<P> b) {
  const auto high = a * b.high;
  return {high.high, fma(a.high, b.low, high.low)};
}
template <AnyPack P>
inline Pair<P> operator+(Pair<P> a, Pair<P> b) {
  const auto high = exact_sum(a.high, b.high);
  return {high.high, high.low + (a.low + b.low)};
}
// The argument of an exponential: beyond its range the low piece counts no more, and may be NaN.
template <AnyPack P>
inline Pair<P> exponent_argument(Pair<P> a) {
  return {a.high, apply_mask(abs(a.high) < P(typename P::Scalar(2048)), a.low)};
}

// A constant in two pieces of the type.
struct Constant {
  float float_high, float_low;
  double high, low;
  template <AnyPack P>
  Pair<P> in() const {
    if constexpr (std::is_same_v<typename P::Scalar, float>)
      return {P(float_high), P(float_low)};
    else
      return {P(high), P(low)};
  }
};

// a * 2^n for any n
template <AnyPack P>
inline P scale_any(P a, Rounded<P> n) {
  if constexpr (has_scalef<P>) return scale(a, n);
  using T = typename P::Scalar;
  constexpr T reach = 3 * (std::numeric_limits<T>::max_exponent - 2);
  const P rounding(Format<P>::rounding);
  return scale<3>(a, Rounded<P>{min(max(n.shifted, rounding - P(reach)), rounding + P(reach))});
}

// value * 2^n: the power of two is applied last, so that nothing overflows or underflows on the way.
template <AnyPack P>
struct Scaled {
  P value;
  Rounded<P> n;
  P rounded() const { return scale_any(value, n); }
};

// A parameter f, a double, in every lane. Its three kinds do the same: f.times(x) is f x rounded,
// f.argument(x) is f x as the argument of an exponential, and f multiplies and divides a Scaled.
struct One {
  template <AnyPack P>
  P times(P x) const {
    return x;
  }
  template <AnyPack P>
  P argument(P x) const {
    return x;
  }
};
template <AnyPack P>
inline Scaled<P> operator*(One, Scaled<P> a) {
  return a;
}
template <AnyPack P>
inline Scaled<P> operator/(Scaled<P> a, One) {
  return a;
}

// One that the type rounds to a normal number, or 0: high + low
template <AnyPack P>
struct Factor {
  using T = typename P::Scalar;
  P high, low;
  Factor() = default;
  explicit Factor(double f) : high(T(f)), low(T(f - static_cast<double>(T(f)))) {}
  static bool holds(double f) {
    using Limits = std::numeric_limits<T>;
    return f == 0 || (std::abs(f) >= static_cast<double>(Limits::min()) &&
                      std::abs(f) <= static_cast<double>(Limits::max()));
  }
  P times(P x) const { return high * x; }
  Pair<P> argument(P x) const {
    if constexpr (std::is_same_v<T, double>) return exponent_argument(exact_product(high, x));
    return exponent_argument(Pair<P>{high, low} * x);
  }
};
template <AnyPack P>
inline Scaled<P> operator*(Factor<P> f, Scaled<P> a) {
  return {f.high * a.value, a.n};
}
template <AnyPack P>
inline Scaled<P> operator/(Scaled<P> a, Factor<P> f) {
  return {a.value / f.high, a.n};
}

// Any other: (high + low) 2^n, 1 <= |high| < 2
template <AnyPack P>
struct WideFactor {
  using T = typename P::Scalar;
  P high, low;
  Rounded<P> n;
  WideFactor() = default;
  explicit WideFactor(double f) {
    int exponent = 0;
    const double m = 2 * std::frexp(f, &exponent);
    high = P(static_cast<T>(m));
    low = P(static_cast<T>(m - static_cast<double>(static_cast<T>(m))));
    n = {P(static_cast<T>(exponent - 1) + Format<P>::rounding)};
  }
  P times(P x) const {
    const auto half = round_product(n.value(), T(0.5));
    return scale_any(high * scale_any(x, half), Rounded<P>{n.shifted - half.value()});
  }
  Pair<P> argument(P x) const { return exponent_argument(Pair<P>{high, low} * scale_any(x, n)); }
};
template <AnyPack P>
inline Scaled<P> operator*(WideFactor<P> f, Scaled<P> a) {
  return {f.high * a.value, {a.n.shifted + f.n.value()}};
}
template <AnyPack P>
inline Scaled<P> operator/(Scaled<P> a, WideFactor<P> f) {
  return {a.value / f.high, {a.n.shifted - f.n.value()}};
}

// x^2
template <AnyPack P>
inline Pair<P> square(P x) {
  if constexpr (exact_fma<P>) {
    const P high = x * x;
    return {high, fma(x, x, -high)};
  } else {
    const P upper = upper_half(x);
    return {upper * upper, (x - upper) * (x + upper)};
  }
}

// numerator / (d + d_low), for a short numerator
template <AnyPack P>
inline Pair<P> quotient(typename P::Scalar numerator, P d, P d_low) {
  const P inverse(1 / numerator);
  P high = P(numerator) / d;
  if constexpr (exact_fma<P>) {
    const P rest = fma(-d, high, P(numerator)) - d_low * high;
    return {high, high * inverse * rest};
  } else {
    high = upper_half(high);
    const P upper = upper_half(d);
    const P rest = ((P(numerator) - upper * high) - (d - upper) * high) - d_low * high;
    const P relative = inverse * rest;  // high is so short that its square counts
    return {high, high * (relative + relative * relative)};
  }
}

}  // namespace deltarule::simd
