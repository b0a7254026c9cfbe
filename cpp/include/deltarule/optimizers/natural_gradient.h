// Steps along the gradient times the inverse of a Fisher matrix; the matrix is kept by src/second_order.
#pragma once

#include <deltarule/optimizers/common.h>

namespace deltarule {

struct NaturalGradient {
  static constexpr Param parameters[] = {
      param::learning_rate(0.1),
      {.name = "method",
       .kind = Kind::choice,
       .choices = "kfac|unitwise",
       .meaning = "blocks of the Fisher matrix: a Kronecker product per layer, or an exact block per unit"},
      {.name = "damping",
       .value = 1e-3,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "number that is added to the diagonal of the Fisher matrix"},
      {.name = "fisher",
       .kind = Kind::choice,
       .choices = "sampled|exact|empirical",
       .meaning = "expectation over what the network predicts, by one random draw for each row (one more "
                  "backward pass) or exactly (one for each output); or over the targets as they are"},
      param::beta("factor_decay", 0.95, "share of the Fisher matrix that is kept when it is renewed"),
      {.name = "update_interval",
       .value = 10,
       .low = 1,
       .high = 1000000,
       .kind = Kind::integer,
       .meaning = "steps between two renewals of the Fisher matrix; as many at the beginning renew it each"},
      param::beta("momentum", 0, "share of the previous velocity that is kept"),
      {.name = "kl_clip",
       .value = 1e-2,
       .low = 0,
       .high_open = true,
       .meaning =
           "a step s is shortened where s^T F s, twice the divergence that F predicts, would be larger "
           "(times the loss where that is over 1); 0 leaves all steps as they are"},
  };
  static constexpr std::string_view states[] = {"velocity"};
  static constexpr Entry entry{
      .name = "natural_gradient",
      .class_name = "NaturalGradient",
      .aliases = "kfac",
      .summary =
          "Natural gradient of dense networks. With a row's input and a one, delta the derivative of its "
          "loss "
          "with respect to the layer's outputs before the activation, the Fisher matrix of a layer is "
          "E[a a^T] x E[delta delta^T] (kfac, damped by factors as in its paper) or has a block for each "
          "unit j of its own (unitwise). Expectations are running means; matrices are inverted in float64 by "
          "Cholesky decomposition. Of the loss it needs second derivatives (unless the Fisher matrix is "
          "empirical): what is expected over is its Hessian with respect to the outputs. Every layer with "
          "parameters must be dense.",
      .formula =
          "v \\leftarrow \\mu v + F^{-1} \\nabla L,\\; \\theta \\leftarrow \\theta - \\eta v;\\quad "
          "F = (\\bar A + \\pi \\sqrt\\lambda I) \\otimes (\\bar G + \\sqrt\\lambda / \\pi\\, I),\\; "
          "\\bar A = E[\\tilde a \\tilde a^T],\\; \\bar G = E[\\delta \\delta^T],\\; "
          "\\pi^2 = \\frac{\\operatorname{tr} \\bar A / \\dim A}{\\operatorname{tr} \\bar G / \\dim G}"
          "\\;\\text{ (unitwise: } F_j = E[\\delta_j^2\\, \\tilde a \\tilde a^T] + \\lambda I)",
      .parameters = parameters,
      .states = states,
      .reach = Reach::layer,
      .source =
          "Amari 1998; Martens & Grosse 2015; Clevert, Unterthiner & Hochreiter 2016 (unit natural "
          "gradient); Ba, Grosse & Martens 2017 (kl_clip)",
  };
  static constexpr int min_states = 0, max_states = 1;
  static int states_used(const Values& p) { return p[6] > 0 ? 1 : 0; }
  // c: step, momentum
  static Values prepare(const Values& p, double learning_rate, double) { return {learning_rate, p[6]}; }
  // g: the natural gradient
  template <int N, class V>
  static void update(const Broadcast<V>& c, V g, V& w, std::array<V, N>& s) {
    if constexpr (N == 1) g = s[0] = simd::fma(c[1], s[0], g);
    w = simd::fma(-c[0], g, w);
  }
};

}  // namespace deltarule
