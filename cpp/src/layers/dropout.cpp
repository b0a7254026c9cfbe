#include <deltarule/engine/tangent.h>
#include <deltarule/layers/dropout.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>

#include "common.h"
#include "random_words.h"

namespace deltarule {
namespace engine {
namespace {

constexpr int lanes = philox_lanes, block = 8 * lanes;

// Multipliers of 128 neighbours, from the sixteen-bit halves of sixteen Philox counters: 0 with probability
// threshold / 65536, else `scale`. Which half goes where does not depend on the instruction set.
template <class T>
void draw_factors(PhiloxKey key, std::uint64_t high, std::uint64_t first, std::uint32_t threshold, T scale,
                  T* out) {
  std::uint32_t words[4][lanes];
  philox_words(key, high, first, words);
  for (const auto& word : words) {
    for (int i = 0; i < lanes; ++i) out[i] = (word[i] & 0xffffu) < threshold ? T(0) : scale;
    for (int i = 0; i < lanes; ++i) out[lanes + i] = (word[i] >> 16) < threshold ? T(0) : scale;
    out += 2 * lanes;
  }
}

template <class T>
class DropoutOp final : public Op<T>, public Tangent<T> {
 public:
  // What is kept becomes scale * x + shift, what is dropped `dropped`.
  struct Rule {
    std::string name;
    double rate;
    std::uint32_t threshold;
    T scale, shift, dropped;
  };
  DropoutOp(Slot in, Slot out, Rule rule)
      : in_(in),
        out_(out),
        rule_(std::move(rule)),
        width_(in.columns),
        blocks_((in.columns + block - 1) / block) {}
  bool draws() const override { return true; }
  std::string describe() const override {
    return rule_.name + " " + std::to_string(width_) + ", rate " + std::to_string(rule_.rate).substr(0, 5);
  }
  void reserve(std::ptrdiff_t max_rows, int) override {
    keep_ = Buffer<T>(static_cast<std::size_t>(max_rows * blocks_ * block));
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    using P = simd::Pack<T>;
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    const PhiloxKey key = philox_key(c.seed, Stream::dropout, static_cast<std::uint32_t>(this->layer_number));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      if (!c.training) {
        if (y.data != x.data) std::copy_n(x.at(i), width_, y.at(i));
        continue;
      }
      T* keep = factors(i);
      for (std::ptrdiff_t b = 0; b < blocks_; ++b)
        draw_factors(key, c.step, static_cast<std::uint64_t>((i * blocks_ + b) * lanes), rule_.threshold,
                     rule_.scale, keep + b * block);
      if (rule_.dropped == T(0) && rule_.shift == T(0))
        simd::each<T>(static_cast<std::size_t>(width_),
                      [&](auto span) { span.store(y.at(i), times(span.load(x.at(i)), span.load(keep))); });
      else
        simd::each<T>(static_cast<std::size_t>(width_), [&](auto span) {
          const P factor = span.load(keep);
          span.store(y.at(i),
                     simd::select(factor != P(T(0)), simd::fma(span.load(x.at(i)), factor, P(rule_.shift)),
                                  P(rule_.dropped)));
        });
    }
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!out_.has_gradient()) return;
    const View<T> g = gradient_of(c, out_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(static_cast<std::size_t>(width_), [&](auto span) {
        span.store(g.at(i), times(span.load(g.at(i)), span.load(factors(i))));
      });
  }

  // The same factors as in forward; a shift has no tangent.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j)
        t.value(out_).at(i)[j] = factors(i)[j] * t.value(in_).at(i)[j];
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (!out_.has_gradient()) return;
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t j = 0; j < width_; ++j) t.gradient(out_).at(i)[j] *= factors(i)[j];
  }

 private:
  // What was dropped leaves no trace, even when it was not finite.
  static simd::Pack<T> times(simd::Pack<T> x, simd::Pack<T> keep) {
    return simd::apply_mask(keep != simd::Pack<T>(T(0)), x * keep);
  }
  T* factors(std::ptrdiff_t row) { return keep_.data() + row * blocks_ * block; }

  Slot in_, out_;
  Rule rule_;
  std::ptrdiff_t width_, blocks_;
  Buffer<T> keep_;
};

// Of 16 bits; something is always kept.
std::uint32_t threshold_of(double rate) {
  return static_cast<std::uint32_t>(std::min(std::lround(rate * 65536), 65535L));
}

}  // namespace
}  // namespace engine

template <class T>
void Dropout::lower_to(engine::Lowering<T>& lowering) const {
  if (value("rate") == 0) return;
  const engine::Slot in = lowering.input, out = lowering.new_value(in);
  const std::uint32_t threshold = engine::threshold_of(value("rate"));
  // Scaled by the probability that 16 bits can give, so that the expectation is exact.
  const T scale = static_cast<T>(65536.0 / (65536.0 - threshold));
  lowering.add(std::make_unique<engine::DropoutOp<T>>(
      in, out, typename engine::DropoutOp<T>::Rule{"dropout", value("rate"), threshold, scale, T(0), T(0)}));
  lowering.input = out;
}
template void Dropout::lower_to(engine::Lowering<float>&) const;
template void Dropout::lower_to(engine::Lowering<double>&) const;

template <class T>
void AlphaDropout::lower_to(engine::Lowering<T>& lowering) const {
  if (value("rate") == 0) return;
  const engine::Slot in = lowering.input, out = lowering.new_value(in);
  const std::uint32_t threshold = engine::threshold_of(value("rate"));
  const double kept = 1 - threshold / 65536.0;
  const double scale = 1 / std::sqrt(kept * (1 + saturation * saturation * (1 - kept)));
  const double shift = -scale * (1 - kept) * saturation;
  lowering.add(std::make_unique<engine::DropoutOp<T>>(
      in, out,
      typename engine::DropoutOp<T>::Rule{"alpha_dropout", value("rate"), threshold, static_cast<T>(scale),
                                          static_cast<T>(shift),
                                          static_cast<T>(scale * saturation + shift)}));
  lowering.input = out;
}
template void AlphaDropout::lower_to(engine::Lowering<float>&) const;
template void AlphaDropout::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
