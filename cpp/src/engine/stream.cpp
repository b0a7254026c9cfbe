#include <deltarule/engine/stream.h>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace deltarule::engine {

template <class T>
void stream(std::size_t n, const T* from, T* to) {
#if defined(__x86_64__) || defined(_M_X64)
#if defined(__AVX512F__)
  using Register = __m512i;
  const auto load = [](const Register* p) { return _mm512_loadu_si512(p); };
  const auto store = [](Register* p, Register v) { _mm512_stream_si512(p, v); };
#elif defined(__AVX__)
  using Register = __m256i;
  const auto load = [](const Register* p) { return _mm256_loadu_si256(p); };
  const auto store = [](Register* p, Register v) { _mm256_stream_si256(p, v); };
#else
  using Register = __m128i;
  const auto load = [](const Register* p) { return _mm_loadu_si128(p); };
  const auto store = [](Register* p, Register v) { _mm_stream_si128(p, v); };
#endif
  if (reinterpret_cast<std::uintptr_t>(to) % sizeof(T) != 0) {  // then no element begins a cache line
    std::copy_n(from, n, to);
    return;
  }
  constexpr std::size_t width = sizeof(Register) / sizeof(T);
  const std::size_t head = std::min(n, to_line(to));
  std::copy_n(from, head, to);
  std::size_t i = head;
  for (; i + width <= n; i += width)
    store(reinterpret_cast<Register*>(to + i), load(reinterpret_cast<const Register*>(from + i)));
  std::copy(from + i, from + n, to + i);
#else
  std::copy_n(from, n, to);
#endif
}

template void stream<float>(std::size_t, const float*, float*);
template void stream<double>(std::size_t, const double*, double*);

void finish_streams() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_sfence();
#endif
}

}  // namespace deltarule::engine
