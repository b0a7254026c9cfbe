// What the vector functions are made of: polynomials, rounding to an integer, powers of two, exact squares.
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

// a * 2^n, rounded once even where it is subnormal, for n up to twice the exponent range
template <AnyPack P>
inline P scale(P a, Rounded<P> n) {
#if defined(__AVX512F__)
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm512_maskz_scalef_ps(0xffff, __m512(a.v), __m512(n.value().v))));
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm512_maskz_scalef_pd(0xff, __m512d(a.v), __m512d(n.value().v))));
#endif
  const auto half = round_product(n.value(), typename P::Scalar(0.5));
  return a * power_of_two<P>(half.low_bits()) * power_of_two<P>(n.low_bits() - half.low_bits());
}

// x = m 2^exponent with m in [3/4, 3/2), for normal x > 0. With split_is_total for every x: exponent -inf
// at 0, +inf at inf, m NaN for x < 0, as the logarithm needs them.
template <AnyPack P>
struct Split {
  P m, exponent;
};
template <AnyPack P>
inline constexpr bool split_is_total =
#if defined(__AVX512F__)
    sizeof(P) == 64;
#else
    false;
#endif

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
