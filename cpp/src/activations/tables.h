// How the loops over arrays are made of the structs of one kind.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <utility>

#include "kinds.h"

namespace deltarule::activations {

// How many numbers the loops of Op use: its parameters, or what prepare() makes of them.
template <class Op>
constexpr std::size_t factors = [] {
  if constexpr (requires { Op::factors; })
    return Op::factors;
  else
    return Op::entry.parameters.size();
}();

template <class Op, class F, class P>
Broadcast<F> broadcast(const Values& values) {
  Broadcast<F> p;
  for (std::size_t i = 0; i < factors<Op>; ++i) {
    if constexpr (std::is_same_v<F, P>)
      p[i] = P(static_cast<typename P::Scalar>(values[i]));
    else
      p[i] = F(values[i]);
  }
  return p;
}

// run(p), with the least costly kind of p that holds the values
template <class Op, class P, class Run>
void with_parameters(const Values& given, Run run) {
  Values values = given;
  if constexpr (requires { Op::prepare(given); }) values = Op::prepare(given);
  if constexpr (requires { Op::forms; }) {
    [&]<int... form>(std::integer_sequence<int, form...>) {
      ((values[0] == form ? run(Form<form>{}) : void()), ...);
    }(std::make_integer_sequence<int, Op::forms>{});
  } else if constexpr (requires(P x) { Op::forward(Broadcast<simd::One>{}, x); }) {
    const auto all = [&](auto holds) {
      return std::all_of(values.begin(), values.begin() + factors<Op>, holds);
    };
    if (all([](double v) { return v == 1; }))
      run(Broadcast<simd::One>{});
    else if (all(simd::Factor<P>::holds))
      run(broadcast<Op, simd::Factor<P>, P>(values));
    else
      run(broadcast<Op, simd::WideFactor<P>, P>(values));
  } else if constexpr (requires(P x) { Op::forward(Broadcast<double>{}, x); }) {
    run(values);
  } else {
    run(broadcast<Op, P, P>(values));
  }
}

template <class Op, class T>
[[gnu::flatten]] void forward(const Values& values, std::size_t n, const T* x, T* y) {
  using P = simd::Pack<T>;
  with_parameters<Op, P>(values, [&](const auto& p) {
    simd::each<T>(n, [&](auto span) { span.store(y, Op::forward(p, span.load(x))); });
  });
}

// A load that waits for the mask it is used with comes too late: memory is then read in turns.
template <class P>
P in_register(P v) {
#if defined(__AVX512F__) && defined(__GNUC__)
  asm("" : "+v"(v.v));
#endif
  return v;
}

template <class Op, class T>
[[gnu::flatten]] void backward(const Values& values, std::size_t n, const T* x, const T* y, const T* dy,
                               T* dx) {
  using P = simd::Pack<T>;
  constexpr bool reads_x = Op::entry.reads == Reads::input || Op::entry.reads == Reads::both;
  constexpr bool reads_y = Op::entry.reads == Reads::output || Op::entry.reads == Reads::both;
  with_parameters<Op, P>(values, [&](const auto& p) {
    simd::each<T>(n, [&](auto span) {
      P xi = P::zero(), yi = P::zero();
      if constexpr (reads_x) xi = span.load(x);
      if constexpr (reads_y) yi = span.load(y);
      span.store(dx, Op::backward(p, xi, yi, in_register(span.load(dy))));
    });
  });
}

template <class Op>
bool flat([[maybe_unused]] const Values& values) {
  if constexpr (requires { Op::flat(values); })
    return Op::flat(values);
  else
    return false;
}

template <class T, class... Ops>
std::span<const ActivationKernel<T>> table_of(List<Ops...>) {
  static constexpr std::array table{
      ActivationKernel<T>{&forward<Ops, T>, &backward<Ops, T>, &Ops::second, &flat<Ops>}...};
  return table;
}

template <class T, class Kind>
std::span<const ActivationKernel<T>> kernels() {
  return table_of<T>(Kind{});
}

}  // namespace deltarule::activations
