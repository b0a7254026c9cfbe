// One native SIMD register of floats or doubles. Kernels are written on Pack<T> and so read like the formula.
// Eigen chooses the register type for the instruction set this file is compiled for.
#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#if !defined(__GNUC__)
#error "deltarule needs GNU vector extensions: build with g++, clang++ or clang-cl"
#endif

namespace deltarule::simd {

// The vector types are spelled out one by one: g++ drops vector_size from a dependent type.
template <class T, int Width>
struct Lanes;
#define DELTARULE_LANES(T, I, W)                                  \
  template <>                                                     \
  struct Lanes<T, W> {                                            \
    typedef T Vector __attribute__((vector_size(W * sizeof(T)))); \
    typedef I Mask __attribute__((vector_size(W * sizeof(T))));   \
    using Integer = I;                                            \
  };
DELTARULE_LANES(float, std::int32_t, 4)
DELTARULE_LANES(float, std::int32_t, 8)
DELTARULE_LANES(float, std::int32_t, 16)
DELTARULE_LANES(double, std::int64_t, 2)
DELTARULE_LANES(double, std::int64_t, 4)
DELTARULE_LANES(double, std::int64_t, 8)
#undef DELTARULE_LANES

// Eigen's choice for this target; two to four lanes where Eigen has no register for T.
template <class T>
inline constexpr int native_width =
    std::max(static_cast<int>(Eigen::internal::packet_traits<T>::size), static_cast<int>(16 / sizeof(T)));

// What this file is compiled for. It is part of the types, so that a program compiled for another instruction
// set than the library has functions of its own: the linker would take one of two that have the same name.
inline constexpr int instruction_set = 0
#if defined(__SSE4_1__)
                                       | 1
#endif
#if defined(__AVX__)
                                       | 2
#endif
#if defined(__AVX2__)
                                       | 4
#endif
#if defined(__FMA__)
                                       | 8
#endif
#if defined(__AVX512F__)
                                       | 16
#endif
#if defined(__AVX512VL__)
                                       | 32
#endif
    ;

template <class T, int Width = native_width<T>, int For = instruction_set>
struct Pack {
  using Scalar = T;
  static constexpr int width = Width;
  using Vector = typename Lanes<T, Width>::Vector;
  using Mask = typename Lanes<T, Width>::Mask;  // all ones where true
  using Integer = typename Lanes<T, Width>::Integer;

  Vector v;

  Pack() = default;
  Pack(Vector x) : v(x) {}        // NOLINT(google-explicit-constructor)
  Pack(T x) : v(x - Vector{}) {}  // NOLINT(google-explicit-constructor): broadcast
  static Pack zero() { return Pack(Vector{}); }

  static Pack load(const T* p) {
    Pack r;
    std::memcpy(&r.v, p, sizeof(v));
    return r;
  }
  void store(T* p) const { std::memcpy(p, &v, sizeof(v)); }

  // The first n lanes only (0 <= n <= width); the other lanes read as zero and are not written.
  static Pack load_partial(const T* p, int n) {
#if defined(__AVX512F__)
    if constexpr (sizeof(Vector) == 64 && sizeof(T) == 4)
      return Vector(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p));
    if constexpr (sizeof(Vector) == 64 && sizeof(T) == 8)
      return Vector(_mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p));
#endif
    T buffer[width] = {};
    std::memcpy(buffer, p, static_cast<std::size_t>(n) * sizeof(T));
    return load(buffer);
  }
  void store_partial(T* p, int n) const {
#if defined(__AVX512F__)
    if constexpr (sizeof(Vector) == 64 && sizeof(T) == 4)
      return _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), __m512(v));
    if constexpr (sizeof(Vector) == 64 && sizeof(T) == 8)
      return _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), __m512d(v));
#endif
    T buffer[width];
    store(buffer);
    std::memcpy(p, buffer, static_cast<std::size_t>(n) * sizeof(T));
  }

  // 0, 1, 2, ... width-1
  static Pack iota() {
    T buffer[width];
    for (int i = 0; i < width; ++i) buffer[i] = static_cast<T>(i);
    return load(buffer);
  }

  T operator[](int i) const { return v[i]; }

  friend Pack operator+(Pack a, Pack b) { return a.v + b.v; }
  friend Pack operator-(Pack a, Pack b) { return a.v - b.v; }
  friend Pack operator*(Pack a, Pack b) { return a.v * b.v; }
  friend Pack operator/(Pack a, Pack b) { return a.v / b.v; }
  Pack operator-() const { return -v; }
  Pack& operator+=(Pack b) { return *this = *this + b; }
  Pack& operator-=(Pack b) { return *this = *this - b; }
  Pack& operator*=(Pack b) { return *this = *this * b; }

  // Comparisons with a NaN are false, but for !=.
  friend Mask operator<(Pack a, Pack b) { return a.v < b.v; }
  friend Mask operator<=(Pack a, Pack b) { return a.v <= b.v; }
  friend Mask operator>(Pack a, Pack b) { return a.v > b.v; }
  friend Mask operator>=(Pack a, Pack b) { return a.v >= b.v; }
  friend Mask operator==(Pack a, Pack b) { return a.v == b.v; }
  friend Mask operator!=(Pack a, Pack b) { return a.v != b.v; }
};

template <class P>
concept AnyPack = requires {
  typename P::Scalar;
  typename P::Mask;
  typename P::Vector;
};

// mask ? a : b, lane by lane
template <AnyPack P>
inline P select(typename P::Mask mask, P a, P b) {
  return P(mask ? a.v : b.v);
}
template <AnyPack P>
inline P select(typename P::Mask mask, std::type_identity_t<P> a, typename P::Scalar b) {
  return select(mask, a, P(b));
}

// Eigen's name for the register of a Pack; void where it has none (then the compiler splits the operation).
// (g++ warns that template arguments drop vector_size; harmless here.)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wignored-attributes"
template <class P>
struct EigenRegister {
  template <class Packet>
  static auto pick() {
    if constexpr (sizeof(Packet) == sizeof(P))
      return std::type_identity<Packet>{};
    else if constexpr (!std::is_same_v<Packet, typename Eigen::internal::unpacket_traits<Packet>::half>)
      return pick<typename Eigen::internal::unpacket_traits<Packet>::half>();
    else
      return std::type_identity<void>{};
  }
  using type =
      typename decltype(pick<typename Eigen::internal::packet_traits<typename P::Scalar>::type>())::type;
};
#pragma GCC diagnostic pop

// a * b + c with one rounding wherever the target has the instruction
template <AnyPack P>
inline P fma(P a, std::type_identity_t<P> b, std::type_identity_t<P> c) {
  using N = typename EigenRegister<P>::type;
  if constexpr (std::is_void_v<N>)
    return P(a.v * b.v + c.v);
  else
    return P(typename P::Vector(Eigen::internal::pmadd(N(a.v), N(b.v), N(c.v))));
}

// Correctly rounded (Eigen's own is an approximation on some targets).
template <AnyPack P>
inline P sqrt(P a) {
#if defined(__AVX512F__)
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm512_maskz_sqrt_ps(0xffff, __m512(a.v))));
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm512_maskz_sqrt_pd(0xff, __m512d(a.v))));
#endif
#if defined(__AVX__)
  if constexpr (sizeof(P) == 32 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm256_sqrt_ps(__m256(a.v))));
  if constexpr (sizeof(P) == 32 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm256_sqrt_pd(__m256d(a.v))));
#endif
  typename P::Scalar lane[P::width];
  a.store(lane);
  for (auto& x : lane) x = std::sqrt(x);
  return P::load(lane);
}

// A NaN in x comes through; a NaN in the bound does not. (The x86 instructions return their second operand
// then.)
template <AnyPack P>
inline P max(P x, std::type_identity_t<P> bound) {
#if defined(__AVX512F__)  // not Eigen's: its undefined source register makes g++ warn
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm512_maskz_max_ps(0xffff, __m512(bound.v), __m512(x.v))));
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm512_maskz_max_pd(0xff, __m512d(bound.v), __m512d(x.v))));
#endif
#if defined(__x86_64__)
  using N = typename EigenRegister<P>::type;
  if constexpr (!std::is_void_v<N> && sizeof(P) < 64)
    return P(typename P::Vector(Eigen::internal::pmax(N(x.v), N(bound.v))));
#endif
  return select(x < bound, bound, x);
}
template <AnyPack P>
inline P min(P x, std::type_identity_t<P> bound) {
#if defined(__AVX512F__)  // not Eigen's: its undefined source register makes g++ warn
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 4)
    return P(typename P::Vector(_mm512_maskz_min_ps(0xffff, __m512(bound.v), __m512(x.v))));
  if constexpr (sizeof(P) == 64 && sizeof(typename P::Scalar) == 8)
    return P(typename P::Vector(_mm512_maskz_min_pd(0xff, __m512d(bound.v), __m512d(x.v))));
#endif
#if defined(__x86_64__)
  using N = typename EigenRegister<P>::type;
  if constexpr (!std::is_void_v<N> && sizeof(P) < 64)
    return P(typename P::Vector(Eigen::internal::pmin(N(x.v), N(bound.v))));
#endif
  return select(x > bound, bound, x);
}

// bits <-> values
template <AnyPack P>
inline typename P::Mask bits(P a) {
  return std::bit_cast<typename P::Mask>(a.v);
}
template <AnyPack P>
inline P from_bits(typename P::Mask m) {
  return P(std::bit_cast<typename P::Vector>(m));
}

template <AnyPack P>
inline P abs(P a) {
  return from_bits<P>(bits(a) & std::numeric_limits<typename P::Integer>::max());
}
// |magnitude| with the sign of s
template <AnyPack P>
inline P copysign(P magnitude, P s) {
  constexpr auto sign = std::numeric_limits<typename P::Integer>::min();
  return from_bits<P>((bits(magnitude) & ~sign) | (bits(s) & sign));
}
template <AnyPack P>
inline P apply_mask(typename P::Mask mask, P a) {
  return from_bits<P>(bits(a) & mask);
}
template <AnyPack P>
inline bool any(typename P::Mask mask) {
#if defined(__AVX512F__)
  if constexpr (sizeof(P) == 64) return _mm512_test_epi64_mask(__m512i(mask), __m512i(mask)) != 0;
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(P) == 32) return _mm256_testz_si256(__m256i(mask), __m256i(mask)) == 0;
#endif
#if defined(__SSE4_1__)
  if constexpr (sizeof(P) == 16) return _mm_testz_si128(__m128i(mask), __m128i(mask)) == 0;
#endif
  typename P::Integer r = 0;
  for (int i = 0; i < P::width; ++i) r |= mask[i];
  return r != 0;
}

// Sums and maxima over the lanes, always in the same order: upper half onto lower half, down to one.
template <AnyPack P, class Combine>
inline typename P::Scalar fold(P a, Combine combine) {
  if constexpr (P::width == 2) {
    return combine(a.v[0], a.v[1]);
  } else if constexpr (P::width * sizeof(typename P::Scalar) == 16) {
    return combine(combine(a.v[0], a.v[2]), combine(a.v[1], a.v[3]));
  } else {
    using Half = Pack<typename P::Scalar, P::width / 2>;
    struct Halves {
      typename Half::Vector low, high;
    };
    const auto halves = std::bit_cast<Halves>(a.v);
    return fold(combine(Half(halves.low), Half(halves.high)), combine);
  }
}
template <AnyPack P>
inline typename P::Scalar reduce_add(P a) {
  return fold(a, [](auto x, auto y) { return x + y; });
}
template <AnyPack P>
inline typename P::Scalar reduce_max(P a) {
  return fold(a, []<class V>(V x, V y) {
    if constexpr (AnyPack<V>)
      return max(x, y);
    else
      return x < y ? y : x;
  });
}

}  // namespace deltarule::simd
