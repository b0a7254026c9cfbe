// Sums of squares in double, eight at a time so that additions need not wait for each other.
#pragma once

#include <array>
#include <cstddef>

namespace deltarule::engine {

template <class T>
double squared_norm(const T* x, std::ptrdiff_t n) {
  std::array<double, 8> sums{};
  std::ptrdiff_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::ptrdiff_t k = 0; k < 8; ++k)
      sums[static_cast<std::size_t>(k)] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  double sum = 0;
  for (; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (const double s : sums) sum += s;
  return sum;
}

}  // namespace deltarule::engine
