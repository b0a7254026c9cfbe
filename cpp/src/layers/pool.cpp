#include <deltarule/engine/tangent.h>

#include "window.h"

namespace deltarule {
namespace engine {
namespace {

template <class T>
class MaxPoolOp final : public Op<T>, public Tangent<T> {
  using P = simd::Pack<T>;

 public:
  MaxPoolOp(Slot in, Slot out, const Window& window) : in_(in), out_(out), window_(window) {}
  std::string describe() const override {
    return "max_pool_2d " + std::to_string(window_.height) + " x " + std::to_string(window_.width) + ", " +
           std::to_string(window_.in.height) + " x " + std::to_string(window_.in.width) + " x " +
           std::to_string(window_.in.channels) + " -> " + std::to_string(window_.out.height) + " x " +
           std::to_string(window_.out.width);
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    each_window(tile.begin, tile.end, [&](std::ptrdiff_t row, std::ptrdiff_t to, const Seen& seen) {
      simd::each<T>(channels(), [&](auto span) {
        P best = span.load(x.at(row) + seen.first);
        seen.each([&](std::ptrdiff_t pixel) {
          const P next = span.load(x.at(row) + pixel);
          // The first of equals stays; a NaN wins, and stays.
          best = simd::select((next <= best) | (best != best), best, next);
        });
        span.store(y.at(row) + to, best);
      });
    });
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    give_back(c, gradient_of(c, out_), gradient_of(c, in_), tile.begin, tile.end);
  }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> rx = t.value(in_), ry = t.value(out_);
    each_maximum(c, 0, c.rows, [&](auto span, auto row, auto to, auto pixel, auto found) {
      span.store(ry.at(row) + to,
                 simd::select(found, span.load(rx.at(row) + pixel), span.load(ry.at(row) + to)));
    });
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (in_.has_gradient()) give_back(c, t.gradient(out_), t.gradient(in_), 0, c.rows);
  }
  Work work() const override {
    const auto seen = static_cast<double>(out_.columns) * static_cast<double>(window_.height * window_.width);
    return {seen, 2 * seen, 0};
  }

 private:
  std::size_t channels() const { return static_cast<std::size_t>(window_.in.channels); }

  // The pixels of a window, cut at the edges of the image, as offsets from its first number.
  struct Seen {
    std::ptrdiff_t first, lines, line, width, channels;
    template <class F>
    void each(F&& f) const {
      for (std::ptrdiff_t i = 0; i < lines; ++i)
        for (std::ptrdiff_t j = 0; j < width; ++j) f(first + i * line + j * channels);
    }
  };
  // f(row, offset of the window's output, its pixels)
  template <class F>
  void each_window(std::ptrdiff_t begin, std::ptrdiff_t end, F&& f) const {
    const Window& w = window_;
    for (std::ptrdiff_t row = begin; row < end; ++row)
      for (std::ptrdiff_t u = 0, to = 0; u < w.out.height; ++u) {
        const std::ptrdiff_t top = u * w.step_down - w.above;
        const Part down = inside(top, w.height, w.in.height);
        for (std::ptrdiff_t v = 0; v < w.out.width; ++v, to += w.in.channels) {
          const std::ptrdiff_t side = v * w.step_right - w.left;
          const Part right = inside(side, w.width, w.in.width);
          f(row, to,
            Seen{((top + down.begin) * w.in.width + side + right.begin) * w.in.channels,
                 down.end - down.begin, w.in.width * w.in.channels, right.end - right.begin, w.in.channels});
        }
      }
  }
  // f(span, row, offset of the output, offset of a pixel, mask: it is the first maximum)
  template <class F>
  void each_maximum(const Context<T>& c, std::ptrdiff_t begin, std::ptrdiff_t end, F&& f) const {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    each_window(begin, end, [&](std::ptrdiff_t row, std::ptrdiff_t to, const Seen& seen) {
      simd::each<T>(channels(), [&](auto span) {
        const P best = span.load(y.at(row) + to);
        auto open = best == best;
        open = open | ~open;  // all lanes
        seen.each([&](std::ptrdiff_t pixel) {
          const P value = span.load(x.at(row) + pixel);
          const auto found = open & ((value == best) | (value != value));
          open = open & ~found;
          f(span, row, to, pixel, found);
        });
      });
    });
  }
  void give_back(const Context<T>& c, View<T> dy, View<T> dx, std::ptrdiff_t begin,
                 std::ptrdiff_t end) const {
    for (std::ptrdiff_t row = begin; row < end; ++row) std::fill_n(dx.at(row), in_.columns, T(0));
    each_maximum(c, begin, end, [&](auto span, auto row, auto to, auto pixel, auto found) {
      T* const target = dx.at(row) + pixel;
      span.store(target, span.load(target) + simd::apply_mask(found, span.load(dy.at(row) + to)));
    });
  }

  Slot in_, out_;
  Window window_;
};

}  // namespace
}  // namespace engine

std::ptrdiff_t MaxPool2D::build(std::ptrdiff_t) {
  const auto size = whole_numbers("pool_size"), steps = whole_numbers("strides");
  window_ = engine::make_window(name(), input_shape(), size, steps.empty() ? size : steps,
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
