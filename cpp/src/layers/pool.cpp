#include <deltarule/simd/span.h>
#include <algorithm>
#include <limits>

#include "window.h"

namespace deltarule {
namespace engine {
namespace {

template <class T>
class MaxPoolOp final : public Op<T> {
  using P = simd::Pack<T>;

 public:
  MaxPoolOp(Slot in, Slot out, const Window& window) : in_(in), out_(out), window_(window) {}
  std::string describe() const override {
    return "max_pool_2d " + std::to_string(window_.height) + " x " + std::to_string(window_.width);
  }
  void forward(const Context<T>& c, Tile tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    for (std::ptrdiff_t row = tile.begin; row < tile.end; ++row) {
      std::fill_n(y.at(row), out_.columns, -std::numeric_limits<T>::infinity());
      each_pixel(window_, 0, windows(), 0, places(), [&](auto n, auto, auto pixel) {
        if (pixel < 0) return;
        const T* from = x.at(row) + pixel;
        T* to = y.at(row) + n * channels();
        simd::each<T>(static_cast<std::size_t>(channels()), [&](auto span) {
          // A NaN wins, and stays.
          const P best = span.load(to), next = span.load(from);
          span.store(to, simd::select(next != next, next, simd::max(best, next)));
        });
      });
    }
  }
  void backward(const Context<T>& c, Tile tile) override {
    if (!in_.has_gradient()) return;
    const View<T> x = value_of(c, in_), y = value_of(c, out_), dy = gradient_of(c, out_),
                  dx = gradient_of(c, in_);
    T* open = c.scratch;  // 1 until the maximum of this window and channel is found
    for (std::ptrdiff_t row = tile.begin; row < tile.end; ++row) {
      std::fill_n(dx.at(row), in_.columns, T(0));
      each_pixel(window_, 0, windows(), 0, places(), [&](auto n, auto place, auto pixel) {
        if (place == 0) std::fill_n(open, channels(), T(1));
        if (pixel < 0) return;
        T* to = dx.at(row) + pixel;
        simd::each<T>(static_cast<std::size_t>(channels()), [&](auto span) {
          const P left = span.load(open), value = span.load(x.at(row) + pixel),
                  best = span.load(y.at(row) + n * channels());
          const auto found = (left != P(T(0))) & ((value == best) | (value != value));
          span.store(to, span.load(to) + simd::apply_mask(found, span.load(dy.at(row) + n * channels())));
          span.store(open, simd::select(found, P(T(0)), left));
        });
      });
    }
  }
  std::size_t scratch_size(std::ptrdiff_t) const override { return static_cast<std::size_t>(channels()); }
  double flops_per_row() const override {
    return 3 * static_cast<double>(out_.columns) * static_cast<double>(places());
  }

 private:
  std::ptrdiff_t channels() const { return window_.in.channels; }
  std::ptrdiff_t windows() const { return window_.out.height * window_.out.width; }
  std::ptrdiff_t places() const { return window_.height * window_.width; }

  Slot in_, out_;
  Window window_;
};

}  // namespace
}  // namespace engine

std::ptrdiff_t MaxPool2D::build(std::ptrdiff_t) {
  const auto size = whole_numbers("pool_size"), steps = whole_numbers("strides");
  window_ = engine::make_window("max_pool_2d", input_shape(), size, steps.empty() ? size : steps,
                                value("padding") != 0, input_shape().channels);
  return window_.out.size();
}

template <class T>
void MaxPool2D::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input, out = lowering.new_slot(output_width());
  lowering.add(std::make_unique<engine::MaxPoolOp<T>>(in, out, window_));
  lowering.input = out;
}
template void MaxPool2D::lower_to(engine::Lowering<float>&) const;
template void MaxPool2D::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
