// The probability estimate that losses of a whole row are written on, in double: p, 1 - p and ln p, each with
// all its digits, and the way back from their gradients to that of the logits.
#pragma once

#include <deltarule/losses/dual.h>
#include <algorithm>
#include <cstddef>
#include <vector>

namespace deltarule {

// S is double, or Dual for the product with the Hessian.
template <class S>
struct Estimate {
  bool softmax;
  std::size_t n, first = 0;  // the largest logit
  std::vector<S> z, p, q, log_p, g;

  // Keeps its memory from row to row.
  static Estimate& of_this_thread() {
    thread_local Estimate estimate;
    return estimate;
  }
  template <class Load>
  void set(bool by_softmax, std::size_t outputs, Load&& load) {
    softmax = by_softmax;
    n = outputs;
    for (auto* v : {&z, &p, &q, &log_p, &g}) v->resize(n);
    first = 0;
    for (std::size_t j = 0; j < n; ++j) {
      z[j] = load(j);
      if (scalar::value(z[j]) > scalar::value(z[first])) first = j;
    }
    softmax ? set_softmax() : set_sigmoid();
  }
  // p - t, from 1 - p where p is the larger one
  S excess(std::size_t j, double t) const {
    return scalar::value(p[j]) > 0.5 ? S(1 - t) - q[j] : p[j] - S(t);
  }
  // g: gradient with respect to p on entry, to the logits on return
  void back() {
    if (!softmax) {
      for (std::size_t j = 0; j < n; ++j) g[j] = g[j] * p[j] * q[j];
      return;
    }
    S others = 0;
    for (std::size_t j = 0; j < n; ++j)
      if (j != first) others += g[j] * p[j];
    const S all = others + g[first] * p[first];
    for (std::size_t j = 0; j < n; ++j) g[j] = p[j] * (j == first ? g[j] * q[j] - others : g[j] - all);
  }
  // The same from the gradient with respect to ln p
  void back_from_log() {
    if (!softmax) {
      for (std::size_t j = 0; j < n; ++j) g[j] = g[j] * q[j];
      return;
    }
    S others = 0;
    for (std::size_t j = 0; j < n; ++j)
      if (j != first) others += g[j];
    const S own = g[first];
    for (std::size_t j = 0; j < n; ++j)
      g[j] = j == first ? own * q[j] - p[j] * others : g[j] - p[j] * (others + own);
  }

 private:
  // The shift needs no derivative: nothing depends on it.
  void set_softmax() {
    const double maximum = scalar::value(z[first]);
    S rest = 0;
    for (std::size_t j = 0; j < n; ++j) {
      p[j] = scalar::exp(z[j] - S(maximum));
      if (j != first) rest += p[j];
    }
    const S total = rest + p[first], log_own = z[first] - S(maximum);
    const S log_total = log_own + scalar::log1p(rest / p[first]);
    for (std::size_t j = 0; j < n; ++j) {
      q[j] = (j == first ? rest : total - p[j]) / total;
      p[j] = p[j] / total;
      log_p[j] = (z[j] - S(maximum)) - log_total;
    }
  }
  void set_sigmoid() {
    for (std::size_t j = 0; j < n; ++j) {
      const bool negative = scalar::value(z[j]) < 0;
      const S e = scalar::exp(negative ? z[j] : -z[j]), small = e / (S(1) + e), large = S(1) / (S(1) + e);
      p[j] = negative ? small : large;
      q[j] = negative ? large : small;
      log_p[j] = (negative ? z[j] : S(0)) - scalar::log1p(e);
    }
  }
};

}  // namespace deltarule
