// An activation of the catalogue, chosen at compile time and inlined where it is used.
#pragma once

#include <deltarule/activations.h>
#include <deltarule/row_op_kernel.h>
#include <deltarule/row_ops.h>
#include <algorithm>
#include <utility>

namespace deltarule::fixed {

template <class Op>
concept OnRows = requires(const Values& p, float* y) { Op::template forward<float>(p, std::size_t{}, y, y); };

// Its hyper-parameters, which come from the file, in the form that costs least.
template <class T, class Op>
class Applied {
 public:
  static constexpr bool is_identity = std::is_same_v<Op, Identity>;

  explicit Applied(const Values& values) : given_(values), values_(values) {
    if constexpr (OnRows<Op>)
      kernel_ = row_op_kernel<T>(catalog::find(Family::row_op, Op::entry.name)).forward;
    if constexpr (requires { Op::prepare(values); }) values_ = Op::prepare(values);
    const auto all = [&](auto holds) {
      return std::all_of(values_.begin(), values_.begin() + factors, holds);
    };
    one_ = all([](double v) { return v == 1; });
    narrow_ = all(simd::Factor<simd::Pack<T>>::holds);
  }

  // Elementwise: of one pack, of any width.
  template <class P>
  P operator()(P x) const noexcept {
    if constexpr (is_identity)
      return x;
    else if constexpr (requires { Op::forms; }) {
      P y = x;
      [&]<int... form>(std::integer_sequence<int, form...>) {
        ((values_[0] == form ? void(y = Op::forward(Form<form>{}, x)) : void()), ...);
      }(std::make_integer_sequence<int, Op::forms>{});
      return y;
    } else if constexpr (requires { Op::forward(Broadcast<simd::One>{}, x); }) {
      if (one_) return Op::forward(Broadcast<simd::One>{}, x);
      if (narrow_) return Op::forward(broadcast<simd::Factor<P>>(), x);
      return Op::forward(broadcast<simd::WideFactor<P>>(), x);
    } else if constexpr (requires { Op::forward(Broadcast<double>{}, x); })
      return Op::forward(values_, x);
    else {
      Broadcast<P> p;
      for (std::size_t i = 0; i < factors; ++i) p[i] = P(static_cast<T>(values_[i]));
      return Op::forward(p, x);
    }
  }

  // On rows: of n numbers, by the library's own kernel; y may be x.
  void row(std::size_t n, const T* x, T* y) const noexcept { kernel_(given_, n, x, y); }

 private:
  static constexpr std::size_t factors = [] {
    if constexpr (requires { Op::factors; })
      return Op::factors;
    else
      return Op::entry.parameters.size();
  }();
  template <class F>
  Broadcast<F> broadcast() const noexcept {
    Broadcast<F> p;
    for (std::size_t i = 0; i < factors; ++i) p[i] = F(values_[i]);
    return p;
  }
  Values given_, values_;
  bool one_, narrow_;
  void (*kernel_)(const Values& values, std::size_t n, const T* x, T* y) = nullptr;
};

}  // namespace deltarule::fixed
