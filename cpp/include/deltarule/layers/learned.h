// Activations whose parameters train: layers of their own, which a dense layer is followed by.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class LearnedActivation : public Layer {
 public:
  using Layer::Layer;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  Choice activation() const override { return {.entry = &entry()}; }

 protected:
  // One number for every unit, or for all of them together.
  Tensor parameter(std::string name, double initial, bool shared) const;
};

class PReLU : public LayerOf<PReLU, LearnedActivation> {
 public:
  static constexpr Param parameters[] = {
      {.name = "alpha",
       .value = 0.25,
       .low_open = true,
       .high_open = true,
       .meaning = "slope for x <= 0 before it learns"},
      {.name = "shared", .kind = Kind::boolean, .meaning = "one slope for all units instead of one each"},
  };
  static constexpr Entry entry{
      .name = "prelu",
      .class_name = "PReLU",
      .summary = "ReLU with a learned slope for negative inputs, the array alpha.",
      .formula = "y = x \\text{ if } x > 0 \\text{ else } \\alpha x",
      .derivative =
          "dx = dy \\text{ if } x > 0 \\text{ else } \\alpha\\, dy,\\; d\\alpha = \\sum_{x \\le 0} dy\\, x",
      .parameters = parameters,
      .source = "He, Zhang, Ren & Sun 2015",
  };
  using LayerOf::LayerOf;
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

class AdaptiveReLU : public LayerOf<AdaptiveReLU, LearnedActivation> {
 public:
  static constexpr Param parameters[] = {
      {.name = "alpha",
       .value = 0.25,
       .low = 0,
       .high = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "slope for x <= 0 before it learns"},
  };
  static constexpr Entry entry{
      .name = "adaptive_relu",
      .class_name = "AdaptiveReLU",
      .summary =
          "ReLU whose slope for negative inputs depends on the input, in a way that every unit learns: the "
          "arrays steepness (a) and offset (c).",
      .formula = "y_j = \\max(\\alpha_j(x_j)\\, x_j,\\, x_j),\\; \\alpha_j(x) = \\sigma(a_j x + c_j)",
      .derivative =
          "\\text{for } x \\le 0 \\text{: } dx = dy\\, (\\alpha + a x\\, s),\\; da = \\sum dy\\, x^2 s,\\; "
          "dc = \\sum dy\\, x\\, s,\\; s = \\alpha (1 - \\alpha)",
      .parameters = parameters,
      .source = "PReLU (He, Zhang, Ren & Sun 2015) with a gate in place of the slope",
  };
  using LayerOf::LayerOf;
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

class LearnedSwish : public LayerOf<LearnedSwish, LearnedActivation> {
 public:
  static constexpr Param parameters[] = {
      {.name = "beta",
       .value = 1,
       .low_open = true,
       .high_open = true,
       .meaning = "steepness before it learns"},
      {.name = "shared", .kind = Kind::boolean, .meaning = "one beta for all units instead of one each"},
  };
  static constexpr Entry entry{
      .name = "learned_swish",
      .class_name = "LearnedSwish",
      .summary = "Swish with a learned steepness, the array beta.",
      .formula = "y = x\\, \\sigma(\\beta x)",
      .derivative =
          "dx = dy\\, (\\sigma(\\beta x) + \\beta x\\, s),\\; d\\beta = \\sum dy\\, x^2 s,\\; "
          "s = \\sigma(\\beta x)(1 - \\sigma(\\beta x))",
      .parameters = parameters,
      .source = "Ramachandran, Zoph & Le 2017",
  };
  using LayerOf::LayerOf;
  std::vector<Tensor> tensors() const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
