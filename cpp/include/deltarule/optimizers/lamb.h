// LAMB: Adam's direction, scaled parameter by parameter to the size of the weights.
#pragma once

#include <deltarule/engine/squares.h>
#include <deltarule/optimizers/whole.h>

namespace deltarule {

struct Lamb {
  static constexpr Param parameters[] = {
      param::learning_rate(1e-3),
      param::beta_1(0.9),
      param::beta_2(0.999),
      param::epsilon(1e-6),
      param::weight_decay(0.01, "weight_decay * w is added to the direction before it is scaled"),
  };
  static constexpr std::string_view states[] = {"first_moment", "second_moment"};
  static constexpr Entry entry{
      .name = "lamb",
      .class_name = "LAMB",
      .summary = "Adam whose step in every parameter array is in proportion to the norm of its weights.",
      .formula =
          "r = \\frac{\\hat m}{\\sqrt{\\hat v} + \\varepsilon} + \\lambda\\theta,\\; \\theta \\leftarrow "
          "\\theta - \\eta \\frac{\\|\\theta\\|}{\\|r\\|}\\, r \\;\\text{(factor 1 where a norm is 0; }m, "
          "v\\text{ as in Adam)}",
      .parameters = parameters,
      .states = states,
      .reach = Reach::tensor,
      .source = "You et al. 2020, algorithm 2 with the identity for phi",
  };
  static int states_used(const Values&) { return 2; }
  // c: beta1, 1-beta1, beta2, 1-beta2, 1/(1-beta1^t), 1/(1-beta2^t), epsilon, decay, rate
  static Values prepare(const Values& p, double learning_rate, double step) {
    return {p[1],
            1 - p[1],
            p[2],
            1 - p[2],
            1 / (1 - std::pow(p[1], step)),
            1 / (1 - std::pow(p[2], step)),
            p[3],
            p[4],
            learning_rate};
  }

  // The first pass leaves the direction r in the place of the gradient, and the squared norms of the pieces
  // of w and r in the sums; the second one takes the step.
  static int passes(const Values&) { return 2; }
  static int tasks(const TensorShape& shape, int) { return whole::pieces(shape); }
  template <class T>
  static TensorCost cost(const Values&, const TensorShape& shape) {
    return {.sums = 2 * static_cast<std::size_t>(whole::pieces(shape)),
            .flops = 24 * static_cast<double>(shape.size())};
  }
  template <class T>
  static bool run(const Values&, const Values& c, const UpdateTensor<T>& t, int pass, int task, T*) {
    const auto [begin, size] = whole::piece(t.shape, task);
    T *w = t.weight + begin, *r = t.gradient + begin;
    if (pass == 1) {
      const simd::Pack<T> rate(static_cast<T>(c[8] * trust(t)));
      return whole::renew(size, w, [&](auto span, auto weight) { return weight - rate * span.load(r); });
    }
    direct(c, size, w, r, t.state[0] + begin, t.state[1] + begin);
    double* sums = t.sums + 2 * task;
    sums[0] = engine::squared_norm(w, size);
    sums[1] = engine::squared_norm(r, size);
    return true;
  }

 private:
  template <class T>
  static void direct(const Values& constants, std::ptrdiff_t n, const T* w, T* g, T* m, T* v) {
    const auto c = whole::broadcast<T>(constants);
    simd::each<T>(static_cast<std::size_t>(n), [&](auto span) {
      const auto gradient = span.load(g);
      const auto mean = simd::fma(c[0], span.load(m), c[1] * gradient);
      const auto square = simd::fma(c[2], span.load(v), c[3] * (gradient * gradient));
      span.store(m, mean);
      span.store(v, square);
      const auto direction = mean * c[4] / (simd::sqrt(square * c[5]) + c[6]);
      span.store(g, simd::fma(c[7], span.load(w), direction));
    });
  }
  template <class T>
  static double trust(const UpdateTensor<T>& t) {
    double weights = 0, directions = 0;
    for (int i = 0; i < whole::pieces(t.shape); ++i) {
      weights += t.sums[2 * i];
      directions += t.sums[2 * i + 1];
    }
    // Not a number passes on, so that the step is seen to fail.
    return weights == 0 || directions == 0 ? 1 : std::sqrt(weights) / std::sqrt(directions);
  }
};

}  // namespace deltarule
