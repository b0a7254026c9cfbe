// The kernel layer: what a unit computes with an input is a kernel in place of a product.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class RBF : public LayerOf<RBF> {
 public:
  static constexpr Param parameters[] = {
      {.name = "units", .value = 1, .low = 1, .high = 16777216, .kind = Kind::integer, .meaning = "outputs"},
      {.name = "width",
       .value = 1,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "width of the kernels before they learn"},
      {.name = "use_bias",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "add a learned bias to every output"},
  };
  static constexpr Part parts[] = {
      {"initializer", Family::initializer, "lecun_normal", "of the centres, with a fan-in of 1"},
      {"bias_initializer", Family::initializer, "zeros", "of the bias"},
  };
  static constexpr Entry entry{
      .name = "rbf",
      .class_name = "RBF",
      .summary =
          "Kernel layer: every unit adds up Gaussian kernels between the inputs and its learned centres, "
          "with "
          "a learned width.",
      .formula =
          "y_i = b_i + \\sum_j k(K_{ij}, x_j),\\; k(c, x) = e^{-u^2/2},\\; u = (x - c)/\\sigma_i,\\; "
          "\\sigma_i = \\sigma_0 e^{s_i}",
      .derivative =
          "dx_j = -\\sum_i dy_i\\, k\\, u/\\sigma_i,\\; dK_{ij} = \\sum dy_i\\, k\\, u/\\sigma_i,\\; ds_i = "
          "\\sum "
          "dy_i \\sum_j k\\, u^2",
      .parameters = parameters,
      .parts = parts,
      .source = "Broomhead & Lowe 1988, for single inputs",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t) override { return static_cast<std::ptrdiff_t>(value("units")); }
  std::vector<Tensor> tensors() const override;
  bool makes_columns() const override { return true; }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
