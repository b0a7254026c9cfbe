// Numbers and sizes for tests that try many.
#pragma once

#include <cstddef>
#include <cstdint>

struct Random {
  std::uint64_t state = 1;
  std::uint64_t next() {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
  }
  std::ptrdiff_t below(std::ptrdiff_t n) {
    return static_cast<std::ptrdiff_t>(next() % static_cast<std::uint64_t>(n));
  }
  double value() { return static_cast<double>(next()) / static_cast<double>(1u << 30) - 1.0; }
};
