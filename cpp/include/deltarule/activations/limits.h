// A parameter that inputs are compared with.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace deltarule::activations {

// The largest number of the type that is not above `limit`: x > limit exactly where x > at_most<T>(limit).
template <class T>
T at_most(double limit) {
  using Integer = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  const T nearest = static_cast<T>(limit);
  if (!(static_cast<double>(nearest) > limit)) return nearest;
  if (nearest == 0) return -std::numeric_limits<T>::denorm_min();
  const auto bits = std::bit_cast<Integer>(nearest);
  return std::bit_cast<T>(static_cast<Integer>(nearest > 0 ? bits - 1 : bits + 1));
}

}  // namespace deltarule::activations
