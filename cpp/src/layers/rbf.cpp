#include <deltarule/engine/tangent.h>
#include <deltarule/layers/rbf.h>
#include <deltarule/simd/exp.h>
#include <deltarule/simd/span.h>
#include <algorithm>
#include <cmath>

#include "common.h"

namespace deltarule {
namespace engine {
namespace {

constexpr std::ptrdiff_t task_units = 32;

template <class T>
class RBFOp final : public Op<T>, public Tangent<T> {
  using P = simd::Pack<T>;

 public:
  RBFOp(Slot in, Slot out, Parameter<T> centres, Parameter<T> log_width, Parameter<T> bias, double width)
      : in_(in),
        out_(out),
        centres_(centres),
        log_width_(log_width),
        bias_(bias),
        width_(width),
        inputs_(in.columns),
        units_(out.columns) {}
  std::string describe() const override {
    return "rbf " + std::to_string(inputs_) + " -> " + std::to_string(units_);
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_), y = value_of(c, out_);
    T* inverse = inverse_widths(c.scratch, 0, units_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      simd::each<T>(count(units_), [&](auto span) {
        P sum = bias_.data ? span.load(bias_.data) : P::zero();
        const P inv = span.load(inverse);
        for (std::ptrdiff_t j = 0; j < inputs_; ++j)
          sum += kernel(distance(x.at(i)[j], span.load(centre(j)), inv));
        span.store(y.at(i), sum);
      });
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_), dx = gradient_of(c, in_);
    T* inverse = inverse_widths(c.scratch, 0, units_);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      for (std::ptrdiff_t j = 0; j < inputs_; ++j)
        dx.at(i)[j] = -simd::sum<T>(count(units_), [&](auto span) {
          const P inv = span.load(inverse), u = distance(x.at(i)[j], span.load(centre(j)), inv);
          return span.load(dy.at(i)) * (kernel(u) * u * inv);
        });
  }

  int weight_tasks() const override { return static_cast<int>((units_ + task_units - 1) / task_units); }
  // All that belongs to some neighbouring units.
  void weight_task(const Context<T>& c, int task) override {
    const Update<T>& update = *c.update;
    const std::ptrdiff_t first = task * task_units, units = std::min(task_units, units_ - first);
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_);
    T* inverse = inverse_widths(c.scratch, first, units);
    T *dwidth = inverse + task_units, *dbias = dwidth + task_units, *dcentres = dbias + task_units;
    if (!update.fused) dcentres = update.gradients + centres_.offset + first;
    const std::ptrdiff_t row = update.fused ? task_units : units_;
    simd::each<T>(count(units), [&](auto span) {
      const P inv = span.load(inverse);
      P width = P::zero(), bias = P::zero();
      for (std::ptrdiff_t i = 0; i < c.rows; ++i) bias += span.load(dy.at(i) + first);
      for (std::ptrdiff_t j = 0; j < inputs_; ++j) {
        const P centre_of = span.load(centre(j) + first);
        P sum = P::zero();
        for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
          const P u = distance(x.at(i)[j], centre_of, inv);
          const P slope = span.load(dy.at(i) + first) * (kernel(u) * u);
          sum += slope;
          width = simd::fma(slope, u, width);
        }
        span.store(dcentres + j * row, sum * inv);
      }
      span.store(dwidth, width);
      span.store(dbias, bias);
    });
    if (update.fused && !update.apply(centres_.offset + first, inputs_, units, units_, dcentres, row))
      update.fail(this->number);
    finish_gradient(*this, update, log_width_.offset + first, units, dwidth);
    if (bias_.data) finish_gradient(*this, update, bias_.offset + first, units, dbias);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override {
    return count(std::max(units_, (inputs_ + 3) * task_units)) + 16;
  }
  Work work() const override {
    const double distances = 20 * static_cast<double>(inputs_) * static_cast<double>(units_);
    return {distances, distances, distances};
  }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      for (std::ptrdiff_t unit = 0; unit < units_; ++unit) {
        double sum = bias_.data ? static_cast<double>(t.direction[bias_.offset + unit]) : 0;
        for (std::ptrdiff_t j = 0; j < inputs_; ++j) {
          const Point p = point(c, t, i, j, unit);
          sum -= p.k * p.u * p.ru;
        }
        t.value(out_).at(i)[unit] = static_cast<T>(sum);
      }
  }
  // Tangents of the slope dy k u / sigma, which goes to the centre and, negative, to the input, and of
  // dy k u^2, which goes to the width.
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      if (in_.has_gradient()) std::fill_n(t.gradient(in_).at(i), inputs_, T(0));
      for (std::ptrdiff_t unit = 0; unit < units_; ++unit) {
        const double d = static_cast<double>(gradient_of(c, out_).at(i)[unit]),
                     rd = static_cast<double>(t.gradient(out_).at(i)[unit]);
        if (bias_.data) t.product[bias_.offset + unit] += static_cast<T>(rd);
        for (std::ptrdiff_t j = 0; j < inputs_; ++j) {
          const Point p = point(c, t, i, j, unit);
          const double ku = p.k * p.u;
          const T slope =
              static_cast<T>((rd * ku + d * p.k * p.ru * (1 - p.u * p.u) - d * ku * p.rs) / p.sigma);
          t.product[centres_.offset + j * units_ + unit] += slope;
          if (in_.has_gradient()) t.gradient(in_).at(i)[j] -= slope;
          t.product[log_width_.offset + unit] +=
              static_cast<T>(rd * ku * p.u + d * ku * p.ru * (2 - p.u * p.u));
        }
      }
    }
  }

 private:
  // What one unit makes of one input, in double: u, its kernel, the width, and tangents of u and log width.
  struct Point {
    double u, k, sigma, ru, rs;
  };
  Point point(const Context<T>& c, const Tangents<T>& t, std::ptrdiff_t i, std::ptrdiff_t j,
              std::ptrdiff_t unit) const {
    const auto wide = [](T v) { return static_cast<double>(v); };
    const double sigma = width_ * std::exp(wide(log_width_.data[unit])),
                 rs = wide(t.direction[log_width_.offset + unit]);
    const double x = wide(value_of(c, in_).at(i)[j]), rx = wide(t.value(in_).at(i)[j]);
    const double u = std::clamp((x - wide(centre(j)[unit])) / sigma, -1e4, 1e4);
    const double ru = (rx - wide(t.direction[centres_.offset + j * units_ + unit])) / sigma - u * rs;
    return {u, std::exp(-0.5 * u * u), sigma, ru, rs};
  }
  static std::size_t count(std::ptrdiff_t n) { return static_cast<std::size_t>(n); }
  const T* centre(std::ptrdiff_t input) const { return centres_.data + input * units_; }
  T* inverse_widths(T* out, std::ptrdiff_t first, std::ptrdiff_t units) const {
    const P base(static_cast<T>(1 / width_));
    simd::each<T>(count(units),
                  [&](auto span) { span.store(out, simd::exp(-span.load(log_width_.data + first)) * base); });
    return out;
  }
  // u, cut where the kernel has long been 0: so that 0 times u is 0.
  static P distance(T x, P centre, P inverse) {
    const P u = (P(x) - centre) * inverse;
    return simd::min(simd::max(u, P(T(-1e4))), P(T(1e4)));
  }
  static P kernel(P u) { return simd::exp(P(T(-0.5)) * u * u); }

  Slot in_, out_;
  Parameter<T> centres_, log_width_, bias_;
  double width_;
  std::ptrdiff_t inputs_, units_;
};

}  // namespace
}  // namespace engine

std::vector<Tensor> RBF::tensors() const {
  std::vector<Tensor> list{{.name = "centre",
                            .rows = input_width(),
                            .columns = output_width(),
                            .table = true,
                            .initializer = initializer("initializer"),
                            .fans = {1, static_cast<double>(output_width())}},
                           engine::vector_tensor("log_width", output_width(), Role::gain, "zeros")};
  if (value("use_bias") != 0)
    list.push_back({.name = "bias",
                    .rows = 1,
                    .columns = output_width(),
                    .vector = true,
                    .role = Role::bias,
                    .initializer = initializer("bias_initializer")});
  return list;
}

template <class T>
void RBF::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(output_width());
  lowering.add(std::make_unique<engine::RBFOp<T>>(
      in, out, lowering.parameter("centre"), lowering.parameter("log_width"),
      value("use_bias") != 0 ? lowering.parameter("bias") : engine::Parameter<T>{}, value("width")));
  lowering.input = out;
}
template void RBF::lower_to(engine::Lowering<float>&) const;
template void RBF::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
