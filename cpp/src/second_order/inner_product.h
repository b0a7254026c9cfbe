// Sums in double, in one order, eight at a time so that additions need not wait for each other.
#pragma once

#include <array>
#include <cstddef>

namespace deltarule::second_order {

// Sum of term(i) for i < n.
template <class F>
double sum(std::size_t n, F&& term) {
  std::array<double, 8> sums{};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (std::size_t k = 0; k < 8; ++k) sums[k] += term(i + k);
  double rest = 0;
  for (; i < n; ++i) rest += term(i);
  for (const double s : sums) rest += s;
  return rest;
}

template <class A, class B>
double inner_product(std::size_t n, const A* a, const B* b) {
  return sum(n, [=](std::size_t i) { return static_cast<double>(a[i]) * static_cast<double>(b[i]); });
}

}  // namespace deltarule::second_order
