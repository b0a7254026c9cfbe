// The error function and the normal distribution. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/exp.h"

namespace deltarule::simd {

// Between the polynomial of erf and that of the tail.
template <class T>
inline constexpr T erf_switch = T(0.75);

// q (1 + tail), tail = P(scale q - offset), q = numerator / (x + shift)
template <AnyPack P>
struct TailRatio {
  Pair<P> q;
  P tail;
};
template <AnyPack P, std::size_t N>
inline TailRatio<P> tail_ratio(P x, const typename P::Scalar (&map)[4], const typename P::Scalar (&c)[N]) {
  const P shift(map[0]), slope(map[2]), offset(map[3]);
  const P d = x + shift;
  const auto q = quotient(map[1], d, x - (d - shift));
  return {q, polynomial(fma(q.low, slope, fma(q.high, slope, -offset)), c)};
}

// e^x q (1 + tail); the 1 is added last
template <AnyPack P>
inline Scaled<P> tail_product(TailRatio<P> r, Pair<P> x) {
  const auto e = exponential(x);
  const P v = fma(r.tail, e.p, r.tail + e.p);
  return {r.q.high + fma(r.q.high, v, fma(r.q.low, v, r.q.low)), e.n};
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
  const auto ratio =
      tail_ratio(a, choose<T>(coefficients::erfc_tail_map_float, coefficients::erfc_tail_map_double),
                 choose<T>(coefficients::erfc_tail_float, coefficients::erfc_tail_double));
  const auto product = tail_product(ratio, {-s.high, -s.low});
  const P tail = scale(product.value, product.n);
  const P outside = select(x < P(0), P(2) - tail, tail);
  return select(a < P(erf_switch<T>), inside, outside);
}

// Between the polynomial of Phi and that of its tail.
template <class T>
inline constexpr T normal_switch = T(1.0625);

// Phi(x) for |x| < normal_switch
template <AnyPack P>
inline P normal_cdf_inside(P x) {
  using T = typename P::Scalar;
  constexpr T density = choose<T>(0.398942292f, 0.3989422804014327);  // 1 / sqrt(2 pi) in two pieces
  constexpr T density_low = choose<T>(-1.13351701e-08f, -2.49232720227773e-17);
  const P z = x * x;
  const P slope =
      polynomial(z, choose<T>(coefficients::normal_cdf_small_float, coefficients::normal_cdf_small_double));
  return fma(x, fma(z, slope, P(density_low)), fma(x, P(density), P(T(0.5))));
}

// Phi(-a) e^(a^2/2), and -a^2/2, for a > 1
template <AnyPack P>
inline TailRatio<P> normal_cdf_ratio(P a) {
  using T = typename P::Scalar;
  return tail_ratio(
      a, choose<T>(coefficients::normal_cdf_tail_map_float, coefficients::normal_cdf_tail_map_double),
      choose<T>(coefficients::normal_cdf_tail_float, coefficients::normal_cdf_tail_double));
}
template <AnyPack P>
inline Pair<P> minus_half_square(P a) {
  const auto s = square(a);
  const P half(typename P::Scalar(-0.5));
  return {half * s.high, half * s.low};
}

// Phi(x) = erfc(-x / sqrt 2) / 2  (ulp: 2.6, 2.2)
template <AnyPack P>
inline P normal_cdf(P x) {
  using T = typename P::Scalar;
  const P a = min(abs(x), P(choose<T>(14.5f, 38.7)));
  const auto product = tail_product(normal_cdf_ratio(a), minus_half_square(a));
  const P tail = scale(product.value, product.n);
  const P outside = select(x > P(0), P(1) - tail, tail);
  return select(a < P(normal_switch<T>), normal_cdf_inside(x), outside);
}

template <AnyPack P>
inline P times_normal_cdf_of_any(P x) {
  using T = typename P::Scalar;
  const P a = min(abs(x), P(choose<T>(14.5f, 38.7)));
  const auto product = tail_product(normal_cdf_ratio(a), minus_half_square(a));
  const P outside = max(x, -P::zero()) - scale(a * product.value, product.n);
  return select(a < P(normal_switch<T>), x * normal_cdf_inside(x), outside);
}

// x Phi(x) = max(x, 0) - |x| Phi(-|x|); 0 at -infinity
template <AnyPack P>
inline P times_normal_cdf(P x) {
  if constexpr (has_lookup<P>) {
    const P a = abs(x);
    const P tail = in_pieces(a, coefficients::normal_cdf_step, coefficients::normal_cdf_pieces);
    const P value = fma(-a, tail, max(x, -P::zero()));
    return inside_or(a, coefficients::normal_cdf_step, value, [&] { return times_normal_cdf_of_any(x); });
  } else {
    return times_normal_cdf_of_any(x);
  }
}

// Phi(x) + x phi(x), the derivative of x Phi(x), is g = Phi(-a) - a phi(a) at x = -a and 1 - g at x = a.
// Inside, where Phi comes from its own polynomial, g is only -a phi(a).
template <AnyPack P>
inline P times_normal_cdf_slope_of_any(P x) {
  using T = typename P::Scalar;
  const P density(T(0.39894228040143267794));
  const P a = min(abs(x), P(choose<T>(14.7f, 38.8)));
  const auto inside = a < P(normal_switch<T>);
  const auto r = normal_cdf_ratio(a);
  const P ratio = r.q.high + fma(r.q.high, r.tail, fma(r.q.low, r.tail, r.q.low));
  const P factor = apply_mask(~inside, ratio) - density * a;
  const auto e = exponential(minus_half_square(a));
  const P g = scale(fma(factor, e.p, factor), e.n);
  const P middle = select(inside, normal_cdf_inside(x), apply_mask(x > P(0), P(1)));
  return middle + select(x > P(0), -g, g);
}
template <AnyPack P>
inline P times_normal_cdf_slope(P x) {
  if constexpr (has_lookup<P>) {
    const P a = abs(x);
    const P g =
        in_pieces(a, coefficients::times_normal_cdf_slope_step, coefficients::times_normal_cdf_slope_pieces);
    const P value = select(x > P(0), P(1) - g, g);
    return inside_or(a, coefficients::times_normal_cdf_slope_step, value,
                     [&] { return times_normal_cdf_slope_of_any(x); });
  } else {
    return times_normal_cdf_slope_of_any(x);
  }
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
