// Sine and cosine. "ulp": the largest error met, float and double.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "deltarule/simd/numeric.h"

namespace deltarule::simd {

// pi / 2 in pieces; without a fused multiply-add so short that their product with n < 2^16 is exact
template <AnyPack P>
struct HalfPi {
  static constexpr bool is_float = std::is_same_v<typename P::Scalar, float>;
  static constexpr auto pieces() {
    if constexpr (is_float && exact_fma<P>)
      return std::to_array({1.57079625f, 7.54978942e-08f, 5.39030253e-15f});
    else if constexpr (is_float)
      return std::to_array({1.5703125f, 0.0004825592041015625f, 1.2665987014770508e-06f,
                            9.89530235528946e-10f, 2.5579538487363607e-12f, 5.384581669432009e-15f,
                            5.721188502868422e-18f});
    else
      return std::to_array(
          {1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32});
  }
};

// sin(x) = (-1)^(k/2) (k even ? sin r : cos r), k = n + quarter_turns, x = n pi/2 + r; x may go on in `low`
template <int quarter_turns, AnyPack P, class... Low>
inline P sine(P x, Low... low) {
  using T = typename P::Scalar;
  using F = Format<P>;
  const auto n = round_product(x, T(0.63661977236758134308));
  P r = x;
  for (const T piece : HalfPi<P>::pieces()) r = fma(n.value(), P(-piece), r);
  r = (r + ... + low);
  const P z = r * r;
  const P s =
      fma(r * z, polynomial(z, choose<T>(coefficients::sin_tail_float, coefficients::sin_tail_double)), r);
  const P tail = polynomial(z, choose<T>(coefficients::cos_tail_float, coefficients::cos_tail_double));
  const P c = fma(z * z, tail, fma(z, P(T(-0.5)), P(1)));
  const typename P::Mask k = n.low_bits() + typename P::Integer(quarter_turns);
  const P y = select((k & 1) == 0, s, c);
  return from_bits<P>(bits(y) ^ ((k << (int(sizeof(T)) * 8 - 2)) & F::sign));
}

template <int quarter_turns, AnyPack P>
inline P sine(Pair<P> x) {
  return sine<quarter_turns>(x.high, x.low);
}

// Lanes where omega x is beyond the reach of the type, omega x not rounded: in double, whose pieces of pi / 2
// reach further, and beyond that one by one.
template <int quarter_turns, AnyPack P, class Function>
[[gnu::noinline]] P sine_of_large(double omega, P x, Function one) {
  using T = typename P::Scalar;
  using D = Pack<double, std::min(P::width, native_width<double>)>;
  constexpr double reach = std::is_same_v<T, double> ? 1e5 : exact_fma<D> ? 1e9 : 1e6;
  T lane[P::width];
  x.store(lane);
  for (int first = 0; first < P::width; first += D::width) {
    double wide[D::width], result[D::width];
    for (int i = 0; i < D::width; ++i) wide[i] = static_cast<double>(lane[first + i]);
    sine<quarter_turns>(exact_product(D(omega), D::load(wide))).store(result);
    bool beyond = false;
    for (const double v : wide) beyond |= !(std::abs(omega * v) < reach);
    if (beyond) [[unlikely]]
      for (int i = 0; i < D::width; ++i)
        if (!(std::abs(omega * wide[i]) < reach)) result[i] = one(wide[i]);
    for (int i = 0; i < D::width; ++i) lane[first + i] = static_cast<T>(result[i]);
  }
  return P::load(lane);
}
template <int quarter_turns, AnyPack P, class Function>
inline P sine_of_any(P x, Function one) {
  constexpr typename P::Scalar reach = 1e5;
  const P y = sine<quarter_turns>(x);
  const auto large = abs(x) > P(reach);
  if (!any<P>(large)) [[likely]]
    return y;
  return select(large, sine_of_large<quarter_turns>(1, x, one), y);
}

// sin x  (ulp: 1.6, 1.8; float without fused multiply-add 2.6)
template <AnyPack P>
inline P sin(P x) {
  const P y = sine_of_any<0>(x, [](double value) { return std::sin(value); });
  return select(x == P(0), x, y);
}

// cos x  (ulp: 1.6, 2.1; float without fused multiply-add 2.8)
template <AnyPack P>
inline P cos(P x) {
  return sine_of_any<1>(x, [](double value) { return std::cos(value); });
}

}  // namespace deltarule::simd
