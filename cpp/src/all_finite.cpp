#include <deltarule/elementwise.h>
#include <deltarule/simd/pack.h>
#include <cmath>

namespace deltarule {

// 0 times a number is 0 if it is finite and NaN if not, and a sum with a NaN in it stays one.
template <class T>
bool all_finite(std::size_t n, const T* x) {
  using P = simd::Pack<T>;
  constexpr std::size_t width = P::width, together = 4;  // additions wait for each other
  P sums[together] = {P::zero(), P::zero(), P::zero(), P::zero()};
  std::size_t i = 0;
  for (; i + together * width <= n; i += together * width)
    for (std::size_t k = 0; k < together; ++k)
      sums[k] = simd::fma(P::load(x + i + k * width), P::zero(), sums[k]);
  for (; i + width <= n; i += width) sums[0] = simd::fma(P::load(x + i), P::zero(), sums[0]);
  T rest = simd::reduce_add((sums[0] + sums[1]) + (sums[2] + sums[3]));
  for (; i < n; ++i) rest += x[i] * T(0);
  return rest == T(0);
}

template bool all_finite<float>(std::size_t, const float*);
template bool all_finite<double>(std::size_t, const double*);

}  // namespace deltarule
