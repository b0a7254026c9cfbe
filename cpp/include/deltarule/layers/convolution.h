// Layers that look at images. A row holds an image line by line, the channels of a pixel side by side.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class Reshape : public LayerOf<Reshape> {
 public:
  static constexpr double one_pixel[] = {1, 1, 1};
  static constexpr Param parameters[] = {
      {.name = "shape",
       .low = 1,
       .high = 16777216,
       .kind = Kind::integer_list,
       .meaning = "height, width and channels of the image that a row holds",
       .list = one_pixel,
       .shortest = 3,
       .longest = 3},
  };
  static constexpr Entry entry{
      .name = "reshape",
      .class_name = "Reshape",
      .summary =
          "Says that a row is an image, line by line with the channels of a pixel side by side; the numbers "
          "stay where they are. Arrays (N, channels, height, width) become such rows by "
          "X.transpose(0, 2, 3, 1).reshape(N, -1).",
      .formula = "y = x",
      .derivative = "dx = dy",
      .parameters = parameters,
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  Shape output_shape() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>&) const {}
};

namespace engine {

// A window that moves over an image.
struct Window {
  Shape in, out;
  std::ptrdiff_t height = 1, width = 1, step_down = 1, step_right = 1, above = 0, left = 0;
};

}  // namespace engine

class Conv2D : public LayerOf<Conv2D> {
 public:
  static constexpr double three[] = {3}, one[] = {1};
  static constexpr Param parameters[] = {
      {.name = "filters",
       .value = 1,
       .low = 1,
       .high = 65536,
       .kind = Kind::integer,
       .meaning = "channels of the output"},
      {.name = "kernel_size",
       .low = 1,
       .high = 4096,
       .kind = Kind::integer_list,
       .meaning = "height and width of the kernel, or one number for both",
       .list = three,
       .shortest = 1,
       .longest = 2},
      {.name = "strides",
       .low = 1,
       .high = 4096,
       .kind = Kind::integer_list,
       .meaning = "steps of the kernel downwards and to the right, or one number for both",
       .list = one,
       .shortest = 1,
       .longest = 2},
      {.name = "padding",
       .kind = Kind::choice,
       .choices = "valid|same",
       .meaning = "valid: the kernel stays inside; same: zeros around, so that the output has size / stride "
                  "pixels, rounded up (of an odd number of zeros the larger half is below and at the right)"},
      {.name = "use_bias",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "add a learned bias to every filter"},
  };
  static constexpr Part parts[] = {
      {"activation", Family::activation, "", "applied to the outputs, element by element"},
      {"initializer", Family::initializer, "auto",
       "of the weights; auto looks at the activation that follows"},
      {"bias_initializer", Family::initializer, "zeros", "of the bias"},
  };
  static constexpr Entry entry{
      .name = "conv_2d",
      .class_name = "Conv2D",
      .summary =
          "Convolution of an image with learned kernels (as everywhere: the kernel is not turned over). The "
          "shape of the image comes from the layer before, in the first place from Reshape. The array weight "
          "has "
          "a row for every place and channel of the kernel, line by line, and a column for every filter.",
      .formula =
          "y_{uvf} = \\phi\\Big(b_f + \\sum_{a, b, c} x_{s u + a - p,\\, t v + b - q,\\, c}\\, "
          "W_{abcf}\\Big)",
      .derivative =
          "dW_{abcf} = \\sum x_{s u + a - p,\\, t v + b - q,\\, c}\\, dz_{uvf},\\; db_f = \\sum dz_{uvf},\\; "
          "dx_{ijc} = \\sum_{s u + a - p = i,\\, t v + b - q = j} W_{abcf}\\, dz_{uvf}",
      .parameters = parameters,
      .parts = parts,
      .source = "LeCun, Bottou, Bengio & Haffner 1998",
  };
  explicit Conv2D(const LayerSpec& spec);
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  Shape output_shape() const override { return window_.out; }
  std::vector<Tensor> tensors() const override;
  bool makes_columns() const override { return true; }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 private:
  engine::Window window_{};
};

class MaxPool2D : public LayerOf<MaxPool2D> {
 public:
  static constexpr double two[] = {2};
  static constexpr Param parameters[] = {
      {.name = "pool_size",
       .low = 1,
       .high = 4096,
       .kind = Kind::integer_list,
       .meaning = "height and width of the window, or one number for both",
       .list = two,
       .shortest = 1,
       .longest = 2},
      {.name = "strides",
       .low = 1,
       .high = 4096,
       .kind = Kind::integer_list,
       .meaning =
           "steps of the window downwards and to the right, or one number for both; none given: its size",
       .longest = 2},
      {.name = "padding",
       .kind = Kind::choice,
       .choices = "valid|same",
       .meaning =
           "valid: windows that reach beyond the image are left out; same: they see what there is, and "
           "the output has size / stride pixels, rounded up"},
  };
  static constexpr Entry entry{
      .name = "max_pool_2d",
      .class_name = "MaxPool2D",
      .summary =
          "Largest number of every window, channel by channel; the first one of them gets the gradient.",
      .formula = "y_{uvc} = \\max_{a, b}\\, x_{s u + a - p,\\, t v + b - q,\\, c}",
      .derivative =
          "dx_{ijc} = \\sum_{u, v} dy_{uvc}\\, [\\,(i, j)\\text{ is the first maximum of window }(u, v)\\,]",
      .parameters = parameters,
      .source = "Scherer, Mueller & Behnke 2010",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  Shape output_shape() const override { return window_.out; }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 private:
  engine::Window window_{};
};

}  // namespace deltarule
