// The error function and the normal distribution. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/exp.h"

namespace deltarule::simd {

// Between the polynomial of erf and that of the tail.
template <class T>
inline constexpr T erf_switch = T(0.75);

// e^(high + low) q (1 + P(scale q - offset)), q = numerator / (x + shift); the 1 is added last
template <AnyPack P, std::size_t N>
inline P tail_product(P x, P high, P low, const typename P::Scalar (&map)[4],
                      const typename P::Scalar (&c)[N]) {
  const P shift(map[0]), slope(map[2]), offset(map[3]);
  const P d = x + shift;
  const auto q = quotient(map[1], d, x - (d - shift));
  const P tail = polynomial(fma(q.low, slope, fma(q.high, slope, -offset)), c);
  const auto e = exponential(high, low);
  const P v = fma(tail, e.p, tail + e.p);
  return scale(q.high + fma(q.high, v, fma(q.low, v, q.low)), e.n);
}

// erf x = x + x P(x^2) or 1 - e^P(|x|)  (ulp: 1.6, 1.3)
template <AnyPack P>
inline P erf(P x) {
  using T = typename P::Scalar;
  const P inside =
      fma(x, polynomial(x * x, choose<T>(coefficients::erf_small_float, coefficients::erf_small_double)), x);
  const P a = min(abs(x), P(choose<T>(4.0f, 6.0)));
  const auto e =
      exponential(polynomial(a, choose<T>(coefficients::log_erfc_float, coefficients::log_erfc_double)));
  const P t = power_of_two<P>(e.n.low_bits());
  const P outside = copysign(fma(-t, e.p, P(1) - t), x);
  return select(a < P(erf_switch<T>), inside, outside);
}

// erfc x = 1 - erf x  (ulp: 2.3, 2.1)
template <AnyPack P>
inline P erfc(P x) {
  using T = typename P::Scalar;
  const P erf_tail =
      polynomial(x * x, choose<T>(coefficients::erf_small_float, coefficients::erf_small_double));
  const P inside = fma(-x, erf_tail, P(1) - x);
  const P a = min(abs(x), P(choose<T>(10.3f, 27.4)));
  const auto s = square(a);
  const P tail = tail_product(
      a, -s.high, -s.low, choose<T>(coefficients::erfc_tail_map_float, coefficients::erfc_tail_map_double),
      choose<T>(coefficients::erfc_tail_float, coefficients::erfc_tail_double));
  const P outside = select(x < P(0), P(2) - tail, tail);
  return select(a < P(erf_switch<T>), inside, outside);
}

// Phi(x) = erfc(-x / sqrt 2) / 2  (ulp: 2.6, 2.2)
template <AnyPack P>
inline P normal_cdf(P x) {
  using T = typename P::Scalar;
  const P half(T(0.5));
  constexpr T density = choose<T>(0.398942292f, 0.3989422804014327);  // 1 / sqrt(2 pi) in two pieces
  constexpr T density_low = choose<T>(-1.13351701e-08f, -2.49232720227773e-17);
  const P z = x * x;
  const P slope =
      polynomial(z, choose<T>(coefficients::normal_cdf_small_float, coefficients::normal_cdf_small_double));
  const P inside = fma(x, fma(z, slope, P(density_low)), fma(x, P(density), half));
  const P a = min(abs(x), P(choose<T>(14.5f, 38.7)));
  const auto s = square(a);
  const P tail = tail_product(
      a, -half * s.high, -half * s.low,
      choose<T>(coefficients::normal_cdf_tail_map_float, coefficients::normal_cdf_tail_map_double),
      choose<T>(coefficients::normal_cdf_tail_float, coefficients::normal_cdf_tail_double));
  const P outside = select(x > P(0), P(1) - tail, tail);
  return select(a < P(T(1.0625)), inside, outside);
}

// phi(x) = e^(-x^2 / 2) / sqrt(2 pi)  (ulp: 1.5, 1.5)
template <AnyPack P>
inline P normal_pdf(P x) {
  using T = typename P::Scalar;
  const P factor(T(0.39894228040143267794));
  const auto s = square(min(abs(x), P(choose<T>(14.5f, 38.7))));
  const P half(T(0.5));
  const auto e = exponential(-half * s.high, -half * s.low);
  return scale(fma(factor, e.p, factor), e.n);
}

}  // namespace deltarule::simd
