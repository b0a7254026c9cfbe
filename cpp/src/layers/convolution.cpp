#include <deltarule/engine/gemm.h>
#include <deltarule/engine/reduce.h>
#include <deltarule/layers/activation.h>

#include "window.h"

namespace deltarule {
namespace engine {
namespace {

// Windows are copied side by side (im2col) in chunks that stay in the cache, and multiplied.
constexpr std::ptrdiff_t chunk_elements = 32768;

std::ptrdiff_t chunk_of(std::ptrdiff_t windows, std::ptrdiff_t row) {
  return std::min(windows, std::max<std::ptrdiff_t>(16, chunk_elements / row));
}
std::size_t aligned(std::ptrdiff_t elements) { return static_cast<std::size_t>((elements + 31) / 16 * 16); }

template <class T>
class ConvOp final : public Op<T> {
 public:
  ConvOp(Slot in, Slot pre, Slot out, const Window& window, const Choice& activation, Parameter<T> w,
         Parameter<T> b)
      : in_(in),
        pre_(pre),
        out_(out),
        window_(window),
        activation_(activation),
        w_(w),
        b_(b),
        channels_(window.in.channels),
        filters_(window.out.channels),
        windows_(window.out.height * window.out.width),
        places_(window.height * window.width),
        chunk_(chunk_of(windows_, places_ * channels_)),
        group_(std::min(places_, (15 + channels_) / channels_)),
        group_chunk_(chunk_of(windows_, group_ * channels_)) {}
  std::string describe() const override {
    std::string text = "conv_2d " + std::to_string(window_.height) + " x " + std::to_string(window_.width) +
                       ", " + std::to_string(channels_) + " -> " + std::to_string(filters_) + " channels";
    if (b_.data) text += " + bias";
    if (!activation_.none()) text += " + " + activation_.name();
    return text;
  }

  void forward(const Context<T>& c, Tile tile) override {
    const View<T> x = value_of(c, in_), z = value_of(c, pre_), y = value_of(c, out_);
    const std::ptrdiff_t inner = places_ * channels_;
    T* const patches = c.scratch;
    T* const workspace = c.scratch + aligned(chunk_ * inner);
    for (std::ptrdiff_t row = tile.begin; row < tile.end; ++row)
      for (std::ptrdiff_t first = 0; first < windows_; first += chunk_) {
        const std::ptrdiff_t count = std::min(chunk_, windows_ - first);
        gather(x.at(row), first, count, 0, places_, patches);
        multiply<T>({.m = count,
                     .n = filters_,
                     .k = inner,
                     .a = patches,
                     .a_row = inner,
                     .b = w_.data,
                     .b_step = filters_,
                     .c = z.at(row) + first * filters_,
                     .c_row = filters_,
                     .start = b_.data ? Start::bias : Start::zero,
                     .bias = b_.data,
                     .relu = activation_.is_relu()},
                    workspace);
      }
    if (!activation_.none() && !activation_.is_relu())
      activation_.forward(tile.rows(), out_.columns, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row});
  }

  void backward(const Context<T>& c, Tile tile) override {
    const View<T> g = gradient_of(c, out_);
    if (!activation_.none()) {
      const View<T> z = value_of(c, pre_), y = value_of(c, out_);
      activation_.backward(tile.rows(), out_.columns, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row},
                           {g.at(tile.begin), g.row});
    }
    if (!in_.has_gradient()) return;
    const View<T> dx = gradient_of(c, in_);
    const std::ptrdiff_t inner = places_ * channels_;
    T* const patches = c.scratch;
    T* const workspace = c.scratch + aligned(chunk_ * inner);
    for (std::ptrdiff_t row = tile.begin; row < tile.end; ++row) {
      std::fill_n(dx.at(row), in_.columns, T(0));
      for (std::ptrdiff_t first = 0; first < windows_; first += chunk_) {
        const std::ptrdiff_t count = std::min(chunk_, windows_ - first);
        multiply<T>({.m = count,
                     .n = inner,
                     .k = filters_,
                     .a = g.at(row) + first * filters_,
                     .a_row = filters_,
                     .b = w_.data,
                     .b_step = 1,
                     .b_column = filters_,
                     .c = patches,
                     .c_row = inner},
                    workspace);
        each_pixel(window_, first, count, 0, places_, [&](auto n, auto place, auto pixel) {
          if (pixel < 0) return;
          T* const to = dx.at(row) + pixel;
          const T* const from = patches + n * inner + place * channels_;
          for (std::ptrdiff_t k = 0; k < channels_; ++k) to[k] += from[k];
        });
      }
    }
  }

  int weight_tasks() const override { return static_cast<int>((places_ + group_ - 1) / group_); }
  // The weights of some neighbouring places of the kernel.
  void weight_task(const Context<T>& c, int task) override {
    const Update<T>& update = *c.update;
    const std::ptrdiff_t begin = task * group_, end = std::min(places_, begin + group_),
                         inner = (end - begin) * channels_, offset = w_.offset + begin * channels_ * filters_;
    const View<T> x = value_of(c, in_), g = gradient_of(c, out_);
    T* const patches = c.scratch;
    T* const own = patches + aligned(group_chunk_ * group_ * channels_);
    T* const workspace = own + aligned(group_ * channels_ * filters_);
    T* const target = update.fused ? own : update.gradients + offset;
    for (std::ptrdiff_t row = 0; row < c.rows; ++row)
      for (std::ptrdiff_t first = 0; first < windows_; first += group_chunk_) {
        const std::ptrdiff_t count = std::min(group_chunk_, windows_ - first);
        gather(x.at(row), first, count, begin, end, patches);
        multiply<T>({.m = inner,
                     .n = filters_,
                     .k = count,
                     .a = patches,
                     .a_row = 1,
                     .a_step = inner,
                     .b = g.at(row) + first * filters_,
                     .b_step = filters_,
                     .c = target,
                     .c_row = filters_,
                     .start = row == 0 && first == 0 ? Start::zero : Start::accumulate},
                    workspace);
      }
    if (update.fused && !update.apply(offset, inner, filters_, filters_, target, filters_))
      update.fail(this->number);
    if (task > 0 || !b_.data) return;
    column_sums<T>(c.rows * windows_, filters_, own, [&](std::ptrdiff_t i, auto span) {
      return span.load(g.at(i / windows_) + i % windows_ * filters_);
    });
    finish_gradient(*this, update, b_.offset, filters_, own);
  }

  std::size_t scratch_size(std::ptrdiff_t) const override {
    const std::ptrdiff_t inner = places_ * channels_, part = group_ * channels_;
    return std::max(aligned(chunk_ * inner) + std::max(workspace_size<T>(chunk_, filters_, inner, true),
                                                       workspace_size<T>(chunk_, inner, filters_, false)),
                    aligned(group_chunk_ * part) + aligned(part * filters_) +
                        workspace_size<T>(part, filters_, group_chunk_, true));
  }
  double flops_per_row() const override {
    return static_cast<double>(windows_ * places_) * static_cast<double>(channels_ * filters_) *
           (in_.has_gradient() ? 6 : 4);
  }

 private:
  void gather(const T* image, std::ptrdiff_t first, std::ptrdiff_t count, std::ptrdiff_t begin,
              std::ptrdiff_t end, T* out) const {
    const std::ptrdiff_t row = (end - begin) * channels_;
    each_pixel(window_, first, count, begin, end, [&](auto n, auto place, auto pixel) {
      T* const to = out + n * row + place * channels_;
      if (pixel < 0)
        std::fill_n(to, channels_, T(0));
      else
        std::copy_n(image + pixel, channels_, to);
    });
  }

  Slot in_, pre_, out_;
  Window window_;
  AppliedActivation<T> activation_;
  Parameter<T> w_, b_;
  std::ptrdiff_t channels_, filters_, windows_, places_;
  std::ptrdiff_t chunk_;                // windows at a time
  std::ptrdiff_t group_, group_chunk_;  // places of the kernel in a weight task, and its windows at a time
};

}  // namespace
}  // namespace engine

Conv2D::Conv2D(const LayerSpec& spec) : LayerOf(spec) {
  if (part("activation").index >= 0 && part("activation").family == Family::row_op)
    throw std::invalid_argument("conv_2d: activation = '" + std::string(part("activation").entry->name) +
                                "' works on whole rows, not on pixels; allowed: elementwise activations");
}

std::ptrdiff_t Conv2D::build(std::ptrdiff_t) {
  window_ =
      engine::make_window("conv_2d", input_shape(), whole_numbers("kernel_size"), whole_numbers("strides"),
                          value("padding") != 0, static_cast<std::ptrdiff_t>(value("filters")));
  return window_.out.size();
}

std::string_view Conv2D::activation() const {
  return part("activation").index < 0 ? std::string_view{} : part("activation").entry->name;
}

std::vector<Tensor> Conv2D::tensors() const {
  const std::ptrdiff_t places = window_.height * window_.width;
  const Fans fans{static_cast<double>(places * window_.in.channels),
                  static_cast<double>(places * window_.out.channels)};
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
      value("use_bias") != 0 ? lowering.parameter("bias") : engine::Parameter<T>{}));
  lowering.input = out;
}
template void Conv2D::lower_to(engine::Lowering<float>&) const;
template void Conv2D::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
