#include <deltarule/row_ops.h>

#include <deltarule/engine/gemm.h>

namespace deltarule {
namespace {

template <class Op, class T>
void forward_rows(const Values& values, std::size_t rows, std::size_t n, const T* x, std::ptrdiff_t x_row,
                  T* y, std::ptrdiff_t y_row) {
  std::size_t i = 0;
  if constexpr (requires(T* block) { Op::template forward_columns<T>(n, block); }) {
    constexpr std::size_t width = simd::Pack<T>::width;
    constexpr auto side = static_cast<std::ptrdiff_t>(width);
    const auto columns = static_cast<std::ptrdiff_t>(n);
    alignas(64) T block[simd::most_columns * width];
    if (n >= 2 && n <= simd::most_columns)
      for (; i + width <= rows; i += width, x += side * x_row, y += side * y_row) {
        engine::transpose<T>(side, columns, x, x_row, block, side);
        Op::template forward_columns<T>(n, block);
        engine::transpose<T>(columns, side, block, side, y, y_row);
      }
  }
  for (; i < rows; ++i, x += x_row, y += y_row) Op::template forward<T>(values, n, x, y);
}

template <class Op>
constexpr std::size_t inputs_per_output = [] {
  if constexpr (requires { Op::inputs_per_output; })
    return Op::inputs_per_output;
  else
    return std::size_t{1};
}();

template <class T>
constexpr auto table = []<class... Ops>(List<Ops...>) {
  return std::array{RowOpKernel<T>{&Ops::template forward<T>, &forward_rows<Ops, T>,
                                   &Ops::template backward<T>, &Ops::template tangent<T>,
                                   &Ops::template tangent_backward<T>, inputs_per_output<Ops>}...};
}(RowOps{});

}  // namespace

template <>
const RowOpKernel<float>& row_op_kernel(int index) {
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const RowOpKernel<double>& row_op_kernel(int index) {
  return table<double>[static_cast<std::size_t>(index)];
}

std::size_t row_op_width(int index, std::size_t width, const std::string& operation) {
  const std::size_t parts = row_op_kernel<float>(index).inputs_per_output;
  if (width % parts != 0)
    throw std::invalid_argument(operation + ": '" +
                                std::string(RowOps::entries[static_cast<std::size_t>(index)]->name) +
                                "' splits the last axis into halves; its width " + std::to_string(width) +
                                " is not allowed; allowed: even numbers");
  return width / parts;
}

}  // namespace deltarule
