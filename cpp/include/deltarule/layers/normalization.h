// Layers that normalise: by batch, by row, by constants learned from the data.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class BatchNorm : public LayerOf<BatchNorm> {
 public:
  static constexpr Param parameters[] = {
      {.name = "momentum",
       .value = 0.9,
       .low = 0,
       .high = 1,
       .meaning = "share of the old running mean and variance that is kept each step"},
      {.name = "epsilon",
       .value = 1e-5,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "added to the variance"},
      {.name = "unbiased", .kind = Kind::boolean, .meaning = "running variance with N - 1 instead of N"},
  };
  static constexpr Entry entry{
      .name = "batch_norm",
      .class_name = "BatchNorm",
      .summary = "Normalises every feature over the batch; with running averages at inference.",
      .formula =
          "y = \\gamma\\, \\hat x + \\beta,\\; \\hat x = (x - \\mu_B)/\\sqrt{\\sigma_B^2 + \\varepsilon},\\; "
          "r \\leftarrow \\alpha r + (1 - \\alpha)\\, \\text{batch}",
      .derivative =
          "dx = \\frac{\\gamma}{N \\sqrt{\\sigma_B^2 + \\varepsilon}} (N\\, dy - \\sum dy - \\hat x \\sum "
          "dy\\, \\hat x)",
      .parameters = parameters,
      .source = "Ioffe & Szegedy 2015",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

class LayerNorm : public LayerOf<LayerNorm> {
 public:
  static constexpr Param parameters[] = {
      {.name = "epsilon",
       .value = 1e-5,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "added to the variance"},
  };
  static constexpr Entry entry{
      .name = "layer_norm",
      .class_name = "LayerNorm",
      .summary = "Normalises every row over its features.",
      .formula =
          "y = \\gamma\\, \\hat x + \\beta,\\; \\hat x = (x - \\mu)/\\sqrt{\\sigma^2 + \\varepsilon}\\; "
          "\\text{over each row}",
      .derivative =
          "dx = (d\\hat x - \\overline{d\\hat x} - \\hat x\\, \\overline{d\\hat x\\, \\hat "
          "x})/\\sqrt{\\sigma^2 + \\varepsilon},\\; "
          "d\\hat x = \\gamma\\, dy",
      .parameters = parameters,
      .source = "Ba, Kiros & Hinton 2016",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

class RMSNorm : public LayerOf<RMSNorm> {
 public:
  static constexpr Param parameters[] = {
      {.name = "epsilon",
       .value = 1e-6,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "added to the mean square"},
  };
  static constexpr Entry entry{
      .name = "rms_norm",
      .class_name = "RMSNorm",
      .summary = "Divides every row by the root mean square of its features.",
      .formula =
          "y = \\gamma\\, \\hat x,\\; \\hat x = x/\\sqrt{\\overline{x^2} + \\varepsilon}\\; \\text{over each "
          "row}",
      .derivative =
          "dx = (d\\hat x - \\hat x\\, \\overline{d\\hat x\\, \\hat x})/\\sqrt{\\overline{x^2} + "
          "\\varepsilon},\\; "
          "d\\hat x = \\gamma\\, dy,\\; d\\gamma = \\sum dy\\, \\hat x",
      .parameters = parameters,
      .source = "Zhang & Sennrich 2019",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

// Learned from the data by Network::adapt, not by gradients.
class Standardize : public LayerOf<Standardize> {
 public:
  static constexpr Entry entry{
      .name = "standardize",
      .class_name = "Standardize",
      .summary =
          "Subtracts every feature's mean and divides by its standard deviation, both learned from the data "
          "and saved with the model. The data are the network's inputs: no layer that changes them may stand "
          "before it.",
      .formula = "y = (x - \\mu)/\\sigma",
      .derivative = "dx = dy/\\sigma",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
