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
      .only_training = true,
      .source = "Srivastava et al. 2014",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

// Keeps mean 0 and variance 1, which SELU networks live on: what is dropped goes to SELU's lower limit, and
// one affine map sets mean and variance right.
class AlphaDropout : public LayerOf<AlphaDropout> {
 public:
  static constexpr double saturation = -1.7580993408473766;  // -lambda alpha of SELU
  static constexpr Param parameters[] = {
      {.name = "rate",
       .value = 0.1,
       .low = 0,
       .high = 1,
       .high_open = true,
       .meaning = "share of the inputs dropped, to the nearest 1/65536"},
  };
  static constexpr Entry entry{
      .name = "alpha_dropout",
      .class_name = "AlphaDropout",
      .summary =
          "Dropout for SELU: inputs dropped while training become SELU's lower limit, and an affine map "
          "keeps "
          "mean 0 and variance 1; passes everything through at inference.",
      .formula =
          "y = a (x \\odot m + \\alpha' (1 - m)) + b,\\; m \\sim \\mathrm{Bernoulli}(q),\\; q = 1 - r,\\; "
          "\\alpha' = -1.7580993408473766,\\; a = (q + \\alpha'^2 q (1 - q))^{-1/2},\\; b = -a (1 - q) "
          "\\alpha'",
      .derivative = "dx = a\\, dy \\odot m",
      .parameters = parameters,
      .only_training = true,
      .source = "Klambauer, Unterthiner, Mayr & Hochreiter 2017",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

class GaussianNoise : public LayerOf<GaussianNoise> {
 public:
  static constexpr Param parameters[] = {
      {.name = "deviation",
       .value = 0.1,
       .low = 0,
       .high_open = true,
       .meaning = "standard deviation of the noise"},
  };
  static constexpr Entry entry{
      .name = "gaussian_noise",
      .class_name = "GaussianNoise",
      .summary = "Adds normally distributed noise while training; passes everything through at inference.",
      .formula = "y = x + \\sigma n,\\; n \\sim N(0, 1)",
      .derivative = "dx = dy",
      .parameters = parameters,
      .only_training = true,
      .source = "Bishop 1995; normal numbers by Box & Muller 1958",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override { return input_width; }
  Shape output_shape() const override { return input_shape(); }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;
};

}  // namespace deltarule
