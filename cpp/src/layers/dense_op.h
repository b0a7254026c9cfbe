// What the operations of dense layers share: y = activation(x W + b).
#pragma once

#include <deltarule/engine/bfloat16.h>
#include <deltarule/engine/gemm.h>
#include <deltarule/engine/reduce.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/activation.h>

namespace deltarule::engine {

// Weights beyond this are read from memory once per row tile: then whole-batch tasks are better.
inline constexpr std::ptrdiff_t large_weights = std::ptrdiff_t{2} << 20;  // bytes
inline constexpr std::ptrdiff_t task_rows = 256, task_columns = 256;
// Wider where there are few rows: the weights are then read once, and faster in long runs.
inline constexpr std::ptrdiff_t few_rows = 16, few_rows_columns = 512;

// What it is made of.
template <class T>
struct DenseParts {
  Slot in, pre, out;  // pre: what the activation sees, where its backward pass needs that
  Choice activation;
  Parameter<T> weight, bias;  // a bias without data: none
  bool training;
  std::ptrdiff_t batch_rows;
  Home home;
};

template <class T>
class DenseBase : public Op<T>, public Tangent<T> {
 public:
  explicit DenseBase(const DenseParts<T>& parts)
      : in_(parts.in),
        pre_(parts.pre),
        out_(parts.out),
        choice_(parts.activation),
        activation_(parts.activation),
        w_(parts.weight),
        b_(parts.bias),
        inputs_(in_.columns),
        outputs_(out_.columns),
        home_(parts.home),
        by_tasks_(inputs_ * outputs_ * static_cast<std::ptrdiff_t>(sizeof(T)) > large_weights) {
    // A piece of about 32 KB: its gradient stays in the first two caches until the update is done. Of large
    // batches one of twice as much: more rows share what is read of the output's gradient.
    const bool large_batch = parts.batch_rows >= 512;
    piece_columns_ = std::min<std::ptrdiff_t>(outputs_, large_batch ? 320 : 512);
    const std::ptrdiff_t rows =
        static_cast<std::ptrdiff_t>((large_batch ? 61440 : 32768) / sizeof(T)) / piece_columns_;
    piece_rows_ = std::min(inputs_, std::max<std::ptrdiff_t>(16, rows / 16 * 16));
    if (parts.training && in_.has_gradient() && !by_tasks_)
      transposed_ = Buffer<T>(static_cast<std::size_t>(outputs_ * padded<T>(inputs_)));
  }

  std::string describe() const override {
    std::string text = "dense " + std::to_string(inputs_) + " -> " + std::to_string(outputs_);
    if (b_.data) text += " + bias";
    if (!activation_.none()) text += " + " + activation_.name();
    return text;
  }

  void forward(const Context<T>& c, const Tile& tile) override {
    product_forward(c, tile.begin, tile.rows(), 0, outputs_);
    apply_activation(c, tile);
  }

  void backward(const Context<T>& c, const Tile& tile) override {
    undo_activation(c, tile);
    if (!in_.has_gradient()) return;
    const auto g = gradient_of(c, out_), d = gradient_of(c, in_);
    multiply<T>({.m = tile.rows(),
                 .n = inputs_,
                 .k = outputs_,
                 .a = g.at(tile.begin),
                 .a_row = g.row,
                 .b = transposed_.data(),
                 .b_step = padded<T>(inputs_),
                 .c = d.at(tile.begin),
                 .c_row = d.row},
                c.scratch);
  }

  bool by_tasks() const override { return by_tasks_; }
  void finish_forward(const Context<T>& c, const Tile& tile) override { apply_activation(c, tile); }
  void start_backward(const Context<T>& c, const Tile& tile) override { undo_activation(c, tile); }
  int forward_tasks(std::ptrdiff_t rows) const override {
    return static_cast<int>(pieces(rows, task_rows) * pieces(outputs_, columns_of_task(rows)));
  }
  void forward_task(const Context<T>& c, int task) override {
    const auto [i, rows, j, columns] = area(task, c.rows, outputs_);
    product_forward(c, i, rows, j, columns);
  }
  int backward_tasks(std::ptrdiff_t rows) const override {
    return in_.has_gradient()
               ? static_cast<int>(pieces(rows, task_rows) * pieces(inputs_, columns_of_task(rows)))
               : 0;
  }
  void backward_task(const Context<T>& c, int task) override {
    const auto [i, rows, j, columns] = area(task, c.rows, inputs_);
    const auto g = gradient_of(c, out_), d = gradient_of(c, in_);
    multiply<T>({.m = rows,
                 .n = columns,
                 .k = outputs_,
                 .a = g.at(i),
                 .a_row = g.row,
                 .b = w_.data + j * outputs_,
                 .b_step = 1,
                 .b_column = outputs_,
                 .c = d.at(i) + j,
                 .c_row = d.row},
                c.scratch);
  }

  // R(xW + b) = R(x) W + x V + c for the direction (V, c), then through the activation.
  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    output_tangent(choice_, c.rows, outputs_, linear(c, t), value_of(c, out_), t.value(out_));
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    const auto [dz, rdz] = gradient_before(choice_, c.rows, outputs_, linear(c, t), value_of(c, out_),
                                           t.value(out_), gradient_of(c, out_), t.gradient(out_));
    weight_product(c, t, dz.view, rdz.view);
    if (b_.data)
      for (std::ptrdiff_t i = 0; i < c.rows; ++i)
        for (std::ptrdiff_t j = 0; j < outputs_; ++j) t.product[b_.offset + j] += rdz.view.at(i)[j];
    if (!in_.has_gradient()) return;
    const View<T> target = t.gradient(in_);  // R(dz) W^T + dz V^T
    Buffer<T> own;
    const T* v = weight_direction(t, own);
    for (const bool first : {true, false})
      simple({.m = c.rows,
              .n = inputs_,
              .k = outputs_,
              .a = first ? rdz.view.data : dz.view.data,
              .a_row = dz.view.row,
              .b = first ? w_.data : v,
              .b_step = 1,
              .b_column = outputs_,
              .c = target.data,
              .c_row = target.row,
              .start = first ? Start::zero : Start::accumulate});
  }

  int weight_tasks() const override { return static_cast<int>(row_pieces() * column_pieces()); }
  void weight_task(const Context<T>& c, int task) override {
    // Neighbours in number share what they read of the output's gradient.
    const std::ptrdiff_t i = task % row_pieces() * piece_rows_, j = task / row_pieces() * piece_columns_;
    const std::ptrdiff_t rows = std::min(piece_rows_, inputs_ - i),
                         columns = std::min(piece_columns_, outputs_ - j);
    const auto x = value_of(c, in_), g = gradient_of(c, out_);
    const Update<T>& update = *c.update;
    T* target = update.fused ? c.scratch : update.gradients + w_.offset + i * outputs_ + j;
    const std::ptrdiff_t target_row = update.fused ? columns : outputs_;
    T* workspace = c.scratch + (update.fused ? piece_size() : 0);
    const auto memory = update.memory(w_.offset + i * outputs_ + j);
    multiply<T>({.m = rows,
                 .n = columns,
                 .k = c.rows,
                 .a = x.data + i,
                 .a_row = 1,
                 .a_step = x.row,
                 .b = g.data + j,
                 .b_step = g.row,
                 .c = target,
                 .c_row = target_row,
                 .zeros_win = true,  // what is not finite shows in the other rows
                 .next = memory.all(),
                 .next_row = outputs_},
                workspace);
    if (update.fused) {
      if (!update.apply(w_.offset + i * outputs_ + j, rows, columns, outputs_, target, target_row))
        update.fail(this->number);
      transpose_piece(i, rows, j, columns);
    }
    if (i == 0 && b_.data) {
      T* sums = update.fused ? c.scratch : update.gradients + b_.offset + j;
      column_sums<T>(c.rows, columns, sums,
                     [&](std::ptrdiff_t r, auto span) { return span.load(g.at(r) + j); });
      if (update.fused && !update.apply(b_.offset + j, 1, columns, columns, sums, columns))
        update.fail(this->number);
    }
  }

  int refresh_tasks() const override { return transposed_.size() > 0 ? static_cast<int>(row_pieces()) : 0; }
  void refresh_task(int task) override {
    const std::ptrdiff_t i = task * piece_rows_;
    transpose_piece(i, std::min(piece_rows_, inputs_ - i), 0, outputs_);
  }

  std::size_t scratch_size(std::ptrdiff_t rows) const override {
    return piece_size() +
           std::max({workspace_size<T>(rows, outputs_, inputs_), workspace_size<T>(rows, inputs_, outputs_),
                     workspace_size<T>(piece_rows_, piece_columns_, rows)});
  }
  Work work() const override {
    const double product = 2 * static_cast<double>(inputs_) * static_cast<double>(outputs_);
    return {product, in_.has_gradient() ? product : 0, product};
  }

 protected:
  // The direction as seen by the product x W, and where what comes of it goes; `own` is memory for it.
  [[gnu::cold]] virtual const T* weight_direction(const Tangents<T>& t, Buffer<T>& /*own*/) const {
    return t.direction + w_.offset;
  }
  [[gnu::cold]] virtual void weight_product(const Context<T>& c, const Tangents<T>& t, View<T> dz,
                                            View<T> rdz) const {
    add_transposed_product(c.rows, t.value(in_), dz, Start::zero, t.product + w_.offset);
    add_transposed_product(c.rows, value_of(c, in_), rdz, Start::accumulate, t.product + w_.offset);
  }
  // a^T b, over the rows of the batch
  void add_transposed_product(std::ptrdiff_t rows, View<T> a, View<T> b, Start start, T* out) const {
    simple({.m = inputs_,
            .n = outputs_,
            .k = rows,
            .a = a.data,
            .a_row = 1,
            .a_step = a.row,
            .b = b.data,
            .b_step = b.row,
            .c = out,
            .c_row = outputs_,
            .start = start});
  }

  static void simple(const Product<T>& product) {
    Buffer<T> workspace(workspace_size<T>(product.m, product.n, product.k));
    multiply(product, workspace.data());
  }
  WithTangent<T> linear(const Context<T>& c, const Tangents<T>& t) const {
    WithTangent<T> z{Matrix<T>(c.rows, outputs_), Matrix<T>(c.rows, outputs_)};
    const auto add = [&](View<T> a, const T* b, View<T> to, Start start) {
      simple({.m = c.rows,
              .n = outputs_,
              .k = inputs_,
              .a = a.data,
              .a_row = a.row,
              .b = b,
              .b_step = outputs_,
              .c = to.data,
              .c_row = to.row,
              .start = start,
              .bias = b_.data});
    };
    const View<T> x = value_of(c, in_), rx = t.value(in_);
    add(x, w_.data, z.own.view, b_.data ? Start::bias : Start::zero);
    add(rx, w_.data, z.tangent.view, Start::zero);
    Buffer<T> own;
    add(x, weight_direction(t, own), z.tangent.view, Start::accumulate);
    if (b_.data)
      for (std::ptrdiff_t i = 0; i < c.rows; ++i)
        for (std::ptrdiff_t j = 0; j < outputs_; ++j) z.tangent.view.at(i)[j] += t.direction[b_.offset + j];
    return z;
  }
  struct Area {
    std::ptrdiff_t i, rows, j, columns;
  };
  static std::ptrdiff_t columns_of_task(std::ptrdiff_t rows) {
    return rows <= few_rows ? few_rows_columns : task_columns;
  }
  static Area area(int task, std::ptrdiff_t rows, std::ptrdiff_t columns) {
    const std::ptrdiff_t down = pieces(rows, task_rows);  // neighbours in number share columns, hence weights
    const std::ptrdiff_t width = columns_of_task(rows);
    const std::ptrdiff_t i = task % down * task_rows, j = task / down * width;
    return {i, std::min(task_rows, rows - i), j, std::min(width, columns - j)};
  }
  std::ptrdiff_t row_pieces() const { return pieces(inputs_, piece_rows_); }
  std::ptrdiff_t column_pieces() const { return pieces(outputs_, piece_columns_); }
  std::size_t piece_size() const {
    return static_cast<std::size_t>(piece_rows_ * piece_columns_ +
                                    static_cast<std::ptrdiff_t>(alignment / sizeof(T))) /
               16 * 16 +
           16;
  }

  void product_forward(const Context<T>& c, std::ptrdiff_t i, std::ptrdiff_t rows, std::ptrdiff_t j,
                       std::ptrdiff_t columns) const {
    const auto x = value_of(c, in_), z = value_of(c, pre_);
    if constexpr (std::is_same_v<T, float>)
      if (rounded_)
        return multiply({.m = rows,
                         .first = j,
                         .n = columns,
                         .a = x.at(i),
                         .a_row = x.row,
                         .b = rounded_,
                         .c = z.at(i) + j,
                         .c_row = z.row,
                         .bias = b_.data ? b_.data + j : nullptr,
                         .relu = activation_.is_relu()},
                        c.scratch);
    multiply<T>({.m = rows,
                 .n = columns,
                 .k = inputs_,
                 .a = x.at(i),
                 .a_row = x.row,
                 .b = w_.data + j,
                 .b_step = outputs_,
                 .c = z.at(i) + j,
                 .c_row = z.row,
                 .start = b_.data ? Start::bias : Start::zero,
                 .bias = b_.data ? b_.data + j : nullptr,
                 .relu = activation_.is_relu(),
                 .home = home_,
                 .zeros_win = true},  // weights are finite
                c.scratch);
  }
  void apply_activation(const Context<T>& c, const Tile& tile) const {
    if (activation_.none() || activation_.is_relu()) return;
    const auto z = value_of(c, pre_), y = value_of(c, out_);
    activation_.forward(tile.rows(), outputs_, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row});
  }
  void undo_activation(const Context<T>& c, const Tile& tile) const {
    if (activation_.none()) return;
    const auto z = value_of(c, pre_), y = value_of(c, out_), g = gradient_of(c, out_);
    activation_.backward(tile.rows(), outputs_, {z.at(tile.begin), z.row}, {y.at(tile.begin), y.row},
                         {g.at(tile.begin), g.row});
  }
  void transpose_piece(std::ptrdiff_t i, std::ptrdiff_t rows, std::ptrdiff_t j, std::ptrdiff_t columns) {
    if (transposed_.size() == 0) return;
    transpose<T>(rows, columns, w_.data + i * outputs_ + j, outputs_,
                 transposed_.data() + j * padded<T>(inputs_) + i, padded<T>(inputs_));
  }
  Slot in_, pre_, out_;
  Choice choice_;
  AppliedActivation<T> activation_;
  Parameter<T> w_, b_;
  std::ptrdiff_t inputs_, outputs_;
  Home home_;
  bool by_tasks_;
  std::ptrdiff_t piece_rows_ = 0, piece_columns_ = 0;
  const Bfloat16Matrix* rounded_ = nullptr;  // the weights, where inference uses such
  Buffer<T> transposed_;                     // W^T, for the gradient of the input; kept with the weights
};

extern template class DenseBase<float>;
extern template class DenseBase<double>;

}  // namespace deltarule::engine
