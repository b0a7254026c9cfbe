#include <deltarule/custom.h>
#include <deltarule/elementwise.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/activation.h>
#include <deltarule/row_op_kernel.h>
#include <algorithm>

#include "../lent_buffer.h"

namespace deltarule {
namespace engine {

namespace {

// A tile without its padding, in one piece: as it lies there, or copied to `room`.
template <class T>
std::span<const T> packed(std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, std::span<T> room) {
  if (x.row == columns || rows == 1) return {x.data, static_cast<std::size_t>(rows * columns)};
  for (std::ptrdiff_t i = 0; i < rows; ++i) std::copy_n(x.at(i), columns, room.data() + i * columns);
  return room;
}

template <class T>
void custom_forward(int index, std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> y) {
  const auto count = static_cast<std::size_t>(rows * columns);
  LentBuffer<T> buffer(2 * count);
  const std::span<T> result = buffer.span().first(count);
  custom::activation<T>(index).forward(packed(rows, columns, x, buffer.span().last(count)), result);
  for (std::ptrdiff_t i = 0; i < rows; ++i) std::copy_n(result.data() + i * columns, columns, y.at(i));
}

template <class T>
void custom_backward(int index, std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> gradient) {
  const auto count = static_cast<std::size_t>(rows * columns);
  LentBuffer<T> buffer(2 * count);
  const std::span<T> slope = buffer.span().first(count);
  custom::activation<T>(index).derivative(packed(rows, columns, x, buffer.span().last(count)), slope);
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    for (std::ptrdiff_t j = 0; j < columns; ++j)
      gradient.at(i)[j] *= slope[static_cast<std::size_t>(i * columns + j)];
}

}  // namespace

template <class T>
void AppliedActivation<T>::forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> y) const {
  if (choice_.family == Family::row_op) {
    row_op_kernel<T>(choice_.index)
        .forward_rows(choice_.values, static_cast<std::size_t>(rows), static_cast<std::size_t>(columns),
                      x.data, x.row, y.data, y.row);
    return;
  }
  if (custom::is_custom(choice_.index)) return custom_forward(choice_.index, rows, columns, x, y);
  const auto& kernel = activation_kernel<T>(choice_.index);
  if (x.row == y.row && x.row < columns + static_cast<std::ptrdiff_t>(alignment / sizeof(T)))
    kernel.forward(choice_.values, static_cast<std::size_t>(rows * x.row), x.data,
                   y.data);  // the padding comes along
  else
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      kernel.forward(choice_.values, static_cast<std::size_t>(columns), x.at(i), y.at(i));
}

template <class T>
void AppliedActivation<T>::backward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x, View<T> y,
                                    View<T> gradient) const {
  if (none()) return;
  if (choice_.family == Family::row_op) {
    const auto& kernel = row_op_kernel<T>(choice_.index);
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      kernel.backward(choice_.values, static_cast<std::size_t>(columns), x.at(i), y.at(i), gradient.at(i),
                      gradient.at(i));
    return;
  }
  if (custom::is_custom(choice_.index)) return custom_backward(choice_.index, rows, columns, x, gradient);
  const auto& kernel = activation_kernel<T>(choice_.index);
  if (x.row == gradient.row && y.row == gradient.row &&
      x.row < columns + static_cast<std::ptrdiff_t>(alignment / sizeof(T)))
    kernel.backward(choice_.values, static_cast<std::size_t>(rows * x.row), x.data, y.data, gradient.data,
                    gradient.data);
  else
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      kernel.backward(choice_.values, static_cast<std::size_t>(columns), x.at(i), y.at(i), gradient.at(i),
                      gradient.at(i));
}

template class AppliedActivation<float>;
template class AppliedActivation<double>;

namespace {

template <class T>
class ActivationOp final : public Op<T>, public Tangent<T> {
 public:
  ActivationOp(const Choice& choice, Slot in, Slot out)
      : choice_(choice), activation_(choice), in_(in), out_(out) {}
  std::string describe() const override { return activation_.name() + " " + std::to_string(in_.columns); }
  void forward(const Context<T>& c, const Tile& tile) override {
    const auto x = value_of(c, in_), y = value_of(c, out_);
    activation_.forward(tile.rows(), in_.columns, {x.at(tile.begin), x.row}, {y.at(tile.begin), y.row});
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!out_.has_gradient()) return;
    const auto x = value_of(c, in_), y = value_of(c, out_);
    const auto g = gradient_of(c, out_);
    activation_.backward(tile.rows(), in_.columns, {x.at(tile.begin), x.row}, {y.at(tile.begin), y.row},
                         {g.at(tile.begin), g.row});
  }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    const View<T> rx = t.value(in_), ry = t.value(out_);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i) std::copy_n(rx.at(i), in_.columns, ry.at(i));
    activation_tangent(choice_, c.rows, in_.columns, value_of(c, in_), value_of(c, out_), ry);
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (!out_.has_gradient()) return;
    activation_tangent_backward(choice_, c.rows, in_.columns, value_of(c, in_), t.value(in_),
                                value_of(c, out_), t.value(out_), gradient_of(c, out_), t.gradient(out_));
  }

 private:
  Choice choice_;
  AppliedActivation<T> activation_;
  Slot in_, out_;
};

// A row operation whose output is narrower than its input: y and the gradient of x have buffers of their own.
template <class T>
class NarrowingOp final : public Op<T>, public Tangent<T> {
 public:
  NarrowingOp(const Choice& choice, Slot in, Slot out) : choice_(choice), in_(in), out_(out) {}
  std::string describe() const override {
    return std::string(choice_.entry->name) + " " + std::to_string(in_.columns) + " -> " +
           std::to_string(out_.columns);
  }
  void forward(const Context<T>& c, const Tile& tile) override {
    const auto x = value_of(c, in_), y = value_of(c, out_);
    row_op_kernel<T>(choice_.index)
        .forward_rows(choice_.values, static_cast<std::size_t>(tile.rows()),
                      static_cast<std::size_t>(in_.columns), x.at(tile.begin), x.row, y.at(tile.begin),
                      y.row);
  }
  void backward(const Context<T>& c, const Tile& tile) override {
    if (!in_.has_gradient()) return;
    const auto x = value_of(c, in_), y = value_of(c, out_);
    const auto dy = gradient_of(c, out_), dx = gradient_of(c, in_);
    const auto& kernel = row_op_kernel<T>(choice_.index);
    for (std::ptrdiff_t i = tile.begin; i < tile.end; ++i)
      kernel.backward(choice_.values, static_cast<std::size_t>(in_.columns), x.at(i), y.at(i), dy.at(i),
                      dx.at(i));
  }

  [[gnu::cold, gnu::noinline]] void tangent_forward(const Context<T>& c, const Tangents<T>& t) override {
    const auto x = value_of(c, in_), y = value_of(c, out_);
    const auto& kernel = row_op_kernel<T>(choice_.index);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      kernel.tangent(static_cast<std::size_t>(in_.columns), x.at(i), y.at(i), t.value(in_).at(i),
                     t.value(out_).at(i));
  }
  [[gnu::cold, gnu::noinline]] void tangent_backward(const Context<T>& c, const Tangents<T>& t) override {
    if (!in_.has_gradient()) return;
    const auto x = value_of(c, in_), y = value_of(c, out_);
    const auto dy = gradient_of(c, out_);
    const auto& kernel = row_op_kernel<T>(choice_.index);
    for (std::ptrdiff_t i = 0; i < c.rows; ++i)
      kernel.tangent_backward(static_cast<std::size_t>(in_.columns), x.at(i), t.value(in_).at(i), y.at(i),
                              t.value(out_).at(i), dy.at(i), t.gradient(out_).at(i), t.gradient(in_).at(i));
  }

 private:
  Choice choice_;
  Slot in_, out_;
};

}  // namespace
}  // namespace engine

std::ptrdiff_t Activation::build(std::ptrdiff_t input_width) {
  const Choice& choice = part("activation");
  if (choice.family != Family::row_op) return input_width;
  return static_cast<std::ptrdiff_t>(
      row_op_width(choice.index, static_cast<std::size_t>(input_width), name()));
}

template <class T>
void Activation::lower_to(engine::Lowering<T>& lowering) const {
  const engine::Slot in = lowering.input;
  const engine::AppliedActivation<T> activation(part("activation"));
  if (activation.none()) return;
  if (output_width() != input_width()) {
    const engine::Slot narrow = lowering.new_slot(output_width());
    lowering.add(std::make_unique<engine::NarrowingOp<T>>(part("activation"), in, narrow));
    lowering.input = narrow;
    return;
  }
  engine::Slot out = lowering.new_value(in);
  lowering.add(std::make_unique<engine::ActivationOp<T>>(part("activation"), in, out));
  lowering.input = out;
}
template void Activation::lower_to(engine::Lowering<float>&) const;
template void Activation::lower_to(engine::Lowering<double>&) const;

}  // namespace deltarule
