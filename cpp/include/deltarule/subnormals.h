// What the processor does with subnormal numbers (below 1.2e-38 in float): many take a hundred cycles for
// each.
#pragma once

#include <cstdint>

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace deltarule {
namespace engine {

// The bits of a thread's floating-point control word that make subnormal operands and results zero.
#if defined(__SSE2__) || defined(_M_X64)
inline constexpr std::uint64_t flush_bits = 0x8040;
inline std::uint64_t float_control() { return _mm_getcsr(); }
inline void set_float_control(std::uint64_t word) { _mm_setcsr(static_cast<unsigned>(word)); }
#elif defined(__aarch64__) && (defined(__GNUC__) || defined(__clang__))
inline constexpr std::uint64_t flush_bits = std::uint64_t{1} << 24;
inline std::uint64_t float_control() {
  std::uint64_t word;
  asm volatile("mrs %0, fpcr" : "=r"(word));
  return word;
}
inline void set_float_control(std::uint64_t word) { asm volatile("msr fpcr, %0" ::"r"(word)); }
#else
inline constexpr std::uint64_t flush_bits = 0;
inline std::uint64_t float_control() { return 0; }
inline void set_float_control(std::uint64_t) {}
#endif

class FloatMode {
 public:
  explicit FloatMode(std::uint64_t bits) noexcept : before_(float_control() & flush_bits) { set(bits); }
  ~FloatMode() { set(before_); }
  FloatMode(const FloatMode&) = delete;
  FloatMode& operator=(const FloatMode&) = delete;

 private:
  static void set(std::uint64_t bits) noexcept {
    const std::uint64_t word = float_control();
    if ((word & flush_bits) != bits) set_float_control((word & ~flush_bits) | bits);
  }
  std::uint64_t before_;
};

}  // namespace engine

// While it lives, subnormal numbers are zero for the thread that made it (x86, arm64; elsewhere it does
// nothing). Training does so by itself; a program that runs a Session on signals that die away may want to.
struct FlushSubnormals : private engine::FloatMode {
  FlushSubnormals() noexcept : FloatMode(engine::flush_bits) {}
};

// While it lives, they are what IEEE 754 says: for code of others that is called in between.
struct KeepSubnormals : private engine::FloatMode {
  KeepSubnormals() noexcept : FloatMode(0) {}
};

}  // namespace deltarule
