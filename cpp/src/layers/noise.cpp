#include <deltarule/engine/tangent.h>
#include <deltarule/layers/dropout.h>
#include <deltarule/simd/log.h>
#include <deltarule/simd/span.h>
#include <deltarule/simd/trigonometric.h>
#include <algorithm>

#include "common.h"
#include "random_words.h"

namespace deltarule {
namespace engine {
namespace {

constexpr int lanes = philox_lanes, block = 4 * lanes;

// 64 normal numbers of deviation `deviation` from sixteen Philox counters (Box & Muller): the words 0 and 1
// of a counter make two of them, the words 2 and 3 two more.
template <class T>
void draw_normal(PhiloxKey key, std::uint64_t high, std::uint64_t first, T deviation, T* out) {
  using P = simd::Pack<T>;
  std::uint32_t words[4][lanes];
  philox_words(key, high, first, words);
  for (int pair = 0; pair < 2; ++pair) {
    T uniform[lanes], angle[lanes];
    for (int i = 0; i < lanes; ++i) {
      // 23 bits and a half: never 0 and never 1, exact in both types; the angle lies in [-pi, pi).
      uniform[i] = (static_cast<T>(static_cast<std::int32_t>(words[2 * pair][i] >> 9)) + T(0.5)) * T(0x1p-23);
      angle[i] = static_cast<T>(static_cast<std::int32_t>(words[2 * pair + 1][i]) >> 8) *
                 T(0x1p-23 * 3.14159265358979323846);
    }
    for (int i = 0; i < lanes; i += P::width) {
      const P radius = simd::sqrt(P(T(-2)) * simd::log(P::load(uniform + i))) * P(deviation);
      const P turn = P::load(angle + i);
      (radius * simd::cos(turn)).store(out + 2 * pair * lanes + i);
      (radius * simd::sin(turn)).store(out + (2 * pair + 1) * lanes + i);
    }
  }
}

template <class T>
class GaussianNoiseOp final : public Op<T>, public Tangent<T> {
 public:
  GaussianNoiseOp(Slot in, Slot out, double deviation)
      : in_(in),
        out_(out),
        deviation_(deviation),
        width_(in.columns),
        blocks_((in.columns + block - 1) / block) {}
  bool draws() const override { return true; }
  std::string describe() const override {
    return "gaussian_noise " + std::to_string(width_) + ", deviation " + std::to_string(deviation_);
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    const PhiloxKey key = philox_key(c.seed, Stream::noise, static_cast<std::uint32_t>(this->layer_number));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      if (!c.training) {
        if (y.data != x.data) std::copy_n(x.at(i), width_, y.at(i));
        continue;
      }
      for (std::ptrdiff_t b = 0; b < blocks_; ++b) {
        T noise[block];
        draw_normal(key, c.step, static_cast<std::uint64_t>((i * blocks_ + b) * lanes),
                    static_cast<T>(deviation_), noise);
        const std::ptrdiff_t j = b * block;
        simd::each<T>(static_cast<std::size_t>(std::min<std::ptrdiff_t>(block, width_ - j)),
                      [&](auto span) { span.store(y.at(i) + j, span.load(x.at(i) + j) + span.load(noise)); });
      }
    }
  }
  // The gradient passes through as it is, and so do tangents: noise has none.
  void backward(const Context<T>&, const Tile&) override {}
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) std::copy_n(t.value(in_).at(i), width_, t.value(out_).at(i));
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>&, const Tangents<T>&) override {}

 private:
  Slot in_, out_;
  double deviation_;
  std::ptrdiff_t width_, blocks_;
};

}  // namespace
}  // namespace engine

template <class T>
void GaussianNoise::lower_to(engine::Lowering<T>& lowering) const {
  if (value("deviation") == 0) return;
  const engine::Slot in = lowering.input, out = lowering.new_value(in);
  lowering.add(std::make_unique<engine::GaussianNoiseOp<T>>(in, out, value("deviation")));
  lowering.input = out;
}
template void GaussianNoise::lower_to(engine::Lowering<float>&) const;
template void GaussianNoise::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
