#include <deltarule/custom.h>
#include <deltarule/elementwise.h>
#include <deltarule/engine/tangent.h>
#include <deltarule/layers/activation.h>
#include <deltarule/row_op_kernel.h>
#include <algorithm>

namespace deltarule::engine {

template <class T>
void activation_tangent(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns, View<T> x,
                        View<T> y, View<T> tangent) {
  if (activation.family == Family::row_op) {
    const auto& kernel = row_op_kernel<T>(activation.index);
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      kernel.tangent(static_cast<std::size_t>(columns), x.at(i), y.at(i), tangent.at(i), tangent.at(i));
    return;
  }
  // The derivative of every element: backward is forward.
  AppliedActivation<T>(activation).backward(rows, columns, x, y, tangent);
}

template <class T>
void activation_tangent_backward(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                                 View<T> x, View<T> rx, View<T> y, View<T> ry, View<T> dy, View<T> tangent) {
  const AppliedActivation<T> applied(activation);
  if (applied.none()) return;
  if (custom::is_custom(activation.index))
    throw std::invalid_argument("activation '" + std::string(activation.entry->name) +
                                "' has no second derivative: no exact Hessian-vector products");
  if (activation.family != Family::row_op) {
    applied.backward(rows, columns, x, y, tangent);
    const auto second = activation_kernel<T>(activation.index).second;
    for (std::ptrdiff_t i = 0; i < rows; ++i)
      for (std::ptrdiff_t j = 0; j < columns; ++j)
        if (rx.at(i)[j] != 0 && dy.at(i)[j] != 0)
          tangent.at(i)[j] += dy.at(i)[j] * rx.at(i)[j] *
                              static_cast<T>(second(activation.values, static_cast<double>(x.at(i)[j])));
    return;
  }
  const auto& kernel = row_op_kernel<T>(activation.index);
  for (std::ptrdiff_t i = 0; i < rows; ++i)
    kernel.tangent_backward(static_cast<std::size_t>(columns), x.at(i), rx.at(i), y.at(i), ry.at(i), dy.at(i),
                            tangent.at(i), tangent.at(i));
}

template <class T>
void output_tangent(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                    const WithTangent<T>& z, View<T> y, View<T> ry) {
  for (std::ptrdiff_t i = 0; i < rows; ++i) std::copy_n(z.tangent.view.at(i), columns, ry.at(i));
  if (!AppliedActivation<T>(activation).none())
    activation_tangent(activation, rows, columns, z.own.view, y, ry);
}

template <class T>
WithTangent<T> gradient_before(const Choice& activation, std::ptrdiff_t rows, std::ptrdiff_t columns,
                               const WithTangent<T>& z, View<T> y, View<T> ry, View<T> dy, View<T> rdy) {
  WithTangent<T> dz{Matrix<T>(rows, columns), Matrix<T>(rows, columns)};
  for (std::ptrdiff_t i = 0; i < rows; ++i) {
    std::copy_n(dy.at(i), columns, dz.own.view.at(i));
    std::copy_n(rdy.at(i), columns, dz.tangent.view.at(i));
  }
  activation_tangent_backward(activation, rows, columns, z.own.view, z.tangent.view, y, ry, dy,
                              dz.tangent.view);
  AppliedActivation<T>(activation).backward(rows, columns, z.own.view, y, dz.own.view);
  return dz;
}

template void output_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, const WithTangent<float>&,
                             View<float>, View<float>);
template void output_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, const WithTangent<double>&,
                             View<double>, View<double>);
template WithTangent<float> gradient_before(const Choice&, std::ptrdiff_t, std::ptrdiff_t,
                                            const WithTangent<float>&, View<float>, View<float>, View<float>,
                                            View<float>);
template WithTangent<double> gradient_before(const Choice&, std::ptrdiff_t, std::ptrdiff_t,
                                             const WithTangent<double>&, View<double>, View<double>,
                                             View<double>, View<double>);
template void activation_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<float>, View<float>,
                                 View<float>);
template void activation_tangent(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<double>, View<double>,
                                 View<double>);
template void activation_tangent_backward(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<float>,
                                          View<float>, View<float>, View<float>, View<float>, View<float>);
template void activation_tangent_backward(const Choice&, std::ptrdiff_t, std::ptrdiff_t, View<double>,
                                          View<double>, View<double>, View<double>, View<double>,
                                          View<double>);

}  // namespace deltarule::engine
