// Matrices of bfloat16 numbers (float32 without its last 16 bits) and their products with rows of floats.
#pragma once

#include <deltarule/engine/arena.h>

#include <bit>
#include <cstddef>
#include <cstdint>

namespace deltarule::engine {

// Rounded to nearest, ties to even; infinite beyond the largest bfloat16, NaN stays NaN.
constexpr std::uint16_t to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u), quiet = bits | 0x400000u;
  return static_cast<std::uint16_t>(((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded) >> 16);
}
constexpr float from_bfloat16(std::uint16_t x) { return std::bit_cast<float>(std::uint32_t{x} << 16); }

// B, k x n, in panels of 32 columns; two rows at a time, their elements of one column side by side.
class Bfloat16Matrix {
 public:
  static constexpr std::ptrdiff_t panel = 32;
  Bfloat16Matrix(std::ptrdiff_t k, std::ptrdiff_t n, const float* b, std::ptrdiff_t b_row);
  std::ptrdiff_t rows() const { return k_; }
  std::ptrdiff_t columns() const { return n_; }
  std::size_t bytes() const { return 2 * data_.size(); }
  std::ptrdiff_t panel_size() const { return (k_ + 1) / 2 * 2 * panel; }
  const std::uint16_t* panel_at(std::ptrdiff_t column) const {
    return data_.data() + column / panel * panel_size();
  }

 private:
  std::ptrdiff_t k_, n_;
  Buffer<std::uint16_t> data_;
};

// C = bias + A B for `n` columns of B from `first` on, a multiple of the panel. The elements of A are rounded
// to bfloat16, products and sums are float32. The bits of C(i, j) depend on the values that enter it, on k
// and on the processor.
struct Bfloat16Product {
  std::ptrdiff_t m = 0, first = 0, n = 0;
  const float* a = nullptr;
  std::ptrdiff_t a_row = 0;
  const Bfloat16Matrix* b = nullptr;
  float* c = nullptr;  // of column `first`
  std::ptrdiff_t c_row = 0;
  const float* bias = nullptr;  // of column `first`, or none
  bool relu = false;
};

// Floats of scratch for m rows, or fewer, of k elements.
std::size_t bfloat16_workspace(std::ptrdiff_t m, std::ptrdiff_t k);
// The workspace is 64-byte aligned.
void multiply(const Bfloat16Product& product, float* workspace) noexcept;
// Whether this processor multiplies bfloat16 numbers itself.
bool multiplies_bfloat16();

}  // namespace deltarule::engine
