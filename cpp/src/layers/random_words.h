// Sixteen Philox counters at once, on 64-bit lanes whose lower halves count. Integers only: every instruction
// set gives the same words, those of engine::philox.
#pragma once

#include <deltarule/engine/philox.h>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace deltarule::engine {

inline constexpr int philox_lanes = 16;

#if defined(__AVX512F__)
typedef std::uint64_t PhiloxLanes __attribute__((vector_size(64)));
#elif defined(__AVX2__)
typedef std::uint64_t PhiloxLanes __attribute__((vector_size(32)));
#else
typedef std::uint64_t PhiloxLanes __attribute__((vector_size(16)));
#endif

// Product of the lower halves.
inline PhiloxLanes lower_product(PhiloxLanes a, PhiloxLanes b) {
#if defined(__AVX512F__)
  return PhiloxLanes(_mm512_maskz_mul_epu32(0xff, __m512i(a), __m512i(b)));
#elif defined(__AVX2__)
  return PhiloxLanes(_mm256_mul_epu32(__m256i(a), __m256i(b)));
#elif defined(__SSE2__)
  return PhiloxLanes(_mm_mul_epu32(__m128i(a), __m128i(b)));
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}

// words[k][i] is word k of counter first + i.
inline void philox_words(PhiloxKey key, std::uint64_t high, std::uint64_t first,
                         std::uint32_t (&words)[4][philox_lanes]) {
  constexpr int width = static_cast<int>(sizeof(PhiloxLanes) / 8);
  constexpr int together = width == 2 ? 2 : philox_lanes / width;  // as many as the registers hold
  const auto all = [](std::uint64_t x) { return x - PhiloxLanes{}; };
  PhiloxLanes places;
  for (int i = 0; i < width; ++i) places[i] = static_cast<std::uint64_t>(i);
  for (int begin = 0; begin < philox_lanes; begin += width * together) {
    PhiloxLanes x[4][together];
    for (int g = 0; g < together; ++g) {
      x[0][g] = all(first + static_cast<std::uint64_t>(begin + g * width)) + places;
      x[1][g] = x[0][g] >> 32;
      x[2][g] = all(high);
      x[3][g] = all(high >> 32);
    }
    PhiloxKey round_key = key;
    for (int round = 0; round < 10; ++round) {
      const PhiloxLanes low = all(round_key.low), up = all(round_key.high);
      for (int g = 0; g < together; ++g) {
        const PhiloxLanes a = lower_product(x[0][g], all(0xD2511F53u)),
                          b = lower_product(x[2][g], all(0xCD9E8D57u));
        x[0][g] = (b >> 32) ^ x[1][g] ^ low;
        x[1][g] = b;
        x[2][g] = (a >> 32) ^ x[3][g] ^ up;
        x[3][g] = a;
      }
      round_key.low += 0x9E3779B9u;
      round_key.high += 0xBB67AE85u;
    }
    for (int k = 0; k < 4; ++k)
      for (int g = 0; g < together; ++g) {
        std::uint64_t lanes[width];
        std::memcpy(lanes, &x[k][g], sizeof(lanes));
        for (int i = 0; i < width; ++i)
          words[k][begin + g * width + i] = static_cast<std::uint32_t>(lanes[i]);
      }
  }
}

}  // namespace deltarule::engine
