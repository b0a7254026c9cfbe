#include <deltarule/engine/reduce.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/normalization.h>
#include <deltarule/norm_kernel.h>
#include <deltarule/simd/span.h>

#include "common.h"
#include "normalization_tangent.h"

namespace deltarule {
namespace engine {
namespace {

template <class T>
class RMSNormOp final : public Op<T>, public Tangent<T> {
 public:
  RMSNormOp(Slot in, Slot out, Parameter<T> gain, double epsilon)
      : in_(in), out_(out), gain_(gain), epsilon_(epsilon), width_(in.columns) {}
  std::string describe() const override { return "rms_norm " + std::to_string(width_); }
  void reserve(std::ptrdiff_t max_rows, int) override {
    inverse_ = Buffer<T>(static_cast<std::size_t>(max_rows));
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> y = value_of(c, out_);
    // Inference needs the inverses no more, and runs on several threads.
    T* const inverse = c.training ? inverse_.data() + tile.begin : nullptr;
    rms_norm_forward<T>(tile.rows(), width_, rows_of(value_of(c, in_), tile.begin), gain_.data, epsilon_,
                        {y.at(tile.begin), y.row}, inverse);
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    using P = simd::Pack<T>;
    if (!in_.has_gradient()) return;
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_), dx = gradient_of(c, in_);
    const auto n = static_cast<std::size_t>(width_);
    const T share = static_cast<T>(1 / static_cast<double>(width_));
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      const P inverse(inverse_.data()[i]);
      const P along(simd::sum<T>(n,
                                 [&](auto span) {
                                   return span.load(dy.at(i)) * span.load(gain_.data) *
                                          (span.load(x.at(i)) * inverse);
                                 }) *
                    share);
      simd::each<T>(n, [&](auto span) {
        const P hat = span.load(x.at(i)) * inverse;
        span.store(dx.at(i), (span.load(dy.at(i)) * span.load(gain_.data) - hat * along) * inverse);
      });
    }
  }
  int weight_tasks() const override { return 1; }
  void weight_task(const Context<T>& c, int) override {
    using P = simd::Pack<T>;
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_);
    column_sums<T>(c.rows, width_, c.scratch, [&](std::ptrdiff_t i, auto span) {
      return span.load(dy.at(i)) * (span.load(x.at(i)) * P(inverse_.data()[i]));
    });
    finish_gradient(*this, *c.update, gain_.offset, width_, c.scratch);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override { return static_cast<std::size_t>(width_); }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).forward(value_of(c, in_), t.value(in_), t.value(out_), t.direction);
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    norm(c).backward(value_of(c, in_), t.value(in_), gradient_of(c, out_), t.gradient(out_),
                     in_.has_gradient() ? t.gradient(in_) : View<T>{}, t.direction, t.product);
  }

 private:
  NormTangent<T> norm(const Context<T>& c) const {
    return {c.rows, width_, false, epsilon_, gain_.data, gain_.offset, 0, false};
  }

  Slot in_, out_;
  Parameter<T> gain_;
  double epsilon_;
  std::ptrdiff_t width_;
  Buffer<T> inverse_;
};

}  // namespace
}  // namespace engine

std::vector<Tensor> RMSNorm::tensors() const {
  return {engine::vector_tensor("gain", input_width(), Role::gain, "ones")};
}

template <class T>
void RMSNorm::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(in.columns);  // dy is needed again, for the gain
  lowering.add(std::make_unique<engine::RMSNormOp<T>>(in, out, lowering.parameter("gain"), value("epsilon")));
  lowering.input = out;
}
template void RMSNorm::lower_to(engine::Lowering<float>&) const;
template void RMSNorm::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
