// The loss of a network that says how sure it is.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <cmath>
#include <cstddef>

namespace deltarule {

struct GaussianNll {
  static constexpr Param parameters[] = {
      {.name = "log_variance",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "the second half of the outputs are logarithms of variances; False: variances"},
      {.name = "full", .value = 0, .kind = Kind::boolean, .meaning = "add the constant ln(2 pi) / 2"},
      {.name = "epsilon",
       .value = 1e-6,
       .low = 1e-12,
       .high = 1,
       .high_open = true,
       .meaning = "smaller variances count as epsilon"}};
  static constexpr Entry entry{
      .name = "gaussian_nll",
      .class_name = "GaussianNLL",
      .summary =
          "Negative log-likelihood of normal distributions; mean over the targets. For J targets the network "
          "has "
          "2J outputs: J means, then J variances or their logarithms.",
      .formula =
          "L = \\frac{1}{2J} \\sum_j \\ln v_j + \\frac{(y_j - t_j)^2}{v_j},\\quad v_j = \\max(e^{y_{J+j}}, "
          "\\epsilon) \\text{ or } \\max(y_{J+j}, \\epsilon)",
      .derivative =
          "\\partial L / \\partial y_j = \\frac{y_j - t_j}{J v_j},\\quad \\partial L / \\partial v_j = "
          "\\frac{1}{2 J v_j} \\left(1 - \\frac{(y_j - t_j)^2}{v_j}\\right),\\quad 0 \\text{ where } v_j "
          "\\text{ is clipped}",
      .parameters = parameters,
      .source = "Nix & Weigend 1994; torch.nn.GaussianNLLLoss",
  };
  static constexpr int outputs_per_target = 2;
  template <class T>
  static double row(const Values& values, std::size_t n, const T* y, const T* target, double scale,
                    T* gradient) {
    using P = simd::Pack<T>;
    const bool by_log = values[0] != 0;
    const std::size_t half = n / 2;
    const double share = 1 / static_cast<double>(half);
    const P factor(static_cast<T>(scale * share)), one_half(T(0.5));
    const P least(static_cast<T>(by_log ? std::log(values[2]) : values[2]));
    const T sum = simd::sum<T>(half, [&](auto span) {
      const P r = span.load(y) - span.load(target), given = span.load(y + half);
      const P v = simd::max(given, least);
      const P inverse = by_log ? simd::exp(-v) : P(1) / v;
      const P pull = r * inverse, unsure = one_half * (P(1) - r * pull);
      span.store(gradient, factor * pull);
      span.store(gradient + half,
                 simd::select(given <= least, P(0), factor * (by_log ? unsure : unsure * inverse)));
      return (by_log ? v : simd::log(v)) + r * pull;
    });
    const double constant = values[1] != 0 ? 0.91893853320467274178 : 0;  // ln(2 pi) / 2
    return 0.5 * share * static_cast<double>(sum) + constant;
  }
  static void hessian_times(const Values& values, std::size_t n, const double* y, const double* t,
                            const double* u, double* out) {
    const bool by_log = values[0] != 0;
    const std::size_t half = n / 2;
    for (std::size_t j = 0; j < half; ++j) {
      const double given = by_log ? std::exp(y[half + j]) : y[half + j];
      const double r = y[j] - t[j], inverse = 1 / std::fmax(given, values[2]);
      const bool clipped = given <= values[2];
      const double slope = by_log ? 1 : inverse;  // of ln v
      const double mixed = clipped ? 0 : -r * inverse * slope;
      const double own = clipped  ? 0
                         : by_log ? 0.5 * r * r * inverse
                                  : inverse * inverse * (r * r * inverse - 0.5);
      const double share = 1 / static_cast<double>(half);
      out[j] = share * (inverse * u[j] + mixed * u[half + j]);
      out[half + j] = share * (mixed * u[j] + own * u[half + j]);
    }
  }
};

}  // namespace deltarule
