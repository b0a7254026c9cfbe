// What rules on whole parameters share: how they are cut, new weights.
#pragma once

#include <deltarule/optimizers/common.h>
#include <deltarule/simd/span.h>
#include <deltarule/tensor_update.h>
#include <algorithm>

namespace deltarule::whole {

// Elements of a task that goes element by element.
inline constexpr std::ptrdiff_t piece_size = 16384;

inline int pieces(const TensorShape& shape) {
  return static_cast<int>((shape.size() + piece_size - 1) / piece_size);
}

struct Range {
  std::ptrdiff_t begin, size;
};
inline Range piece(const TensorShape& shape, int task) {
  const std::ptrdiff_t begin = task * piece_size;
  return {begin, std::min(shape.size() - begin, piece_size)};
}

// w = f(span, w) for n weights; false when one of the new ones is not finite.
template <class T, class F>
bool renew(std::ptrdiff_t n, T* w, F&& f) {
  using P = simd::Pack<T>;
  const P limit(std::numeric_limits<T>::infinity());
  typename P::Mask finite = limit == limit;
  simd::each<T>(static_cast<std::size_t>(n), [&](auto span) {
    const P weight = f(span, span.load(w));
    finite &= simd::abs(span.only(weight, T(0))) < limit;
    span.store(w, weight);
  });
  return !simd::any<P>(~finite);
}

template <class T>
Broadcast<simd::Pack<T>> broadcast(const Values& constants) {
  Broadcast<simd::Pack<T>> c;
  for (std::size_t i = 0; i < c.size(); ++i) c[i] = simd::Pack<T>(static_cast<T>(constants[i]));
  return c;
}

}  // namespace deltarule::whole
