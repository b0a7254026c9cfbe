// Functions of a magnitude from a table of polynomials, where a register can look a table up: AVX-512,
// floats.
#pragma once

#include "deltarule/simd/numeric.h"
#include "deltarule/simd/piece_tables.h"

namespace deltarule::simd {

template <class X>
inline constexpr bool has_lookup = false;
#if defined(__AVX512F__)
template <int Width>
inline constexpr bool has_lookup<Pack<float, Width>> = true;
#endif

// Below it the pieces serve: 32 of them, each `step` wide around a multiple of it.
template <class T>
constexpr T pieces_end(T step) {
  return T(31.5) * step;
}

// The polynomial of the piece that a lies in, 0 <= a < pieces_end(step); c as in piece_tables.h
template <AnyPack P, std::size_t N>
inline P in_pieces([[maybe_unused]] P a, [[maybe_unused]] typename P::Scalar step,
                   [[maybe_unused]] const typename P::Scalar (&c)[N]) {
  static_assert(N % 32 == 0);
#if defined(__AVX512F__)
  if constexpr (has_lookup<P> && sizeof(P) < 64) {  // the same bits for a pack of any width
    using Wide = Pack<float, 16>;
    float lanes[Wide::width] = {};
    a.store(lanes);
    in_pieces(Wide::load(lanes), step, c).store(lanes);
    return P::load(lanes);
  } else if constexpr (has_lookup<P>) {
    const P rounding(Format<P>::rounding * step);
    const P number = a + rounding;
    const auto index = __m512i(bits(number));
    const P r = a - (number - rounding);
    const auto coefficient = [&](std::size_t k) {
      return P(typename P::Vector(
          _mm512_permutex2var_ps(__m512(P::load(c + 32 * k).v), index, __m512(P::load(c + 32 * k + 16).v))));
    };
    P sum = coefficient(N / 32 - 1);
    for (std::size_t k = N / 32 - 1; k-- > 0;) sum = fma(sum, r, coefficient(k));
    return sum;
  }
#endif
  return a;
}

// `value` where a lies in the pieces, elsewhere general().
template <AnyPack P, class General>
inline P inside_or(P a, typename P::Scalar step, P value, General general) {
  const P end(pieces_end(step));
#if defined(__AVX512F__)
  if constexpr (has_lookup<P> && sizeof(P) == 64)
    if (_mm512_cmp_ps_mask(__m512(a.v), __m512(end.v), _CMP_NLT_UQ) == 0) [[likely]]
      return value;
#endif
  const auto inside = a < end;
  if (!any<P>(~inside)) [[likely]]
    return value;
  return select(inside, value, general());
}
// The pieces' value where a lies in them, elsewhere general().
template <AnyPack P, std::size_t N, class General>
inline P in_pieces_or(P a, typename P::Scalar step, const typename P::Scalar (&c)[N], General general) {
  const P value = in_pieces(a, step, c);
  return inside_or(a, step, value, general);
}

}  // namespace deltarule::simd
