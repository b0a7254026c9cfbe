// A dense layer whose weights are given by length and direction.
#pragma once

#include <deltarule/layers/composite.h>

namespace deltarule {

class WeightNorm : public LayerOf<WeightNorm, Composite> {
 public:
  static constexpr Entry entry{
      .name = "weight_norm",
      .class_name = "WeightNorm",
      .summary =
          "Learns length and direction of every unit's weights apart: the array gain (g) and the weight of "
          "the "
          "dense layer (V). The gains begin as the lengths, so that W begins as V; a V of 0 gives a W of 0.",
      .formula =
          "y = f(x W + b),\\; W_j = g_j\\, V_j/\\lVert V_j \\rVert \\text{ for the column } j \\text{ of "
          "every unit}",
      .derivative =
          "dg_j = \\langle dW_j, V_j \\rangle/\\lVert V_j \\rVert,\\; dV_j = \\frac{g_j}{\\lVert V_j "
          "\\rVert}\\left(dW_j - dg_j\\, V_j/\\lVert V_j \\rVert\\right)",
      .inner = {Inside::layer, "layer", "the dense layer"},
      .source = "Salimans & Kingma 2016",
  };
  explicit WeightNorm(const LayerSpec& spec);
  std::vector<Tensor> tensors() const override;
  Choice activation() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 protected:
  std::ptrdiff_t merged_width(std::ptrdiff_t input_width,
                              std::span<const std::ptrdiff_t> widths) const override;
};

// Short form for descriptions written in C++.
LayerSpec weight_norm(LayerSpec dense);

}  // namespace deltarule
