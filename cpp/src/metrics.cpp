#include <deltarule/metrics.h>

namespace deltarule {
namespace {

template <class T>
constexpr auto table = []<class... Ms>(List<Ms...>) {
  return std::array{MetricKernel<T>{&Ms::sums, &Ms::template add<T>, &Ms::finish}...};
}(Metrics{});

}  // namespace

template <>
const MetricKernel<float>& metric_kernel(int index) {
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const MetricKernel<double>& metric_kernel(int index) {
  return table<double>[static_cast<std::size_t>(index)];
}

}  // namespace deltarule
