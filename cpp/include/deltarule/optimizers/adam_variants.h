// Rules made from Adam's moments: Nadam, NAdamW, Adamax, RAdam.
#pragma once

#include <deltarule/optimizers/adam.h>

namespace deltarule {

// mu_t = beta_1 (1 - 0.96^(t psi) / 2), the momentum of step t.
struct NadamMomentum {
  double beta_1, psi;
  double at(double step) const { return beta_1 * (1 - 0.5 * std::pow(0.96, step * psi)); }
  // mu_1 ... mu_t, always multiplied in this order, so that resumed training gets the same bits. Every thread
  // remembers how far it came. Below 2^-60 the product is nothing beside the 1 it is subtracted from.
  double product(double step) const {
    struct Progress {
      double beta_1 = -1, psi = -1, step = 0, value = 1;
    };
    thread_local Progress last;
    if (last.beta_1 != beta_1 || last.psi != psi || last.step > step) last = {beta_1, psi};
    while (last.step < step && last.value > 0x1p-60) last.value *= at(++last.step);
    return last.value > 0x1p-60 ? last.value : 0;
  }
};

// c: as AdamMoments, but 4: the rate of g, 9: the rate of m
struct NadamRule {
  static Values prepare(const Values& p, double learning_rate, double step, const Decay& decay) {
    const NadamMomentum momentum{p[1], p[4]};
    const double mu = momentum.at(step), next = momentum.at(step + 1), product = momentum.product(step);
    Values c = AdamMoments::prepare({p[1], p[2], p[3], false}, learning_rate, step, decay);
    c[4] = learning_rate * (1 - mu) / (1 - product);
    c[9] = learning_rate * next / (1 - product * next);
    return c;
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[7], w, g);
    s[0] = simd::fma(c[0], s[0], c[1] * g);
    s[1] = simd::fma(c[2], s[1], c[3] * (g * g));
    const V direction = simd::fma(c[9], s[0], c[4] * g) / (simd::sqrt(s[1] * c[5]) + c[6]);
    w = simd::fma(w, c[8], -direction);
  }
};

namespace param {
inline constexpr Param momentum_decay() {
  return {.name = "momentum_decay",
          .value = 4e-3,
          .low = 0,
          .high_open = true,
          .meaning = "psi: how fast the momentum rises from beta_1 / 2 to beta_1; 1 is the paper's schedule"};
}
}  // namespace param

struct Nadam : NadamRule {
  static constexpr Param parameters[] = {
      param::learning_rate(2e-3),
      param::beta_1(0.9),
      param::beta_2(0.999),
      param::epsilon(1e-8),
      param::momentum_decay(),
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment"};
  static constexpr Entry entry{
      .name = "nadam",
      .class_name = "Nadam",
      .summary = "Adam with Nesterov momentum that grows over the steps.",
      .formula =
          "\\mu_t = \\beta_1 (1 - \\tfrac12\\, 0.96^{t\\psi}),\\; \\hat m = \\frac{\\mu_{t+1} m}{1 - "
          "\\prod_{i=1}^{t+1} \\mu_i} + \\frac{(1 - \\mu_t) g}{1 - \\prod_{i=1}^{t} \\mu_i},\\; \\theta "
          "\\leftarrow \\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + \\varepsilon}",
      .parameters = parameters,
      .states = states,
      .source = "Dozat 2016",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return NadamRule::prepare(p, learning_rate, step, Decay(p[5], p[6] != 0, learning_rate));
  }
};

struct NadamW : NadamRule {
  static constexpr Param parameters[] = {
      param::learning_rate(2e-3), param::beta_1(0.9),      param::beta_2(0.999),
      param::epsilon(1e-8),       param::momentum_decay(), param::weight_decay(0.01, param::decoupled),
  };
  static constexpr auto& states = Nadam::states;
  static constexpr Entry entry{
      .name = "nadamw",
      .class_name = "NAdamW",
      .summary = "Nadam with decoupled weight decay.",
      .formula =
          "\\theta \\leftarrow (1 - \\eta\\lambda)\\,\\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + "
          "\\varepsilon} \\;\\text{with Nadam's } \\hat m",
      .parameters = parameters,
      .states = states,
      .source = "Dozat 2016; Loshchilov & Hutter 2019",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return NadamRule::prepare(p, learning_rate, step, Decay(p[5], true, learning_rate));
  }
};

struct Adamax {
  static constexpr Param parameters[] = {
      param::learning_rate(2e-3),
      param::beta_1(0.9),
      param::beta("beta_2", 0.999, "decay of the largest gradient"),
      param::epsilon(1e-8),
      {.name = "epsilon_in_maximum",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "epsilon is added to the gradient's magnitude instead of to the denominator"},
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"first_moment", "largest_gradient"};
  static constexpr Entry entry{
      .name = "adamax",
      .class_name = "Adamax",
      .summary = "Adam with the maximum norm in place of the Euclidean one.",
      .formula =
          "m \\leftarrow \\beta_1 m + (1-\\beta_1) g,\\; u \\leftarrow \\max(\\beta_2 u, |g| + "
          "\\varepsilon),\\; \\theta \\leftarrow \\theta - \\frac{\\eta}{1-\\beta_1^t} \\frac{m}{u}",
      .parameters = parameters,
      .states = states,
      .source = "Kingma & Ba 2015, section 7.1",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  // c: rate, beta1, 1 - beta1, beta2, epsilon in the maximum, in the denominator, coupled decay, shrinking
  static Values prepare(const Values& p, double learning_rate, double step) {
    const Decay decay(p[5], p[6] != 0, learning_rate);
    return {learning_rate / (1 - std::pow(p[1], step)),
            p[1],
            1 - p[1],
            p[2],
            p[4] != 0 ? p[3] : 0,
            p[4] != 0 ? 0 : p[3],
            decay.coupled,
            decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[6], w, g);
    s[0] = simd::fma(c[1], s[0], c[2] * g);
    s[1] = simd::max(simd::abs(g) + c[4], c[3] * s[1]);
    w = simd::fma(-c[0], s[0] / (s[1] + c[5]), w * c[7]);
  }
};

// 1 + 2 (b / (1 - b) - t b^t / (1 - b^t)), b = beta_2: how many gradients stand behind the second moment of
// step t. While t is small the two parts are large and almost alike: there, the series of 1 / (e^y - 1).
inline double radam_length(double beta_2, double t) {
  const double x = -std::log1p(beta_2 - 1), x2 = x * x, t2 = t * t;
  if (t * x > 0.25) return 1 + 2 * (beta_2 / (1 - beta_2) - t / std::expm1(t * x));
  return t - x * ((t2 - 1) / 6 - x2 * ((t2 * t2 - 1) / 360 - x2 * ((t2 * t2 * t2 - 1) / 15120 -
                                                                   x2 * (t2 * t2 * t2 * t2 - 1) / 604800)));
}

struct RAdam {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta_1(0.9),
      param::beta_2(0.999),
      param::epsilon(1e-8),
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment"};
  static constexpr Entry entry{
      .name = "radam",
      .class_name = "RAdam",
      .summary = "Adam that trusts its second moment only when enough steps stand behind it.",
      .formula =
          "\\rho_\\infty = \\frac{2}{1-\\beta_2} - 1,\\; \\rho_t = \\rho_\\infty - \\frac{2t "
          "\\beta_2^t}{1-\\beta_2^t},\\; r_t = \\sqrt{\\frac{(\\rho_t-4)(\\rho_t-2)\\rho_\\infty}{"
          "(\\rho_\\infty-4)(\\rho_\\infty-2)\\rho_t}},\\; \\theta \\leftarrow \\theta - \\eta\\, r_t \\hat "
          "m "
          "\\frac{\\sqrt{1-\\beta_2^t}}{\\sqrt v + \\varepsilon} \\;\\text{if } \\rho_t > 5, \\text{ else } "
          "\\theta - \\eta\\, \\hat m",
      .parameters = parameters,
      .states = states,
      .source = "Liu et al. 2020",
  };
  static constexpr int min_states = 2, max_states = 2;
  static int states_used(const Values&) { return 2; }
  // c: beta1, 1 - beta1, beta2, 1 - beta2, rate, rectified?, epsilon, coupled decay, shrinking
  static Values prepare(const Values& p, double learning_rate, double step) {
    const Decay decay(p[4], p[5] != 0, learning_rate);
    const double power = std::pow(p[2], step), last = 2 / (1 - p[2]) - 1;
    const double length = radam_length(p[2], step);
    double rate = learning_rate / (1 - std::pow(p[1], step));
    if (length > 5)
      rate *=
          std::sqrt((length - 4) * (length - 2) * last / ((last - 4) * (last - 2) * length) * (1 - power));
    return {p[1], 1 - p[1], p[2], 1 - p[2], rate, length > 5 ? 1.0 : 0.0, p[3], decay.coupled, decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[7], w, g);
    s[0] = simd::fma(c[0], s[0], c[1] * g);
    s[1] = simd::fma(c[2], s[1], c[3] * (g * g));
    const V direction = c[5][0] != 0 ? s[0] / (simd::sqrt(s[1]) + c[6]) : s[0];
    w = simd::fma(-c[4], direction, w * c[8]);
  }
};

}  // namespace deltarule
