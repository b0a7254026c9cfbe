// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): any number of any stream is computed
// from its place alone, so that results do not depend on threads, tiles or the instruction set.
#pragma once

#include <array>
#include <cstdint>

namespace deltarule::engine {

// Who draws: keeps the uses of one seed apart.
enum class Stream : std::uint32_t {
  initialize = 1,
  shuffle = 2,
  dropout = 3,
  noise = 4,
  mixup = 16,
  privacy = 17,
  fisher = 18
};

struct PhiloxKey {
  std::uint32_t low, high;
};

inline PhiloxKey philox_key(std::uint64_t seed, Stream stream, std::uint32_t layer) {
  // splitmix64 finaliser: neighbouring seeds and layers get unrelated keys
  std::uint64_t z = seed + 0x9e3779b97f4a7c15ull * (1 + static_cast<std::uint64_t>(stream) +
                                                    (static_cast<std::uint64_t>(layer) << 8));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return {static_cast<std::uint32_t>(z), static_cast<std::uint32_t>(z >> 32)};
}

inline std::array<std::uint32_t, 4> philox(PhiloxKey key, std::uint64_t high, std::uint64_t low) {
  std::array<std::uint32_t, 4> x{static_cast<std::uint32_t>(low), static_cast<std::uint32_t>(low >> 32),
                                 static_cast<std::uint32_t>(high), static_cast<std::uint32_t>(high >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * x[0], b = 0xCD9E8D57ull * x[2];
    x = {static_cast<std::uint32_t>(b >> 32) ^ x[1] ^ key.low, static_cast<std::uint32_t>(b),
         static_cast<std::uint32_t>(a >> 32) ^ x[3] ^ key.high, static_cast<std::uint32_t>(a)};
    key.low += 0x9E3779B9u;
    key.high += 0xBB67AE85u;
  }
  return x;
}

// A sequence of 32-bit numbers, for places where a count of draws is not known before (shuffling).
class PhiloxSequence {
 public:
  PhiloxSequence(PhiloxKey key, std::uint64_t high) : key_(key), high_(high) {}
  std::uint32_t next() {
    if (used_ == 4) {
      block_ = philox(key_, high_, low_++);
      used_ = 0;
    }
    return block_[used_++];
  }
  // Uniform on 0 .. n-1, without bias (Lemire 2019).
  std::uint32_t below(std::uint32_t n) {
    std::uint64_t m = static_cast<std::uint64_t>(next()) * n;
    if (static_cast<std::uint32_t>(m) < n) {
      const std::uint32_t threshold = (0u - n) % n;
      while (static_cast<std::uint32_t>(m) < threshold) m = static_cast<std::uint64_t>(next()) * n;
    }
    return static_cast<std::uint32_t>(m >> 32);
  }

 private:
  PhiloxKey key_;
  std::uint64_t high_, low_ = 0;
  std::array<std::uint32_t, 4> block_{};
  unsigned used_ = 4;
};

}  // namespace deltarule::engine
