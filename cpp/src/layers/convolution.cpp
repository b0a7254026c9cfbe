#include <deltarule/engine/tangent.h>
#include <deltarule/layers/activation.h>

#include "convolution_products.h"

namespace deltarule {
namespace engine {
namespace {

// Up to so many weights every row tile keeps its own gradient, taken while the tile is in the cache; more
// are shared out by their places over the whole batch.
constexpr std::ptrdiff_t few_weights = 32768;

template <class T>
class ConvOp final : public Op<T>, public Tangent<T> {
 public:
  ConvOp(Slot in, Slot pre, Slot out, const Window& window, const Choice& activation, Parameter<T> w,
         Parameter<T> b, bool training)
      : in_(in),
        pre_(pre),
        out_(out),
        window_(window),
        choice_(activation),
        activation_(activation),
        w_(w),
        b_(b),
        products_(window),
        channels_(window.in.channels),
        filters_(window.out.channels),
        places_(window.height * window.width),
        inner_(places_ * channels_),
        training_(training),
        by_tile_(inner_ * filters_ <= few_weights),
        group_(by_tile_ ? places_ : std::min(places_, (15 + channels_) / channels_)) {
    if (training && in_.has_gradient())
      transposed_ = Buffer<T>(static_cast<std::size_t>(filters_ * padded<T>(inner_)));
  }
  std::string describe() const override {
    std::string text = "conv_2d " + std::to_string(window_.height) + " x " + std::to_string(window_.width) +
                       ", " + std::to_string(window_.in.height) + " x " + std::to_string(window_.in.width) +
                       " x " + std::to_string(channels_) + " -> " + std::to_string(window_.out.height) +
                       " x " + std::to_string(window_.out.width) + " x " + std::to_string(filters_);
    if (b_.data) text += " + bias";
    if (!activation_.none()) text += " + " + activation_.name();
    return text;
  }
  void reserve(std::ptrdiff_t, int tiles) override {
    if (training_ && by_tile_) partial_ = Buffer<T>(static_cast<std::size_t>(tiles * gradient_size()));
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> z = value_of(c, pre_), y = value_of(c, out_);
    products_.forward(value_of(c, in_), z, tile.begin, tile.end, w_.data, bias_start(), b_.data,
                      activation_.is_relu(), c.scratch);
    if (!activation_.none() && !activation_.is_relu())
      activation_.forward(tile.rows(), out_.columns, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row});
  }

  void backward(const Context<T>& c, const Tile& tile) override {
    const View<T> g = gradient_of(c, out_), z = value_of(c, pre_), y = value_of(c, out_);
    activation_.backward(tile.rows(), out_.columns, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row},
                         {g.at(tile.begin), g.row});
    if (by_tile_)
      products_.weight_gradient(value_of(c, in_), g, tile.begin, tile.end, products_.all(), has_bias(),
                                partial_.data() + tile.index * gradient_size(), Start::zero, c.scratch);
    if (!in_.has_gradient()) return;
    const View<T> dx = gradient_of(c, in_);
    for (std::ptrdiff_t row = tile.begin; row < tile.end; ++row) std::fill_n(dx.at(row), in_.columns, T(0));
    products_.input_gradient(g, dx, tile.begin, tile.end, transposed_.data(), padded<T>(inner_), 1,
                             c.scratch);
  }

  int weight_tasks() const override { return static_cast<int>((places_ + group_ - 1) / group_); }
  // The weights of some neighbouring places of the window.
  void weight_task(const Context<T>& c, int task) override {
    const Places places{task * group_, std::min(places_, (task + 1) * group_)};
    const std::ptrdiff_t rows = places.count() * channels_, offset = places.begin * channels_ * filters_;
    const bool sums = task == 0 && has_bias();
    T* gradient = c.scratch;
    if (by_tile_)
      gradient = sum_of_tiles(c.tiles());
    else
      products_.weight_gradient(value_of(c, in_), gradient_of(c, out_), 0, c.rows, places, sums, gradient,
                                Start::zero, c.scratch + own_size());
    if (c.update->fused) {
      if (!c.update->apply(w_.offset + offset, rows, filters_, filters_, gradient, filters_))
        c.update->fail(this->number);
      transpose_rows(places.begin * channels_, rows);
    } else {
      std::copy_n(gradient, rows * filters_, c.update->gradients + w_.offset + offset);
    }
    if (sums) finish_gradient(*this, *c.update, b_.offset, filters_, gradient + rows * filters_);
  }
  int refresh_tasks() const override { return transposed_.size() > 0 ? 1 : 0; }
  void refresh_task(int) override { transpose_rows(0, inner_); }

  // R(x * W + b) = R(x) * W + x * V + c for the direction (V, c), then through the activation.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    output_tangent(choice_, c.rows, out_.columns, linear(c, t), value_of(c, out_), t.value(out_));
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> x = value_of(c, in_), rx = t.value(in_);
    const auto [dz, rdz] = gradient_before(choice_, c.rows, out_.columns, linear(c, t), value_of(c, out_),
                                           t.value(out_), gradient_of(c, out_), t.gradient(out_));
    std::vector<T> product(static_cast<std::size_t>(gradient_size()));
    // R(x)^T dz + x^T R(dz); the bias sees R(dz) alone.
    products_.weight_gradient(rx, dz.view, 0, c.rows, products_.all(), false, product.data(), Start::zero,
                              c.scratch);
    products_.weight_gradient(x, rdz.view, 0, c.rows, products_.all(), has_bias(), product.data(),
                              Start::accumulate, c.scratch);
    std::copy_n(product.data(), inner_ * filters_, t.product + w_.offset);
    if (has_bias()) std::copy_n(product.data() + inner_ * filters_, filters_, t.product + b_.offset);
    if (!in_.has_gradient()) return;
    const View<T> target = t.gradient(in_);  // R(dz) W^T + dz V^T
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) std::fill_n(target.at(i), in_.columns, T(0));
    products_.input_gradient(rdz.view, target, 0, c.rows, w_.data, 1, filters_, c.scratch);
    products_.input_gradient(dz.view, target, 0, c.rows, t.direction + w_.offset, 1, filters_, c.scratch);
  }

  std::size_t scratch_size(std::ptrdiff_t) const override {
    return static_cast<std::size_t>(own_size()) + products_.scratch_size();
  }
  bool adds_up_tiles() const override { return training_ && by_tile_; }
  Work work() const override {
    const double product =
        2 * static_cast<double>(products_.windows()) * static_cast<double>(inner_ * filters_);
    return {product, in_.has_gradient() ? product : 0, product};
  }

 private:
  WithTangent<T> linear(const Context<T>& c, const Tangents<T>& t) const {
    WithTangent<T> z{Matrix<T>(c.rows, out_.columns), Matrix<T>(c.rows, out_.columns)};
    const View<T> x = value_of(c, in_);
    products_.forward(x, z.own.view, 0, c.rows, w_.data, bias_start(), b_.data, false, c.scratch);
    products_.forward(x, z.tangent.view, 0, c.rows, t.direction + w_.offset, bias_start(),
                      has_bias() ? t.direction + b_.offset : nullptr, false, c.scratch);
    products_.forward(t.value(in_), z.tangent.view, 0, c.rows, w_.data, Start::accumulate, nullptr, false,
                      c.scratch);
    return z;
  }

  bool has_bias() const { return b_.data != nullptr; }
  Start bias_start() const { return has_bias() ? Start::bias : Start::zero; }
  // Gradients of weights and bias, one after the other.
  std::ptrdiff_t gradient_size() const { return (inner_ + has_bias()) * filters_; }
  std::ptrdiff_t own_size() const {
    return by_tile_ ? 0 : ((group_ * channels_ + 1) * filters_ + 31) / 16 * 16;
  }
  // All tiles' gradients, added to the first in order.
  T* sum_of_tiles(std::ptrdiff_t tiles) {
    T* const sum = partial_.data();
    for (std::ptrdiff_t tile = 1; tile < tiles; ++tile) {
      const T* const next = sum + tile * gradient_size();
      simd::each<T>(static_cast<std::size_t>(gradient_size()),
                    [&](auto span) { span.store(sum, span.load(sum) + span.load(next)); });
    }
    return sum;
  }
  void transpose_rows(std::ptrdiff_t first, std::ptrdiff_t rows) {
    if (transposed_.size() > 0)
      transpose<T>(rows, filters_, w_.data + first * filters_, filters_, transposed_.data() + first,
                   padded<T>(inner_));
  }

  Slot in_, pre_, out_;
  Window window_;
  Choice choice_;
  AppliedActivation<T> activation_;
  Parameter<T> w_, b_;
  ConvolutionProducts<T> products_;
  std::ptrdiff_t channels_, filters_, places_, inner_;
  bool training_, by_tile_;
  std::ptrdiff_t group_;    // places of the window in a weight task
  Buffer<T> transposed_;    // W^T, for the gradient of the input; kept with the weights
  Buffer<T> partial_ = {};  // gradients of weights and bias by every tile
};

}  // namespace
}  // namespace engine

Conv2D::Conv2D(const LayerSpec& spec) : LayerOf(spec) {
  if (part("activation").index >= 0 && part("activation").family == Family::row_op)
    throw std::invalid_argument(
        "conv_2d: activation = '" + std::string(part("activation").entry->name) +
        "' works on whole rows, not on pixels; allowed: elementwise activations, or Activation('" +
        std::string(part("activation").entry->name) + "') after this layer");
}

std::ptrdiff_t Conv2D::build(std::ptrdiff_t) {
  window_ = engine::make_window(name(), input_shape(), whole_numbers("kernel_size"), whole_numbers("strides"),
                                value("padding") != 0, static_cast<std::ptrdiff_t>(value("filters")));
  return window_.out.size();
}

std::vector<Tensor> Conv2D::tensors() const {
  const std::ptrdiff_t places = window_.height * window_.width;
  const Fans fans{static_cast<double>(places * window_.in.channels),
                  static_cast<double>(places * window_.out.channels),
                  static_cast<double>(window_.out.channels)};
  std::vector<Tensor> list{{.name = "weight",
                            .rows = places * window_.in.channels,
                            .columns = window_.out.channels,
                            .initializer = initializer("initializer"),
                            .fans = fans}};
  if (value("use_bias") != 0)
    list.push_back({.name = "bias",
                    .rows = 1,
                    .columns = window_.out.channels,
                    .vector = true,
                    .role = Role::bias,
                    .initializer = initializer("bias_initializer"),
                    .fans = fans});
  return list;
}

template <class T>
void Conv2D::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(output_width());
  const engine::AppliedActivation<T> activation(part("activation"));
  engine::Slot pre = out;
  if (lowering.training && activation.backward_reads_input()) pre = lowering.new_value(out);
  lowering.add(std::make_unique<engine::ConvOp<T>>(
      in, pre, out, window_, part("activation"), lowering.parameter("weight"),
      value("use_bias") != 0 ? lowering.parameter("bias") : engine::Parameter<T>{}, lowering.training));
  lowering.input = out;
}
template void Conv2D::lower_to(engine::Lowering<float>&) const;
template void Conv2D::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
