#include <deltarule/row_ops.h>

namespace deltarule {
namespace {

template <class Op>
constexpr std::size_t inputs_per_output = [] {
  if constexpr (requires { Op::inputs_per_output; })
    return Op::inputs_per_output;
  else
    return std::size_t{1};
}();

template <class T>
constexpr auto table = []<class... Ops>(List<Ops...>) {
  return std::array{RowOpKernel<T>{&Ops::template forward<T>, &Ops::template backward<T>,
                                   &Ops::template tangent<T>, &Ops::template tangent_backward<T>,
                                   inputs_per_output<Ops>}...};
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
