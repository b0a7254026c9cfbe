// Activations that repeat.
#pragma once

#include <deltarule/activations/scalars.h>
#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/trigonometric.h>

namespace deltarule {

struct Sin {
  static constexpr Param parameters[] = {
      {.name = "omega",
       .value = 1,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning =
           "frequency; a SIREN has 30 in its first layer, and in the others too in the authors' code"}};
  static constexpr Entry entry{
      .name = "sin",
      .aliases = "sine",
      .summary = "Sine of the input times a frequency.",
      .formula = "f(x) = \\sin(\\omega x)",
      .derivative = "f'(x) = \\omega \\cos(\\omega x)",
      .c = "const real p = {omega} * x, rest = fma({omega}, x, -p) + {omega.low} * x;\n"
           "return rest == 0 ? sin(p) : sin(p) + rest * cos(p);",
      .parameters = parameters,
      .reads = Reads::input,
      .source = "Sitzmann et al. 2020, SIREN",
  };
  template <class V>
  static V forward(const Broadcast<double>& p, V x) {
    if (p[0] == 1) return simd::sin(x);
    return simd::select(x == V(0), x, wave<0>(p[0], x));
  }
  template <class V>
  static V backward(const Broadcast<double>& p, V x, V, V dy) {
    if (p[0] == 1) return dy * simd::cos(x);
    const V slope = wave<1>(p[0], x);
    return dy * (simd::Factor<V>::holds(p[0]) ? simd::Factor<V>(p[0]).times(slope)
                                              : simd::WideFactor<V>(p[0]).times(slope));
  }
  static double second(const Values& p, double x) { return -p[0] * (p[0] * one<0>(p[0], x)); }

 private:
  // sin or cos (a quarter turn ahead) of omega x, where the product is not rounded
  template <int quarter_turns, class V>
  static V wave(double omega, V x) {
    using T = typename V::Scalar;
    constexpr T reach = 2048;
    const simd::Factor<V> factor(omega);
    const V y = simd::sine<quarter_turns>(factor.argument(x));
    auto far = ~(simd::abs(factor.times(x)) < V(reach));
    if (!simd::Factor<V>::holds(omega)) far = (x == x) | (x != x);
    if (!simd::any<V>(far)) [[likely]]
      return y;
    return simd::select(
        far,
        simd::sine_of_large<quarter_turns>(omega, x, [&](double v) { return one<quarter_turns>(omega, v); }),
        y);
  }
  template <int quarter_turns>
  [[gnu::noinline]] static double one(double omega, double x) {
    using Wide = long double;
    const Wide product = static_cast<Wide>(omega) * x, rest = std::fma(Wide(omega), Wide(x), -product);
    if (!std::isfinite(product)) return std::numeric_limits<double>::quiet_NaN();
    const Wide s = std::sin(product), c = std::cos(product), rs = std::sin(rest), rc = std::cos(rest);
    return static_cast<double>(quarter_turns == 0 ? s * rc + c * rs : c * rc - s * rs);
  }
};

using PeriodicActivations = List<Sin>;

}  // namespace deltarule
