// Layers that add randomness while training.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class Dropout : public LayerOf<Dropout> {
 public:
  static constexpr Param parameters[] = {
      {.name = "rate",
       .value = 0.5,
       .low = 0,
       .high = 1,
       .high_open = true,
       .meaning = "share of the inputs set to zero, to the nearest 1/65536"},
  };
  static constexpr Entry entry{
      .name = "dropout",
      .class_name = "Dropout",
      .summary =
          "Zeroes inputs at random while training and scales up the rest; passes everything through at "
          "inference.",
      .formula = "y = x \\odot m / (1 - r),\\; m \\sim \\mathrm{Bernoulli}(1 - r)",
      .derivative = "dx = dy \\odot m / (1 - r)",
      .parameters = parameters,
      .source = "Srivastava et al. 2014",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
