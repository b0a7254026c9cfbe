// Adam and its nearest relatives: Adam, AMSGrad, AdamW.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

// The moments that Adam's family shares; c: beta1, 1-beta1, beta2, 1-beta2, rate/(1-beta1^t), 1/(1-beta2^t),
// epsilon, coupled decay, shrinking.
struct AdamMoments {
  static constexpr std::string_view states[] = {"first_moment", "second_moment", "max_second_moment"};
  struct Settings {
    double beta_1, beta_2, epsilon;
    bool epsilon_hat;
  };
  static Values prepare(const Settings& p, double learning_rate, double step, const Decay& decay) {
    const double correction = 1 - std::pow(p.beta_2, step);
    return {p.beta_1,
            1 - p.beta_1,
            p.beta_2,
            1 - p.beta_2,
            learning_rate / (1 - std::pow(p.beta_1, step)),
            1 / correction,
            p.epsilon_hat ? p.epsilon / std::sqrt(correction) : p.epsilon,
            decay.coupled,
            decay.shrink};
  }
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    g = simd::fma(c[7], w, g);
    s[0] = simd::fma(c[0], s[0], c[1] * g);
    s[1] = simd::fma(c[2], s[1], c[3] * (g * g));
    V v = s[1];
    if constexpr (N == 3) v = s[2] = simd::max(s[2], s[1]);
    const V denominator = simd::sqrt(v * c[5]) + c[6];
    w = simd::fma(-c[4], s[0] / denominator, w * c[8]);
  }
};

struct Adam : AdamMoments {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta_1(0.9),
      param::beta_2(0.999),
      param::epsilon(1e-8),
      param::amsgrad(),
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
      param::epsilon_hat(),
  };
  static constexpr Entry entry{
      .name = "adam",
      .class_name = "Adam",
      .summary = "Adaptive moment estimation.",
      .formula =
          "m \\leftarrow \\beta_1 m + (1-\\beta_1) g,\\; v \\leftarrow \\beta_2 v + (1-\\beta_2) g^2,\\; "
          "\\theta \\leftarrow \\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + \\varepsilon},\\; "
          "\\hat m = \\frac{m}{1-\\beta_1^t},\\; \\hat v = \\frac{v}{1-\\beta_2^t}",
      .parameters = parameters,
      .states = states,
      .source = "Kingma & Ba 2015; amsgrad: Reddi, Kale & Kumar 2018",
  };
  static constexpr int min_states = 2, max_states = 3;
  static int states_used(const Values& p) { return p[4] != 0 ? 3 : 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return AdamMoments::prepare({p[1], p[2], p[3], p[7] != 0}, learning_rate, step,
                                Decay(p[5], p[6] != 0, learning_rate));
  }
};

struct AmsGrad : AdamMoments {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta_1(0.9),
      param::beta_2(0.999),
      param::epsilon(1e-8),
      param::weight_decay(0, param::coupled),
      param::decoupled_weight_decay(),
      param::epsilon_hat(),
  };
  static constexpr Entry entry{
      .name = "amsgrad",
      .class_name = "AMSGrad",
      .summary = "Adam with amsgrad: the denominator never shrinks but for the bias correction.",
      .formula =
          "v_{\\max} \\leftarrow \\max(v_{\\max}, v),\\; \\theta \\leftarrow \\theta - \\eta \\frac{\\hat "
          "m}{\\sqrt{v_{\\max} / (1-\\beta_2^t)} + \\varepsilon}",
      .parameters = parameters,
      .states = states,
      .source = "Reddi, Kale & Kumar 2018, with Adam's bias correction",
  };
  static constexpr int min_states = 3, max_states = 3;
  static int states_used(const Values&) { return 3; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return AdamMoments::prepare({p[1], p[2], p[3], p[6] != 0}, learning_rate, step,
                                Decay(p[4], p[5] != 0, learning_rate));
  }
};

struct AdamW : AdamMoments {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3), param::beta_1(0.9), param::beta_2(0.999),
      param::epsilon(1e-8),       param::amsgrad(),   param::weight_decay(0.01, param::decoupled),
      param::epsilon_hat(),
  };
  static constexpr Entry entry{
      .name = "adamw",
      .class_name = "AdamW",
      .summary = "Adam with decoupled weight decay.",
      .formula =
          "\\theta \\leftarrow (1 - \\eta\\lambda)\\,\\theta - \\eta \\frac{\\hat m}{\\sqrt{\\hat v} + "
          "\\varepsilon}",
      .parameters = parameters,
      .states = states,
      .source = "Loshchilov & Hutter 2019",
  };
  static constexpr int min_states = 2, max_states = 3;
  static int states_used(const Values& p) { return p[4] != 0 ? 3 : 2; }
  static Values prepare(const Values& p, double learning_rate, double step) {
    return AdamMoments::prepare({p[1], p[2], p[3], p[6] != 0}, learning_rate, step,
                                Decay(p[5], true, learning_rate));
  }
};

}  // namespace deltarule
