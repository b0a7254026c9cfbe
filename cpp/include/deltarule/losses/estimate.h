// The probability estimate that losses of a whole row are written on, in double: p, 1 - p and ln p, each with
// all its digits, and the way back from their gradients to that of the logits.
#pragma once

#include <deltarule/losses/dual.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cstddef>
#include <vector>

namespace deltarule {

// One element of a row, with the face of simd's spans.
struct OneSpan {
  std::size_t i;
  template <class S>
  S load(const S* p) const {
    return p[i];
  }
  template <class S>
  void store(S* p, S x) const {
    p[i] = x;
  }
};

// The functions of the formulas below, on Duals one by one and on doubles by packs.
namespace lanes {
using Pack = simd::Pack<double>;
inline Pack value(Pack x) { return x; }
inline double value(double x) { return x; }
inline double value(Dual x) { return x.value; }
inline Pack exp(Pack x) { return simd::exp(x); }
inline Dual exp(Dual x) { return scalar::exp(x); }
inline Pack log1p(Pack x) { return simd::log1p(x); }
inline Dual log1p(Dual x) { return scalar::log1p(x); }
inline Pack select(Pack::Mask mask, Pack a, Pack b) { return simd::select(mask, a, b); }
template <class S>
S select(bool chosen, S a, S b) {
  return chosen ? a : b;
}
// The derivative of |x|: 0 at 0, NaN at NaN
inline Pack sign(Pack x) { return simd::select(x > 0.0, Pack(1), simd::select(x < 0.0, Pack(-1), x)); }
inline double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
}  // namespace lanes

// The index of the first largest number; of the first NaN where they hide it.
inline std::size_t first_maximum(std::size_t n, const double* x) {
  const double maximum = simd::maximum(n, x);
  const double* found = std::find(x, x + n, maximum);
  if (found == x + n) found = std::find_if(x, x + n, [](double y) { return y != y; });
  return found == x + n ? 0 : static_cast<std::size_t>(found - x);
}

// S is double, or Dual for the product with the Hessian. z and the target t are to be filled in.
template <class S>
struct Estimate {
  bool softmax = true;
  std::size_t n = 0, first = 0;  // the largest logit
  std::vector<S> z, p, q, log_p, g;
  std::vector<double> t;

  // Keeps its memory from row to row.
  static Estimate& of_this_thread() {
    thread_local Estimate estimate;
    return estimate;
  }
  void resize(std::size_t outputs) {
    n = outputs;
    for (auto* v : {&z, &p, &q, &log_p, &g}) v->resize(n);
    t.resize(n);
  }
  template <class F>
  void each(F&& f) const {
    if constexpr (std::is_same_v<S, double>)
      simd::each<double>(n, f);
    else
      for (std::size_t i = 0; i < n; ++i) f(OneSpan{i});
  }
  template <class F>
  S sum(F&& f) const {
    if constexpr (std::is_same_v<S, double>) {
      return simd::sum<double>(n, f);
    } else {
      S total = 0;
      for (std::size_t i = 0; i < n; ++i) total += f(OneSpan{i});
      return total;
    }
  }
  void set(bool by_softmax) {
    softmax = by_softmax;
    softmax ? set_softmax() : set_sigmoid();
  }
  // p - t, from 1 - p where p is the larger one
  auto excess(auto span) const {
    const auto own = span.load(p.data());
    const auto target = span.load(t.data());
    using V = std::remove_const_t<decltype(own)>;
    return lanes::select(lanes::value(own) > 0.5, V(1 - target) - span.load(q.data()), own - V(target));
  }
  // g: gradient with respect to p on entry, to the logits on return
  void back() {
    if (!softmax) return each([&](auto s) { s.store(g.data(), load(s, g) * load(s, p) * load(s, q)); });
    const S own = g[first];
    g[first] = 0;
    const S others = sum([&](auto s) { return load(s, g) * load(s, p); }), all = others + own * p[first];
    each([&](auto s) {
      const auto x = load(s, g);
      using V = std::remove_const_t<decltype(x)>;
      s.store(g.data(), load(s, p) * (x - V(all)));
    });
    g[first] = p[first] * (own * q[first] - others);
  }
  // The same from the gradient with respect to ln p
  void back_from_log() {
    if (!softmax) return each([&](auto s) { s.store(g.data(), load(s, g) * load(s, q)); });
    const S own = g[first];
    g[first] = 0;
    const S others = sum([&](auto s) { return load(s, g); }), all = others + own;
    each([&](auto s) {
      const auto x = load(s, g);
      using V = std::remove_const_t<decltype(x)>;
      s.store(g.data(), x - load(s, p) * V(all));
    });
    g[first] = own * q[first] - p[first] * others;
  }

  template <class X>
  static auto load(auto span, const std::vector<X>& x) {
    return span.load(x.data());
  }

 private:
  // The shift needs no derivative: nothing depends on it.
  void set_softmax() {
    if constexpr (std::is_same_v<S, double>)
      first = first_maximum(n, z.data());
    else
      first = static_cast<std::size_t>(
          std::max_element(z.begin(), z.end(), [](Dual a, Dual b) { return a.value < b.value; }) - z.begin());
    const double maximum = scalar::value(z[first]);
    each([&](auto s) { s.store(p.data(), lanes::exp(load(s, z) - maximum)); });
    const S own = p[first];
    p[first] = 0;
    const S rest = sum([&](auto s) { return load(s, p); });
    p[first] = own;
    const S total = rest + own, inverse = S(1) / total;
    const S log_total = z[first] - S(maximum) + scalar::log1p(rest / own);
    each([&](auto s) {
      const auto e = load(s, p);
      using V = std::remove_const_t<decltype(e)>;
      s.store(q.data(), (V(total) - e) * V(inverse));
      s.store(p.data(), e * V(inverse));
      s.store(log_p.data(), (load(s, z) - maximum) - V(log_total));
    });
    q[first] = rest * inverse;
  }
  void set_sigmoid() {
    each([&](auto s) {
      const auto x = load(s, z);
      using V = std::remove_const_t<decltype(x)>;
      const auto negative = lanes::value(x) < 0;
      const V e = lanes::exp(lanes::select(negative, x, -x)), large = V(1) / (V(1) + e), small = e * large;
      s.store(p.data(), lanes::select(negative, small, large));
      s.store(q.data(), lanes::select(negative, large, small));
      s.store(log_p.data(), lanes::select(negative, x, V(0)) - lanes::log1p(e));
    });
  }
};

}  // namespace deltarule
