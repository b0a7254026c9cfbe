// Losses of a probability estimate against a one-hot or soft target: Janocha & Czarnecki 2017, table 1.
//
// gradient(estimate, t) puts the gradient with respect to the logits in estimate.g, on doubles or Duals.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/losses/estimate.h>

namespace deltarule {

inline constexpr Param estimate_parameters[] = {
    {.name = "probability",
     .kind = Kind::choice,
     .choices = "softmax|sigmoid",
     .meaning = "what makes probabilities of the logits: softmax for one class of several, sigmoid for "
                "independent outputs"}};

// What these losses have in common: a row in double.
template <class Loss>
struct OnEstimate {
  static constexpr bool from_logits = true;
  template <class S, class Load, class R>
  static Estimate<S>& estimate(const Values& values, std::size_t n, Load&& load, const R* t) {
    Estimate<S>& e = Estimate<S>::of_this_thread();
    e.set(values[0] == 0, n, load);
    Loss::gradient(e, t);
    return e;
  }
  template <class T>
  static double row(const Values& values, std::size_t n, const T* z, const T* t, double scale, T* gradient) {
    const auto& e = estimate<double>(values, n, [&](std::size_t j) { return static_cast<double>(z[j]); }, t);
    for (std::size_t j = 0; j < n; ++j) gradient[j] = static_cast<T>(scale * e.g[j]);
    return Loss::value(e, t);
  }
  static void hessian_times(const Values& values, std::size_t n, const double* z, const double* t,
                            const double* v, double* out) {
    const auto& e = estimate<Dual>(values, n, [&](std::size_t j) { return Dual(z[j], v[j]); }, t);
    for (std::size_t j = 0; j < n; ++j) out[j] = e.g[j].slope;
  }
};

struct Expectation : OnEstimate<Expectation> {
  static constexpr Entry entry{
      .name = "expectation",
      .class_name = "Expectation",
      .summary =
          "Absolute differences of probability estimate and target, summed: twice the expected share of "
          "errors when the class is drawn from p.",
      .formula = "L = \\sum_j |t_j - p_j|,\\quad p = \\mathrm{softmax}(z) \\text{ or } \\sigma(z)",
      .derivative = "\\partial L / \\partial p_j = \\mathrm{sign}(p_j - t_j),\\quad \\mathrm{sign}(0) = 0",
      .parameters = estimate_parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  template <class S, class R>
  static void gradient(Estimate<S>& e, const R* t) {
    for (std::size_t j = 0; j < e.n; ++j) {
      const double r = scalar::value(e.excess(j, static_cast<double>(t[j])));
      e.g[j] = r > 0 ? 1.0 : r < 0 ? -1.0 : r;
    }
    e.back();
  }
  template <class R>
  static double value(const Estimate<double>& e, const R* t) {
    double sum = 0;
    for (std::size_t j = 0; j < e.n; ++j) sum += std::abs(e.excess(j, static_cast<double>(t[j])));
    return sum;
  }
};

struct RegularizedExpectation : OnEstimate<RegularizedExpectation> {
  static constexpr Entry entry{
      .name = "regularized_expectation",
      .class_name = "RegularizedExpectation",
      .summary =
          "Squared differences of probability estimate and target, summed. Some lecture notes print "
          "absolute values by mistake; the paper has the square.",
      .formula = "L = \\sum_j (t_j - p_j)^2,\\quad p = \\mathrm{softmax}(z) \\text{ or } \\sigma(z)",
      .derivative = "\\partial L / \\partial p_j = 2 (p_j - t_j)",
      .parameters = estimate_parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  template <class S, class R>
  static void gradient(Estimate<S>& e, const R* t) {
    for (std::size_t j = 0; j < e.n; ++j) e.g[j] = S(2) * e.excess(j, static_cast<double>(t[j]));
    e.back();
  }
  template <class R>
  static double value(const Estimate<double>& e, const R* t) {
    double sum = 0;
    for (std::size_t j = 0; j < e.n; ++j) {
      const double r = e.excess(j, static_cast<double>(t[j]));
      sum += r * r;
    }
    return sum;
  }
};

struct Chebyshev : OnEstimate<Chebyshev> {
  static constexpr Entry entry{
      .name = "chebyshev",
      .class_name = "Chebyshev",
      .summary = "Largest difference of probability estimate and target.",
      .formula = "L = \\max_j |p_j - t_j|,\\quad p = \\mathrm{softmax}(z) \\text{ or } \\sigma(z)",
      .derivative =
          "\\partial L / \\partial p_k = \\mathrm{sign}(p_k - t_k) \\text{ for the first largest } k, "
          "\\quad 0 \\text{ otherwise}",
      .parameters = estimate_parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  template <class S, class R>
  static std::size_t largest(const Estimate<S>& e, const R* t) {
    std::size_t k = 0;
    double most = -1;
    for (std::size_t j = 0; j < e.n; ++j) {
      const double r = std::abs(scalar::value(e.excess(j, static_cast<double>(t[j]))));
      if (r > most || r != r) {
        most = r;
        k = j;
      }
    }
    return k;
  }
  template <class S, class R>
  static void gradient(Estimate<S>& e, const R* t) {
    const std::size_t k = largest(e, t);
    const double r = scalar::value(e.excess(k, static_cast<double>(t[k])));
    for (std::size_t j = 0; j < e.n; ++j) e.g[j] = j != k ? 0.0 : r > 0 ? 1.0 : r < 0 ? -1.0 : r;
    e.back();
  }
  template <class R>
  static double value(const Estimate<double>& e, const R* t) {
    const std::size_t k = largest(e, t);
    return std::abs(e.excess(k, static_cast<double>(t[k])));
  }
};

struct SquaredLog : OnEstimate<SquaredLog> {
  static constexpr Entry entry{
      .name = "squared_log",
      .class_name = "SquaredLog",
      .summary =
          "Squares of the terms of cross-entropy, summed. Often printed with a minus sign; the square is "
          "what "
          "is to be minimised.",
      .formula = "L = \\sum_j (t_j \\ln p_j)^2,\\quad p = \\mathrm{softmax}(z) \\text{ or } \\sigma(z)",
      .derivative = "\\partial L / \\partial \\ln p_j = 2\\, t_j^2 \\ln p_j",
      .parameters = estimate_parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  template <class S, class R>
  static void gradient(Estimate<S>& e, const R* t) {
    for (std::size_t j = 0; j < e.n; ++j) {
      const double own = static_cast<double>(t[j]);
      e.g[j] = S(2 * own * own) * e.log_p[j];
    }
    e.back_from_log();
  }
  template <class R>
  static double value(const Estimate<double>& e, const R* t) {
    double sum = 0;
    for (std::size_t j = 0; j < e.n; ++j) {
      const double term = static_cast<double>(t[j]) * e.log_p[j];
      sum += term * term;
    }
    return sum;
  }
};

struct Tanimoto : OnEstimate<Tanimoto> {
  static constexpr Entry entry{
      .name = "tanimoto",
      .class_name = "Tanimoto",
      .summary = "Minus the overlap of probability estimate and target, -1 where they agree.",
      .formula =
          "L = -\\frac{s}{\\|p\\|^2 + \\|t\\|^2 - s},\\quad s = \\sum_j p_j t_j,\\quad p = "
          "\\mathrm{softmax}(z) \\text{ or } \\sigma(z)",
      .derivative =
          "\\partial L / \\partial p_j = -\\frac{t_j (\\|p\\|^2 + \\|t\\|^2) - 2 s\\, p_j}{(\\|p\\|^2 + "
          "\\|t\\|^2 - s)^2}",
      .parameters = estimate_parameters,
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  template <class S>
  struct Sums {
    S overlap = 0, squares = 0, union_ = 0;
    template <class R>
    Sums(const Estimate<S>& e, const R* t) {
      for (std::size_t j = 0; j < e.n; ++j) {
        const double own = static_cast<double>(t[j]);
        overlap += e.p[j] * S(own);
        squares += e.p[j] * e.p[j] + S(own * own);
      }
      union_ = squares - overlap;
      if (scalar::value(union_) == 0) union_ = 1;  // p = t = 0: nothing to overlap
    }
  };
  template <class S, class R>
  static void gradient(Estimate<S>& e, const R* t) {
    const Sums<S> s(e, t);
    for (std::size_t j = 0; j < e.n; ++j)
      e.g[j] = (S(2) * s.overlap * e.p[j] - S(static_cast<double>(t[j])) * s.squares) / (s.union_ * s.union_);
    e.back();
  }
  template <class R>
  static double value(const Estimate<double>& e, const R* t) {
    const Sums<double> s(e, t);
    return -s.overlap / s.union_;
  }
};

// With p = softmax(z) it is LSE(2z) / 2 - LSE(z + ln t) + ln |t|, whose gradient is the difference of two
// softmaxes: nothing underflows however wrong the estimate is.
struct CauchySchwarz {
  static constexpr bool from_logits = true;
  static constexpr Entry entry{
      .name = "cauchy_schwarz",
      .class_name = "CauchySchwarz",
      .summary =
          "Cauchy-Schwarz divergence of softmax and target: minus the logarithm of the cosine between them.",
      .formula = "L = -\\ln \\frac{\\sum_j p_j t_j}{\\|p\\|_2 \\|t\\|_2},\\quad p = \\mathrm{softmax}(z)",
      .derivative = "\\partial L / \\partial z_j = p_j^2 / \\|p\\|^2 - p_j t_j / \\sum_k p_k t_k",
      .target = Target::label_or_distribution,
      .target_low = 0,
      .target_high = 1,
      .source = "Janocha & Czarnecki 2017, table 1",
  };
  // The two softmaxes and, of each, one minus it
  struct Shares {
    std::vector<double> v, w;
    double rest_v = 0, rest_w = 0, sum_v = 0, sum_w = 0, max_v = 0, max_w = 0, squares = 0;
    std::size_t first_v = 0, first_w = 0;
    template <class R>
    void set(std::size_t n, const R* z, const R* t) {
      v.resize(n);
      w.resize(n);
      constexpr double none = -std::numeric_limits<double>::infinity();
      squares = 0;
      max_v = max_w = none;
      for (std::size_t j = 0; j < n; ++j) {
        const double x = static_cast<double>(z[j]), own = static_cast<double>(t[j]);
        squares += own * own;
        v[j] = 2 * x;
        w[j] = own > 0 ? x + std::log(own) : x == x ? none : x;
        if (!(v[j] <= max_v)) max_v = v[first_v = j];
        if (!(w[j] <= max_w)) max_w = w[first_w = j];
      }
      rest_v = normalise(v, max_v, first_v, sum_v);
      rest_w = normalise(w, max_w, first_w, sum_w);
    }
    double gradient(std::size_t j) const {
      if (j == first_v && j == first_w) return rest_w - rest_v;
      return v[j] - w[j];
    }

   private:
    static double normalise(std::vector<double>& x, double maximum, std::size_t first, double& total) {
      double rest = 0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        x[j] = std::exp(x[j] - maximum);
        if (j != first) rest += x[j];
      }
      total = rest + x[first];
      for (double& share : x) share /= total;
      return rest / total;
    }
  };
  static Shares& shares() {
    thread_local Shares s;
    return s;
  }
  template <class T>
  static double row(const Values&, std::size_t n, const T* z, const T* t, double scale, T* gradient) {
    Shares& s = shares();
    s.set(n, z, t);
    for (std::size_t j = 0; j < n; ++j) gradient[j] = static_cast<T>(scale * s.gradient(j));
    // One class takes almost all of both: ln of a sum near 1
    if (s.first_v == s.first_w) {
      const double own = static_cast<double>(t[s.first_w]);
      return 0.5 * std::log1p(s.rest_v / s.v[s.first_v]) - std::log1p(s.rest_w / s.w[s.first_w]) +
             0.5 * std::log1p((s.squares - own * own) / (own * own));
    }
    // Large logits leave as their difference, which is exact, before small numbers are added.
    const double apart = static_cast<double>(z[s.first_v]) - static_cast<double>(z[s.first_w]);
    return apart + (0.5 * std::log(s.sum_v) - std::log(s.sum_w) + 0.5 * std::log(s.squares) -
                    std::log(static_cast<double>(t[s.first_w])));
  }
  static void hessian_times(const Values&, std::size_t n, const double* z, const double* t, const double* u,
                            double* out) {
    Shares& s = shares();
    s.set(n, z, t);
    double mean_v = 0, mean_w = 0;
    for (std::size_t j = 0; j < n; ++j) {
      mean_v += s.v[j] * u[j];
      mean_w += s.w[j] * u[j];
    }
    for (std::size_t j = 0; j < n; ++j) out[j] = 2 * s.v[j] * (u[j] - mean_v) - s.w[j] * (u[j] - mean_w);
  }
};

}  // namespace deltarule
