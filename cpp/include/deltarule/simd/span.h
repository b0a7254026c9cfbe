// Loops over n elements by packs. Lanes past the end load as zero, are not stored, and do not count in sums.
#pragma once

#include <deltarule/simd/pack.h>
#include <cstddef>

namespace deltarule::simd {

template <class T, int For = instruction_set>
struct FullSpan {
  std::size_t i;
  Pack<T> load(const T* p) const { return Pack<T>::load(p + i); }
  void store(T* p, Pack<T> v) const { v.store(p + i); }
  Pack<T> only(Pack<T> v, T) const { return v; }
};

template <class T, int For = instruction_set>
struct TailSpan {
  std::size_t i;
  int n;
  Pack<T> load(const T* p) const { return Pack<T>::load_partial(p + i, n); }
  void store(T* p, Pack<T> v) const { v.store_partial(p + i, n); }
  // v in the lanes that exist, `other` in the rest
  Pack<T> only(Pack<T> v, T other) const {
    return select(Pack<T>::iota() < Pack<T>(static_cast<T>(n)), v, Pack<T>(other));
  }
};

// f(span) for every pack of the n elements
template <class T, class F>
inline void each(std::size_t n, F&& f) {
  constexpr std::size_t width = Pack<T>::width;
  std::size_t i = 0;
  for (; i + width <= n; i += width) f(FullSpan<T>{i});
  if (i < n) f(TailSpan<T>{i, static_cast<int>(n - i)});
}

// Sum of the packs that f gives.
template <class T, class F>
inline T sum(std::size_t n, F&& f) {
  Pack<T> total = Pack<T>::zero();
  each<T>(n, [&](auto span) { total += span.only(f(span), T(0)); });
  return reduce_add(total);
}

template <class T>
inline T maximum(std::size_t n, const T* x) {
  Pack<T> m(-std::numeric_limits<T>::infinity());
  each<T>(n, [&](auto span) { m = max(span.only(span.load(x), -std::numeric_limits<T>::infinity()), m); });
  return reduce_max(m);
}

}  // namespace deltarule::simd
