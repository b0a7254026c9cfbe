// Layers made of other layers.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

// Chains of layers that all read this layer's input.
class Composite : public Layer {
 public:
  Composite(const Entry& entry, const LayerSpec& spec);
  Composite(const Composite& other);
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  std::vector<Tensor> tensors() const override;
  LayerSpec spec() const override;
  std::span<const Chain> inside() const override { return chains_; }

 protected:
  // Output width for those of the chains; throws std::invalid_argument when they do not fit together.
  virtual std::ptrdiff_t merged_width(std::ptrdiff_t input_width,
                                      std::span<const std::ptrdiff_t> widths) const = 0;

 private:
  std::vector<Chain> chains_;
};

class Residual : public LayerOf<Residual, Composite> {
 public:
  static constexpr Entry entry{
      .name = "residual",
      .class_name = "Residual",
      .summary = "Adds its input to the output of a block of layers, which must be as wide.",
      .formula = "y = x + F(x)",
      .derivative = "dx = dy + F'(x)^T dy",
      .inner = {Inside::layers, "block", "the layers F, one after the other; as many outputs as inputs"},
      .source = "He et al. 2016",
  };
  using LayerOf::LayerOf;
  Shape output_shape() const override { return input_shape(); }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 protected:
  std::ptrdiff_t merged_width(std::ptrdiff_t input_width,
                              std::span<const std::ptrdiff_t> widths) const override;
};

class Branches : public LayerOf<Branches, Composite> {
 public:
  static constexpr Param parameters[] = {
      {.name = "merge",
       .kind = Kind::choice,
       .choices = "sum|concat|mean",
       .meaning = "add the outputs, put them side by side in order, or average them; sum and mean need equal "
                  "widths"},
  };
  static constexpr Entry entry{
      .name = "branches",
      .class_name = "Branches",
      .summary = "Runs several chains of layers on the same input and merges their outputs.",
      .formula =
          "\\text{sum: } y = \\sum_{k=1}^{K} F_k(x),\\quad \\text{mean: } y = \\tfrac1K \\sum_k "
          "F_k(x),\\quad "
          "\\text{concat: } y = [F_1(x), \\ldots, F_K(x)]",
      .derivative = "dx = \\sum_k F_k'(x)^T dy_k,\\; dy_k = dy,\\; dy/K \\text{ or its own columns of } dy",
      .parameters = parameters,
      .inner = {Inside::branches, "branches",
                "the chains, each a list of layers; an empty one passes its input through"},
      .source = "Szegedy et al. 2015",
  };
  using LayerOf::LayerOf;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 protected:
  std::ptrdiff_t merged_width(std::ptrdiff_t input_width,
                              std::span<const std::ptrdiff_t> widths) const override;
};

// Short forms for descriptions written in C++; merge is "sum", "concat" or "mean".
LayerSpec residual(std::vector<LayerSpec> block);
LayerSpec branches(std::vector<std::vector<LayerSpec>> chains, const std::string& merge = "sum");

}  // namespace deltarule
