#include <deltarule/row_ops.h>

namespace deltarule {
namespace {

template <class T>
constexpr auto table = []<class... Ops>(List<Ops...>) {
  return std::array{RowOpKernel<T>{&Ops::template forward<T>, &Ops::template backward<T>}...};
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

}  // namespace deltarule
