// The R-operator (Pearlmutter 1994): how everything changes along a direction of the parameters.
#pragma once

#include <deltarule/engine/op.h>

namespace deltarule::engine {

// Tangents of the context's buffers, by the same numbers; whole batches, on one thread.
template <class T>
struct Tangents {
  std::span<const View<T>> values, gradients;
  const T* direction = nullptr;  // laid out as the parameters
  T* product = nullptr;          // Hessian times direction, laid out alike

  View<T> value(const auto& slot) const { return values[static_cast<std::size_t>(slot.value)]; }
  View<T> gradient(const auto& slot) const { return gradients[static_cast<std::size_t>(slot.gradient)]; }
};

// The tangent of an activation, in place: from that of its input to that of its output.
template <class T>
void activation_tangent(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x,
                        View<T> y, View<T> tangent);
// The tangent of the gradient, in place: from that of dy to that of dx. rx, ry: tangents of x and y.
template <class T>
void activation_tangent_backward(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                                 View<T> x, View<T> rx, View<T> y, View<T> ry, View<T> dy, View<T> tangent);

// Rows of padded columns with memory of their own.
template <class T>
struct Matrix {
  Matrix(std::ptrdiff_t rows, std::ptrdiff_t columns)
      : memory(static_cast<std::size_t>(rows * padded<T>(columns))),
        view{memory.data(), padded<T>(columns)} {}
  Buffer<T> memory;
  View<T> view;
};
// A value or gradient and its tangent.
template <class T>
struct WithTangent {
  Matrix<T> own, tangent;
};
// For an operation that is linear up to its activation: z is what the activation sees (training keeps neither
// where the activation does not need it). The tangent of the output, and dz with its tangent.
template <class T>
void output_tangent(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                    const WithTangent<T>& z, View<T> y, View<T> ry);
template <class T>
WithTangent<T> gradient_before(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                               const WithTangent<T>& z, View<T> y, View<T> ry, View<T> dy, View<T> rdy);

// What an operation has to offer beside Op for exact Hessian-vector products.
template <class T>
class Tangent {
 public:
  virtual ~Tangent() = default;
  // After all of forward: the tangent of what it wrote.
  virtual void tangent_forward(const Context<T>& context, const Tangents<T>& tangents) = 0;
  // Just before this operation's backward: the tangents of the input's gradient and of the parameters'
  // gradients.
  virtual void tangent_backward(const Context<T>& context, const Tangents<T>& tangents) = 0;
};

}  // namespace deltarule::engine
