// EVERY initializer: entry and fill; the list is the last line.
//
// Only + - * / and sqrt, in double and without contraction (see initializers_exact.cpp): the same numbers on
// every platform.
#pragma once

#include <deltarule/catalog.h>
#include <deltarule/engine/philox.h>
#include <cmath>

namespace deltarule {

// M inputs and K outputs of a unit's layer; a matrix of it has M rows and so many columns.
struct Fans {
  double in, out;
  double columns = out;
};

// One counter-based number per element.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t tensor)
      : key_(engine::philox_key(seed, engine::Stream::initialize, tensor)) {}
  double uniform(std::uint64_t element) const;  // on (0, 1)
  double normal(std::uint64_t element) const;   // mean 0, variance 1, by the inverse distribution function
  double truncated_normal(std::uint64_t element) const;  // the same, given that it lies between -2 and 2

 private:
  engine::PhiloxKey key_;
};

template <class Rule>
struct UniformRule {
  static void fill(const Values& p, Fans fans, const Draws& draws, std::span<double> w) {
    const double limit = Rule::limit(p, fans);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = limit * (2 * draws.uniform(i) - 1);
  }
};

template <class Rule>
struct NormalRule {
  static void fill(const Values& p, Fans fans, const Draws& draws, std::span<double> w) {
    const double deviation = Rule::deviation(p, fans);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = deviation * draws.normal(i);
  }
};

struct Zeros {
  static constexpr Entry entry{
      .name = "zeros", .class_name = "Zeros", .summary = "All zero.", .formula = "w = 0"};
  static void fill(const Values&, Fans, const Draws&, std::span<double> w) {
    for (double& x : w) x = 0;
  }
};

struct Ones {
  static constexpr Entry entry{
      .name = "ones", .class_name = "Ones", .summary = "All one.", .formula = "w = 1"};
  static void fill(const Values&, Fans, const Draws&, std::span<double> w) {
    for (double& x : w) x = 1;
  }
};

struct ConstantFill {
  static constexpr Param parameters[] = {
      {.name = "value", .value = 0, .low_open = true, .high_open = true, .meaning = "what every weight is"}};
  static constexpr Entry entry{.name = "constant",
                               .class_name = "ConstantValue",
                               .summary = "All alike.",
                               .formula = "w = c",
                               .parameters = parameters};
  static void fill(const Values& p, Fans, const Draws&, std::span<double> w) {
    for (double& x : w) x = p[0];
  }
};

namespace param {
inline constexpr Param spread(std::string_view name, std::string_view meaning) {
  return {.name = name, .value = 0.05, .low = 0, .high_open = true, .meaning = meaning};
}
}  // namespace param

struct UniformFill : UniformRule<UniformFill> {
  static constexpr Param parameters[] = {param::spread("limit", "largest magnitude")};
  static constexpr Entry entry{.name = "uniform",
                               .class_name = "Uniform",
                               .summary = "Evenly spread around zero.",
                               .formula = "w \\sim U[-\\varepsilon, \\varepsilon]",
                               .parameters = parameters};
  static double limit(const Values& p, Fans) { return p[0]; }
};

struct NormalFill : NormalRule<NormalFill> {
  static constexpr Param parameters[] = {param::spread("deviation", "standard deviation")};
  static constexpr Entry entry{.name = "normal",
                               .class_name = "Normal",
                               .summary = "Normal around zero.",
                               .formula = "w \\sim N(0,\\, \\varepsilon^2)",
                               .parameters = parameters};
  static double deviation(const Values& p, Fans) { return p[0]; }
};

struct TruncatedNormal {
  static constexpr Param parameters[] = {param::spread(
      "deviation", "standard deviation before the tails are cut off; 0.88 times that after it")};
  static constexpr Entry entry{
      .name = "truncated_normal",
      .class_name = "TruncatedNormal",
      .summary = "Normal around zero, without what lies beyond two deviations.",
      .formula = "w \\sim N(0,\\, \\varepsilon^2) \\text{ given } |w| \\le 2\\varepsilon",
      .parameters = parameters};
  static void fill(const Values& p, Fans, const Draws& draws, std::span<double> w) {
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = p[0] * draws.truncated_normal(i);
  }
};

struct XavierUniform : UniformRule<XavierUniform> {
  static constexpr Entry entry{
      .name = "xavier_uniform",
      .class_name = "XavierUniform",
      .summary = "By the number of inputs alone.",
      .formula = "w \\sim U\\left[-1/\\sqrt M, 1/\\sqrt M\\right]",
      .source = "Glorot & Bengio 2010, equation 1: the heuristic they start from",
  };
  static double limit(const Values&, Fans f) { return 1 / std::sqrt(f.in); }
};

struct GlorotUniform : UniformRule<GlorotUniform> {
  static constexpr Entry entry{
      .name = "glorot_uniform",
      .class_name = "GlorotUniform",
      .summary = "Keeps the variance of activations and gradients, for sigmoid, tanh, softmax and identity.",
      .formula = "w \\sim U\\left[-\\sqrt{6/(M+K)}, \\sqrt{6/(M+K)}\\right]",
      .source = "Glorot & Bengio 2010",
  };
  static double limit(const Values&, Fans f) { return std::sqrt(6 / (f.in + f.out)); }
};

struct GlorotNormal : NormalRule<GlorotNormal> {
  static constexpr Entry entry{
      .name = "glorot_normal",
      .class_name = "GlorotNormal",
      .summary = "Normal form of glorot_uniform.",
      .formula = "w \\sim N(0,\\, 2/(M+K))",
      .source = "Glorot & Bengio 2010",
  };
  static double deviation(const Values&, Fans f) { return std::sqrt(2 / (f.in + f.out)); }
};

struct HeUniform : UniformRule<HeUniform> {
  static constexpr Entry entry{
      .name = "he_uniform",
      .class_name = "HeUniform",
      .summary = "Keeps the variance through the ReLU family.",
      .formula = "w \\sim U\\left[-\\sqrt{6/M}, \\sqrt{6/M}\\right]",
      .source = "He et al. 2015",
  };
  static double limit(const Values&, Fans f) { return std::sqrt(6 / f.in); }
};

struct HeNormal : NormalRule<HeNormal> {
  static constexpr Entry entry{
      .name = "he_normal",
      .class_name = "HeNormal",
      .summary = "Normal form of he_uniform.",
      .formula = "w \\sim N(0,\\, 2/M)",
      .source = "He et al. 2015",
  };
  static double deviation(const Values&, Fans f) { return std::sqrt(2 / f.in); }
};

struct LecunUniform : UniformRule<LecunUniform> {
  static constexpr Entry entry{
      .name = "lecun_uniform",
      .class_name = "LecunUniform",
      .summary = "Unit variance of a linear unit; for SELU.",
      .formula = "w \\sim U\\left[-\\sqrt{3/M}, \\sqrt{3/M}\\right]",
      .source = "LeCun et al. 1998; Klambauer et al. 2017",
  };
  static double limit(const Values&, Fans f) { return std::sqrt(3 / f.in); }
};

struct LecunNormal : NormalRule<LecunNormal> {
  static constexpr Entry entry{
      .name = "lecun_normal",
      .class_name = "LecunNormal",
      .summary = "Normal form of lecun_uniform.",
      .formula = "w \\sim N(0,\\, 1/M)",
      .source = "LeCun et al. 1998; Klambauer et al. 2017",
  };
  static double deviation(const Values&, Fans f) { return std::sqrt(1 / f.in); }
};

struct Siren : UniformRule<Siren> {
  static constexpr Param parameters[] = {
      {.name = "omega",
       .value = 30,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "frequency of the sine that follows"},
      {.name = "first", .kind = Kind::boolean, .meaning = "for the first layer of the network"}};
  static constexpr Entry entry{
      .name = "siren",
      .class_name = "Siren",
      .summary = "For layers that a sine of frequency omega follows.",
      .formula =
          "w \\sim U\\left[-\\tfrac1\\omega \\sqrt{6/M}, \\tfrac1\\omega \\sqrt{6/M}\\right]; "
          "\\text{ first layer } U[-1/M, 1/M]",
      .parameters = parameters,
      .source = "Sitzmann et al. 2020, section 3.2",
  };
  static double limit(const Values& p, Fans f) { return p[1] != 0 ? 1 / f.in : std::sqrt(6 / f.in) / p[0]; }
};

// Throws std::invalid_argument for what is no matrix of fans.in x fans.columns.
void fill_orthogonal(std::string_view name, double gain, Fans fans, const Draws& draws, std::span<double> w);

struct Orthogonal {
  static constexpr Param parameters[] = {{.name = "gain",
                                          .value = 1,
                                          .low = 0,
                                          .high_open = true,
                                          .meaning = "length of the orthogonal vectors"}};
  static constexpr Entry entry{
      .name = "orthogonal",
      .class_name = "Orthogonal",
      .summary =
          "Orthogonal rows or columns, whichever are fewer, evenly distributed over all such matrices: "
          "normal "
          "numbers, orthogonalised twice by Gram and Schmidt.",
      .formula = "W^T W = \\text{gain}^2 I \\text{ or } W W^T = \\text{gain}^2 I",
      .parameters = parameters,
      .source = "Saxe, McClelland & Ganguli 2014",
  };
  static void fill(const Values& p, Fans fans, const Draws& draws, std::span<double> w) {
    fill_orthogonal(entry.name, p[0], fans, draws, w);
  }
};

struct LSUV {
  static constexpr Param parameters[] = {{.name = "tolerance",
                                          .value = 0.1,
                                          .low = 0,
                                          .low_open = true,
                                          .high_open = true,
                                          .meaning = "how far from 1 the variance may stay"},
                                         {.name = "max_passes",
                                          .value = 10,
                                          .low = 1,
                                          .high = 1000,
                                          .kind = Kind::integer,
                                          .meaning = "most times a layer is measured and scaled"}};
  static constexpr Entry entry{
      .name = "lsuv",
      .class_name = "LSUV",
      .summary =
          "Layer-sequential unit variance: orthogonal at first; the first data, in fit or adapt, then scale "
          "layer after layer so that what it makes before its activation has variance 1 over up to 512 of "
          "the rows. Weights that are no longer as they were drawn stay. For weights of dense and conv_2d.",
      .formula =
          "W^T W = I \\text{ or } W W^T = I,\\text{ then } "
          "W \\leftarrow W / \\sqrt{\\operatorname{Var}(x W + b)} \\text{ until } "
          "|\\operatorname{Var} - 1| \\le \\text{tolerance}",
      .parameters = parameters,
      .source = "Mishkin & Matas 2016, algorithm 1",
  };
  static void fill(const Values&, Fans fans, const Draws& draws, std::span<double> w) {
    fill_orthogonal(entry.name, 1, fans, draws, w);
  }
};

using Initializers =
    List<Zeros, Ones, ConstantFill, UniformFill, NormalFill, TruncatedNormal, XavierUniform, GlorotUniform,
         GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal, Siren, LSUV>;

// Fills w by initializer `choice`; `tensor` tells parameters of one network apart.
void initialize(const Choice& choice, Fans fans, std::uint64_t seed, std::uint32_t tensor,
                std::span<double> w);

// Lengths of the columns of a matrix with as many columns as there is room in `lengths`.
void column_lengths(const std::vector<double>& matrix, std::span<double> lengths);

// ln(p / (1 - p)) for 0 < p < 1
double logit(double p);

// What "auto" means before this activation; `first` where no layer before has weights.
Spec automatic_initializer(const Choice& activation, bool first);

}  // namespace deltarule
