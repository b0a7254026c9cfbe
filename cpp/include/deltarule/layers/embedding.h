// Layers that replace columns by vectors. Columns that are not replaced come first in the output, in their
// order; then the vectors of the chosen columns, in the order in which these were given.
#pragma once

#include <deltarule/layer.h>

namespace deltarule {

class Embedding : public LayerOf<Embedding> {
 public:
  static constexpr double one_column[] = {0};
  static constexpr double two_categories[] = {2};
  static constexpr Param parameters[] = {
      {.name = "columns",
       .low = 0,
       .high = 16777215,
       .kind = Kind::integer_list,
       .meaning = "columns of the input that hold indices, counted from 0",
       .list = one_column,
       .shortest = 1},
      {.name = "cardinalities",
       .low = 1,
       .high = 16777216,
       .kind = Kind::integer_list,
       .meaning = "number of categories of each of these columns; its indices are 0 to one less",
       .list = two_categories,
       .shortest = 1},
      {.name = "dimension",
       .value = 8,
       .low = 1,
       .high = 65536,
       .kind = Kind::integer,
       .meaning = "length of every vector"},
  };
  static constexpr Part parts[] = {
      {"initializer", Family::initializer, "lecun_normal",
       "of the tables, with the dimension as fan-in: the vectors have a length of about 1"},
  };
  static constexpr Entry entry{
      .name = "embedding",
      .class_name = "Embedding",
      .summary =
          "Replaces columns of indices by learned vectors; the other columns come first, unchanged. It reads "
          "the network's input and is its first layer.",
      .formula = "y = (x_{\\text{others}},\\, E_1[x_{c_1}],\\, E_2[x_{c_2}],\\, \\dots)",
      .derivative = "dE_k[i] = \\sum_{n:\\, x_{n c_k} = i} dy_n",
      .parameters = parameters,
      .parts = parts,
      .source = "Guo & Berkhahn 2016",
  };
  explicit Embedding(const LayerSpec& spec);
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  std::vector<Tensor> tensors() const override;
  bool makes_columns() const override { return true; }
  bool must_be_first() const override { return true; }
  void check_input(std::ptrdiff_t rows, const float* x, std::ptrdiff_t row) const override;
  void check_input(std::ptrdiff_t rows, const double* x, std::ptrdiff_t row) const override;
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 private:
  template <class T>
  void check_rows(std::ptrdiff_t rows, const T* x, std::ptrdiff_t row) const;
};

class PeriodicEmbedding : public LayerOf<PeriodicEmbedding> {
 public:
  static constexpr Param parameters[] = {
      {.name = "frequencies",
       .value = 16,
       .low = 1,
       .high = 65536,
       .kind = Kind::integer,
       .meaning = "learned frequencies for every column, each with a sine and a cosine"},
      {.name = "deviation",
       .value = 0.1,
       .low = 0,
       .low_open = true,
       .high_open = true,
       .meaning = "standard deviation of the initial frequencies; worth tuning, 0.01 to 10"},
      {.name = "columns",
       .low = 0,
       .high = 16777215,
       .kind = Kind::integer_list,
       .meaning = "columns of the input that are replaced, counted from 0; none given means all"},
  };
  static constexpr Entry entry{
      .name = "periodic_embedding",
      .class_name = "PeriodicEmbedding",
      .summary =
          "Replaces numerical columns by sines and cosines of learned frequencies; the other columns come "
          "first, unchanged.",
      .formula = "y_j = (\\sin v_j,\\, \\cos v_j),\\; v_{jk} = 2 \\pi c_{jk} x_j",
      .derivative =
          "dv = dy_{\\sin} \\odot \\cos v - dy_{\\cos} \\odot \\sin v,\\; dc_{jk} = 2 \\pi \\sum x_j\\, "
          "dv_{jk},\\; "
          "dx_j = 2 \\pi \\sum_k c_{jk}\\, dv_{jk}",
      .parameters = parameters,
      .source = "Gorishniy, Rubachev & Babenko 2022",
  };
  using LayerOf::LayerOf;
  std::ptrdiff_t build(std::ptrdiff_t input_width) override;
  std::vector<Tensor> tensors() const override;
  bool makes_columns() const override { return true; }
  void to_c(CWriter& writer) const override;
  template <class T>
  void lower_to(engine::Lowering<T>& lowering) const;

 private:
  std::vector<std::ptrdiff_t> chosen(std::ptrdiff_t input_width) const;
  std::ptrdiff_t count_of(std::ptrdiff_t input_width) const;  // how many, before memory is taken for them
};

}  // namespace deltarule
