// The dense layer: y = activation(x W + b).
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

namespace engine {
template <class T>
struct DenseParts;
}

class Dense : public LayerOf<Dense> {
 public:
  static constexpr Param parameters[] = {
      {.name = "units", .value = 1, .low = 1, .high = 16777216, .kind = Kind::integer, .meaning = "outputs"},
      {.name = "use_bias",
       .value = 1,
       .kind = Kind::boolean,
       .meaning = "add a learned bias to every output"},
  };
  static constexpr Part parts[] = {
      {"activation", Family::activation, "", "applied to the outputs"},
      {"initializer", Family::initializer, "auto",
       "of the weights; auto looks at the activation that follows"},
      {"bias_initializer", Family::initializer, "zeros", "of the bias"},
  };
  static constexpr Entry entry{
      .name = "dense",
      .class_name = "Dense",
      .summary = "Fully connected layer.",
      .formula = "y = f(x W + b)",
      .derivative = "dW = x^T dz,\\; db = \\sum_i dz_i,\\; dx = dz\\, W^T,\\; dz = dy \\odot f'",
      .parameters = parameters,
      .parts = parts,
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  std::vector<Tensor> tensors() const override;
  bool makes_columns() const override { return true; }
  // Makes the buffers of its operation and finds its arrays, whose names begin with `prefix`.
  template <class T>
  engine::DenseParts<T> prepare(engine::Lowering<T>& lowering, const std::string& prefix = {}) const;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
