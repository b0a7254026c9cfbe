// Losses of a probability estimate against a one-hot or soft target: Janocha & Czarnecki 2017, table 1.
//
// gradient(estimate) puts the gradient with respect to the logits in estimate.g, on doubles or Duals.
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
  template <class T>
  static double row(const Values& values, std::size_t n, const T* z, const T* t, double scale, T* gradient) {
    Estimate<double>& e = Estimate<double>::of_this_thread();
    e.resize(n);
    for (std::size_t j = 0; j < n; ++j) e.z[j] = static_cast<double>(z[j]);
    for (std::size_t j = 0; j < n; ++j) e.t[j] = static_cast<double>(t[j]);
    const double value = work(values, e);
    for (std::size_t j = 0; j < n; ++j) gradient[j] = static_cast<T>(scale * e.g[j]);
    return value;
  }
  static void hessian_times(const Values& values, std::size_t n, const double* z, const double* t,
                            const double* v, double* out) {
    Estimate<Dual>& e = Estimate<Dual>::of_this_thread();
    e.resize(n);
    for (std::size_t j = 0; j < n; ++j) e.z[j] = Dual(z[j], v[j]);
    std::copy_n(t, n, e.t.begin());
    e.set(values[0] == 0);
    Loss::gradient(e);
    for (std::size_t j = 0; j < n; ++j) out[j] = e.g[j].slope;
  }

 private:
  [[gnu::noinline]] static double work(const Values& values, Estimate<double>& e) {
    e.set(values[0] == 0);
    const double value = Loss::value(e);
    Loss::gradient(e);
    return value;
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
  template <class S>
  static void gradient(Estimate<S>& e) {
    e.each([&](auto span) {
      const auto slope = lanes::sign(lanes::value(e.excess(span)));
      span.store(e.g.data(), decltype(e.excess(span))(slope));
    });
    e.back();
  }
  static double value(const Estimate<double>& e) {
    return e.sum([&](auto span) { return simd::abs(e.excess(span)); });
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
  template <class S>
  static void gradient(Estimate<S>& e) {
    e.each([&](auto span) {
      const auto r = e.excess(span);
      span.store(e.g.data(), r + r);
    });
    e.back();
  }
  static double value(const Estimate<double>& e) {
    return e.sum([&](auto span) {
      const auto r = e.excess(span);
      return r * r;
    });
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
  template <class S>
  static std::size_t largest(Estimate<S>& e) {
    std::size_t k = 0;
    double most = -1;
    e.each([&](auto span) { span.store(e.g.data(), e.excess(span)); });
    for (std::size_t j = 0; j < e.n; ++j) {
      const double r = std::abs(scalar::value(e.g[j]));
      if (r > most || r != r) {
        most = r;
        k = j;
      }
    }
    return k;
  }
  template <class S>
  static void gradient(Estimate<S>& e) {
    const std::size_t k = largest(e);
    const double slope = lanes::sign(scalar::value(e.g[k]));
    std::fill(e.g.begin(), e.g.end(), S(0));
    e.g[k] = slope;
    e.back();
  }
  static double value(Estimate<double>& e) { return std::abs(e.g[largest(e)]); }
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
  template <class S>
  static void gradient(Estimate<S>& e) {
    e.each([&](auto span) {
      const auto t = e.load(span, e.t);
      const auto log_p = e.load(span, e.log_p);
      using V = std::remove_const_t<decltype(log_p)>;
      span.store(e.g.data(), V(2 * t * t) * log_p);
    });
    e.back_from_log();
  }
  static double value(const Estimate<double>& e) {
    return e.sum([&](auto span) {
      const auto term = e.load(span, e.t) * e.load(span, e.log_p);
      return term * term;
    });
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
    explicit Sums(const Estimate<S>& e) {
      overlap = e.sum([&](auto span) { return e.load(span, e.p) * e.load(span, e.t); });
      squares = e.sum([&](auto span) {
        const auto p = e.load(span, e.p);
        const auto t = e.load(span, e.t);
        return p * p + t * t;
      });
      union_ = squares - overlap;
      if (scalar::value(union_) == 0) union_ = 1;  // p = t = 0: nothing to overlap
    }
  };
  template <class S>
  static void gradient(Estimate<S>& e) {
    const Sums<S> s(e);
    const S inverse = S(1) / (s.union_ * s.union_), of_p = S(2) * s.overlap * inverse,
            of_t = s.squares * inverse;
    e.each([&](auto span) {
      const auto p = e.load(span, e.p);
      using V = std::remove_const_t<decltype(p)>;
      span.store(e.g.data(), V(of_p) * p - V(of_t) * e.load(span, e.t));
    });
    e.back();
  }
  static double value(const Estimate<double>& e) {
    const Sums<double> s(e);
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
    std::vector<double> t, v, w;
    double rest_v = 0, rest_w = 0, sum_v = 0, sum_w = 0, squares = 0;
    std::size_t first_v = 0, first_w = 0;
    template <class R>
    void set(std::size_t n, const R* z, const R* target) {
      for (auto* x : {&t, &v, &w}) x->resize(n);
      for (std::size_t j = 0; j < n; ++j) v[j] = static_cast<double>(z[j]);
      for (std::size_t j = 0; j < n; ++j) t[j] = static_cast<double>(target[j]);
      set();
    }
    double gradient(std::size_t j) const {
      if (j == first_v && j == first_w) return rest_w - rest_v;
      return v[j] - w[j];
    }

   private:
    [[gnu::noinline]] void set() {
      using P = simd::Pack<double>;
      const P none(-std::numeric_limits<double>::infinity());
      squares = simd::sum<double>(t.size(), [&](auto span) {
        const P x = span.load(v.data()), own = span.load(t.data());
        const P without = simd::select(x == x, none, x);
        span.store(w.data(), simd::select(own > P(0), x + simd::log(own), without));
        span.store(v.data(), x + x);
        return own * own;
      });
      rest_v = normalise(v, first_v, sum_v);
      rest_w = normalise(w, first_w, sum_w);
    }
    static double normalise(std::vector<double>& x, std::size_t& first, double& total) {
      using P = simd::Pack<double>;
      first = first_maximum(x.size(), x.data());
      const P maximum(x[first]);
      simd::each<double>(x.size(),
                         [&](auto span) { span.store(x.data(), simd::exp(span.load(x.data()) - maximum)); });
      const double own = x[first];
      x[first] = 0;
      const double rest = simd::sum<double>(x.size(), [&](auto span) { return span.load(x.data()); });
      x[first] = own;
      total = rest + own;
      const P inverse(1 / total);
      simd::each<double>(x.size(), [&](auto span) { span.store(x.data(), span.load(x.data()) * inverse); });
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
