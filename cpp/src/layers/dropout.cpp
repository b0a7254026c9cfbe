#include <deltarule/engine/philox.h>
#include <deltarule/layers/dropout.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>

namespace deltarule {
namespace engine {
namespace {

constexpr int lanes = 16, block = 8 * lanes;

// 128 sixteen-bit numbers from sixteen Philox counters at once. Which number goes where does not depend on
// the instruction set.
void philox_block(PhiloxKey key, std::uint64_t high, std::uint64_t first, std::uint16_t* out) {
  std::uint32_t x0[lanes], x1[lanes], x2[lanes], x3[lanes];
  for (int i = 0; i < lanes; ++i) {
    const std::uint64_t low = first + static_cast<std::uint64_t>(i);
    x0[i] = static_cast<std::uint32_t>(low);
    x1[i] = static_cast<std::uint32_t>(low >> 32);
    x2[i] = static_cast<std::uint32_t>(high);
    x3[i] = static_cast<std::uint32_t>(high >> 32);
  }
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < lanes; ++i) {
      const std::uint64_t a = 0xD2511F53ull * x0[i], b = 0xCD9E8D57ull * x2[i];
      x0[i] = static_cast<std::uint32_t>(b >> 32) ^ x1[i] ^ key.low;
      x1[i] = static_cast<std::uint32_t>(b);
      x2[i] = static_cast<std::uint32_t>(a >> 32) ^ x3[i] ^ key.high;
      x3[i] = static_cast<std::uint32_t>(a);
    }
    key.low += 0x9E3779B9u;
    key.high += 0xBB67AE85u;
  }
  for (int word = 0; word < 4; ++word) {
    const std::uint32_t* x = word == 0 ? x0 : word == 1 ? x1 : word == 2 ? x2 : x3;
    for (int i = 0; i < lanes; ++i) {
      out[2 * word * lanes + i] = static_cast<std::uint16_t>(x[i]);
      out[(2 * word + 1) * lanes + i] = static_cast<std::uint16_t>(x[i] >> 16);
    }
  }
}

template <class T>
class DropoutOp final : public Op<T> {
 public:
  DropoutOp(Slot in, Slot out, double rate)
      : in_(in),
        out_(out),
        rate_(rate),
        threshold_(static_cast<std::uint32_t>(std::lround(rate * 65536))),
        width_(in.columns),
        blocks_((in.columns + block - 1) / block) {}
  std::string describe() const override {
    return "dropout " + std::to_string(width_) + ", rate " + std::to_string(rate_).substr(0, 5);
  }
  void reserve(std::ptrdiff_t max_rows, int) override {
    keep_ = Buffer<T>(static_cast<std::size_t>(max_rows * blocks_ * block));
  }

  void forward(const Context<T>& c, Tile tile) override {
    const View<T> x = c.values[static_cast<std::size_t>(in_.value)],
                  y = c.values[static_cast<std::size_t>(out_.value)];
    const PhiloxKey key = philox_key(c.seed, Stream::dropout, static_cast<std::uint32_t>(this->layer_number));
    // Scaled by the probability that 16 bits can give, so that the expectation is exact.
    const T scale = static_cast<T>(65536.0 / (65536.0 - threshold_));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      if (!c.training) {
        if (y.data != x.data) std::copy_n(x.at(i), width_, y.at(i));
        continue;
      }
      T* keep = factors(i);
      for (std::ptrdiff_t b = 0; b < blocks_; ++b) {
        std::uint16_t random[block];
        philox_block(key, c.step, static_cast<std::uint64_t>((i * blocks_ + b) * lanes), random);
        for (int j = 0; j < block; ++j) keep[b * block + j] = random[j] < threshold_ ? T(0) : scale;
      }
      simd::each<T>(static_cast<std::size_t>(width_),
                    [&](auto span) { span.store(y.at(i), times(span.load(x.at(i)), span.load(keep))); });
    }
  }
  void backward(const Context<T>& c, Tile tile) override {
    if (!out_.has_gradient()) return;
    const View<T> g = c.gradients[static_cast<std::size_t>(out_.gradient)];
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(width_), [&](auto span) {
        span.store(g.at(i), times(span.load(g.at(i)), span.load(factors(i))));
      });
  }

 private:
  // A dropped value is zero even when it was not finite.
  static simd::Pack<T> times(simd::Pack<T> x, simd::Pack<T> keep) {
    return simd::apply_mask(keep != simd::Pack<T>(T(0)), x * keep);
  }
  T* factors(std::ptrdiff_t row) { return keep_.data() + row * blocks_ * block; }

  Slot in_, out_;
  double rate_;
  std::uint32_t threshold_;
  std::ptrdiff_t width_, blocks_;
  Buffer<T> keep_;
};

}  // namespace
}  // namespace engine

template <class T>
void Dropout::lower_to(engine::Lowering<T>& lowering) const {
  if (value("rate") == 0) return;
  const engine::Slot in = lowering.input, out = lowering.new_value(in);
  lowering.add(std::make_unique<engine::DropoutOp<T>>(in, out, value("rate")));
  lowering.input = out;
}
template void Dropout::lower_to(engine::Lowering<float>&) const;
template void Dropout::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
