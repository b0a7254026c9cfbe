// What is left of x when tanh x is taken away. "ulp": the largest error met, float and double.
#pragma once

#include "deltarule/simd/exp.h"

namespace deltarule::simd {

// x - tanh x = x deficit for |x| < 1, and (|x| - 1) + rest with the sign of x beyond: no digits cancel
template <AnyPack P>
struct TanhParts {
  P deficit, rest;
};
template <AnyPack P>
inline TanhParts<P> tanh_parts(P x) {
  using T = typename P::Scalar;
  const P a = min(abs(x), P(choose<T>(40.0f, 350.0)));
  const P near = min(a, P(1)), z = near * near;
  const P deficit =
      z * polynomial(z, choose<T>(coefficients::tanh_deficit_float, coefficients::tanh_deficit_double));
  const auto e = exponential(a + a);
  const P power = scale(e.p + P(1), e.n);
  return {deficit, P(2) / (power + P(1))};
}

// x - tanh x  (ulp: 2.5, 2.5)
template <AnyPack P>
inline P tanh_shrunk(P x) {
  const auto parts = tanh_parts(x);
  const P a = abs(x);
  return select(a < P(1), x * parts.deficit, copysign((a - P(1)) + parts.rest, x));
}

// tanh(x)^2, the derivative of x - tanh x  (ulp: 3, 3)
template <AnyPack P>
inline P tanh_squared(P x) {
  const auto parts = tanh_parts(x);
  const P t = select(abs(x) < P(1), fma(-x, parts.deficit, x), P(1) - parts.rest);
  return t * t;
}

}  // namespace deltarule::simd
