#include <deltarule/engine/tangent.h>
#include <deltarule/layers/embedding.h>
#include <algorithm>
#include <cmath>

#include "columns.h"

namespace deltarule {
namespace engine {
namespace {

// A table's gradient is made in pieces of about this size, so that each stays in the cache until its update.
constexpr std::ptrdiff_t piece_bytes = 32768;

template <class T>
struct Table {
  std::ptrdiff_t column, rows;
  Parameter<T> weight;
};

template <class T>
class EmbeddingOp final : public Op<T>, public Tangent<T> {
 public:
  EmbeddingOp(Slot in, Slot out, OtherColumns others, std::vector<Table<T>> tables, std::ptrdiff_t dimension)
      : in_(in),
        out_(out),
        others_(std::move(others)),
        tables_(std::move(tables)),
        dimension_(dimension),
        piece_rows_(
            std::max<std::ptrdiff_t>(1, piece_bytes / static_cast<std::ptrdiff_t>(sizeof(T)) / dimension)) {}
  std::string describe() const override {
    return "embedding of " + std::to_string(tables_.size()) + " columns, dimension " +
           std::to_string(dimension_);
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    const View<T> x = value_of(c, in_);
    look_up(tile, x, x, value_of(c, out_), [](const Table<T>& table) { return table.weight.data; });
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (in_.has_gradient()) pass(tile, gradient_of(c, out_), gradient_of(c, in_));
  }

  // It is linear in its tables: tangents take the same way.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    look_up({0, c.rows, 0}, value_of(c, in_), t.value(in_), t.value(out_),
            [&](const Table<T>& table) { return t.direction + table.weight.offset; });
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (in_.has_gradient()) pass({0, c.rows, 0}, t.gradient(out_), t.gradient(in_));
    const View<T> x = value_of(c, in_), rdy = t.gradient(out_);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      const T* g = rdy.at(i) + others_.size();
      for (const Table<T>& table : tables_) {
        const std::ptrdiff_t index = index_at(x.at(i)[table.column], table.rows);
        for (std::ptrdiff_t k = 0; index >= 0 && k < dimension_; ++k)
          t.product[table.weight.offset + index * dimension_ + k] += g[k];
        g += dimension_;
      }
    }
  }

  int weight_tasks() const override {
    std::ptrdiff_t tasks = 0;
    for (const Table<T>& table : tables_) tasks += pieces(table);
    return static_cast<int>(tasks);
  }
  // Some neighbouring rows of one table: what the batch's rows add to them, in the order of the batch.
  void weight_task(const Context<T>& c, int task) override {
    std::ptrdiff_t piece = task, at = others_.size();
    std::size_t t = 0;
    for (; piece >= pieces(tables_[t]); ++t, at += dimension_) piece -= pieces(tables_[t]);
    const Table<T>& table = tables_[t];
    const std::ptrdiff_t first = piece * piece_rows_, rows = std::min(piece_rows_, table.rows - first);
    const View<T> x = value_of(c, in_), dy = gradient_of(c, out_);
    std::fill_n(c.scratch, rows * dimension_, T(0));
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) {
      const std::ptrdiff_t index = index_at(x.at(i)[table.column], table.rows) - first;
      if (index < 0 || index >= rows) continue;
      T* const sum = c.scratch + index * dimension_;
      const T* const g = dy.at(i) + at;
      for (std::ptrdiff_t k = 0; k < dimension_; ++k) sum[k] += g[k];
    }
    finish_gradient(*this, *c.update, table.weight.offset + first * dimension_, rows * dimension_, c.scratch);
  }
  std::size_t scratch_size(std::ptrdiff_t) const override {
    return static_cast<std::size_t>(piece_rows_ * dimension_);
  }
  Work work() const override {
    const double read = static_cast<double>(tables_.size()) * static_cast<double>(dimension_);
    return {read, 0, 2 * read};
  }

 private:
  // `others`: what passes through; table_of: the numbers of a table
  template <class F>
  void look_up(const Tile& tile, View<T> x, View<T> others, View<T> y, F table_of) const {
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      others_.take(others.at(i), y.at(i));
      T* out = y.at(i) + others_.size();
      for (const Table<T>& table : tables_) {
        const std::ptrdiff_t index = index_at(x.at(i)[table.column], table.rows);
        if (index < 0)
          std::fill_n(out, dimension_, std::numeric_limits<T>::quiet_NaN());
        else
          std::copy_n(table_of(table) + index * dimension_, dimension_, out);
        out += dimension_;
      }
    }
  }
  void pass(const Tile& tile, View<T> dy, View<T> dx) const {
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i) {
      std::fill_n(dx.at(i), in_.columns, T(0));  // an index has no derivative
      others_.put(dy.at(i), dx.at(i));
    }
  }
  // -1 for what is no index of this table.
  static std::ptrdiff_t index_at(T x, std::ptrdiff_t rows) {
    if (!(x >= T(0) && x < static_cast<T>(rows)) || x != std::floor(x)) return -1;
    return static_cast<std::ptrdiff_t>(x);
  }
  std::ptrdiff_t pieces(const Table<T>& table) const { return (table.rows + piece_rows_ - 1) / piece_rows_; }

  Slot in_, out_;
  OtherColumns others_;
  std::vector<Table<T>> tables_;
  std::ptrdiff_t dimension_, piece_rows_;
};

}  // namespace
}  // namespace engine

Embedding::Embedding(const LayerSpec& spec) : LayerOf(spec) {
  const std::size_t columns = whole_numbers("columns").size(),
                    cardinalities = whole_numbers("cardinalities").size();
  if (columns != cardinalities)
    throw std::invalid_argument("embedding: " + std::to_string(columns) + " columns and " +
                                std::to_string(cardinalities) +
                                " cardinalities were given; every column needs one cardinality");
}

std::ptrdiff_t Embedding::build(std::ptrdiff_t input_width) {
  const auto columns = whole_numbers("columns");
  engine::check_columns("embedding", input_width, columns);
  const auto count = static_cast<std::ptrdiff_t>(columns.size());
  return input_width - count + count * static_cast<std::ptrdiff_t>(value("dimension"));
}

std::vector<Tensor> Embedding::tensors() const {
  const auto columns = whole_numbers("columns"), cardinalities = whole_numbers("cardinalities");
  std::vector<Tensor> list;
  for (std::size_t i = 0; i < columns.size(); ++i)
    list.push_back({.name = "table_" + std::to_string(columns[i]),
                    .rows = cardinalities[i],
                    .columns = static_cast<std::ptrdiff_t>(value("dimension")),
                    .table = true,
                    .initializer = initializer("initializer"),
                    .fans = {value("dimension"), value("dimension")}});
  return list;
}

template <class T>
void Embedding::check_rows(std::ptrdiff_t rows, const T* x, std::ptrdiff_t row) const {
  const auto columns = whole_numbers("columns"), cardinalities = whole_numbers("cardinalities");
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    for (std::size_t k = 0; k < columns.size(); ++k) {
      const double given = static_cast<double>(x[i * row + columns[k]]);
      if (given >= 0 && given < static_cast<double>(cardinalities[k]) && given == std::floor(given)) continue;
      std::string text = std::to_string(given);
      if (text.find('.') != std::string::npos) text.erase(text.find_last_not_of('0') + 1);
      if (text.back() == '.') text.pop_back();
      throw std::invalid_argument("layer '" + name() + "' (embedding): column " + std::to_string(columns[k]) +
                                  " of row " + std::to_string(i) + " holds " + text +
                                  ", which is no index; allowed: the whole numbers 0 to " +
                                  std::to_string(cardinalities[k] - 1));
    }
}
void Embedding::check_input(std::ptrdiff_t rows, const float* x, std::ptrdiff_t row) const {
  check_rows(rows, x, row);
}
void Embedding::check_input(std::ptrdiff_t rows, const double* x, std::ptrdiff_t row) const {
  check_rows(rows, x, row);
}

template <class T>
void Embedding::lower_to(engine::Lowering<T>& lowering) const {
  const auto columns = whole_numbers("columns"), cardinalities = whole_numbers("cardinalities");
  const engine::Slot in = lowering.input;
  std::vector<engine::Table<T>> tables;
  for (std::size_t i = 0; i < columns.size(); ++i)
    tables.push_back(
        {columns[i], cardinalities[i], lowering.parameter("table_" + std::to_string(columns[i]))});
  lowering.now_trainable();
  const engine::Slot out = lowering.new_slot(output_width());
  lowering.add(std::make_unique<engine::EmbeddingOp<T>>(in, out, engine::OtherColumns(in.columns, columns),
                                                        std::move(tables),
                                                        static_cast<std::ptrdiff_t>(value("dimension"))));
  lowering.input = out;
}
template void Embedding::lower_to(engine::Lowering<float>&) const;
template void Embedding::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
