// An activation as a layer of its own.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class Activation : public LayerOf<Activation> {
 public:
  static constexpr Part parts[] = {{"activation", Family::activation, "relu", "which one"}};
  static constexpr Entry entry{
      .name = "activation",
      .class_name = "Activation",
      .summary = "Applies an activation function; a gated one (glu, swiglu, geglu, reglu) halves the width.",
      .formula = "y = f(x)",
      .derivative = "dx = dy \\odot f'(x)",
      .parts = parts,
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  Shape output_shape() const override { return output_width() == input_width() ? input_shape() : Shape{}; }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

namespace engine {

// One chosen activation, elementwise or on rows, on tiles of padded rows.
template <class T>
class AppliedActivation {
 public:
  explicit AppliedActivation(const Choice& choice) : choice_(choice) {}
  bool none() const { return choice_.index < 0 || choice_.entry->name == "identity"; }
  bool is_relu() const { return choice_.index >= 0 && choice_.entry->name == "relu"; }
  bool backward_reads_input() const {
    return !none() && (choice_.entry->reads == Reads::input || choice_.entry->reads == Reads::both);
  }
  std::string name() const { return std::string(choice_.entry->name); }
  void forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> y) const;
  // Turns dy into dx in place.
  void backward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> y, View<T> gradient) const;

 private:
  Choice choice_;
};

}  // namespace engine
}  // namespace deltarule
