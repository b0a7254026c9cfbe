#include <deltarule/loss_kernel.h>
#include <deltarule/losses.h>

namespace deltarule {
namespace {

template <class Loss, class T>
double row_by_element(const Broadcast<simd::Pack<T>>& p, std::size_t n, const T* y, const T* t, double scale,
                      T* gradient) {
  using P = simd::Pack<T>;
  const double share = Loss::averaged ? 1 / static_cast<double>(n) : 1.0;
  const P factor(static_cast<T>(scale * share));
  const T value = simd::sum<T>(n, [&](auto span) {
    P v, g;
    Loss::element(p, span.load(y), span.load(t), v, g);
    span.store(gradient, factor * g);
    return v;
  });
  return static_cast<double>(value) * share;
}

template <class Loss, class T>
void run(const Values& values, const LossRows<T>& in, double scale, double* value, T* gradient,
         std::ptrdiff_t gradient_row) {
  [[maybe_unused]] Broadcast<simd::Pack<T>> p;
  if constexpr (requires { Loss::averaged; })
    for (std::size_t i = 0; i < p.size(); ++i) p[i] = simd::Pack<T>(static_cast<T>(values[i]));
  for (std::size_t i = 0; i < in.rows; ++i) {
    const auto r = static_cast<std::ptrdiff_t>(i);
    const double weight = in.weight ? static_cast<double>(in.weight[i]) : 1.0;
    const T* y = in.prediction + r * in.prediction_row;
    T* g = gradient + r * gradient_row;
    if constexpr (requires { Loss::averaged; })
      value[i] = row_by_element<Loss, T>(p, in.outputs, y, in.target + r * in.target_row, scale * weight, g);
    else if constexpr (Loss::entry.target == Target::label)
      value[i] = Loss::template row<T>(values, in.outputs, y, in.label[i], scale * weight, g);
    else
      value[i] =
          Loss::template row<T>(values, in.outputs, y, in.target + r * in.target_row, scale * weight, g);
    // A row of weight zero counts as absent, even where its loss is not finite.
    value[i] = weight == 0 ? 0 : weight * value[i];
    if (weight == 0)
      for (std::size_t j = 0; j < in.outputs; ++j) g[j] = 0;
  }
}

template <class Loss>
constexpr bool from_logits = [] {
  if constexpr (requires { Loss::from_logits; })
    return Loss::from_logits;
  else
    return false;
}();

template <class T>
constexpr auto table = []<class... Ls>(List<Ls...>) {
  return std::array{LossKernel<T>{&run<Ls, T>, from_logits<Ls>}...};
}(Losses{});

}  // namespace

template <>
const LossKernel<float>& loss_kernel(int index) {
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const LossKernel<double>& loss_kernel(int index) {
  return table<double>[static_cast<std::size_t>(index)];
}

}  // namespace deltarule
