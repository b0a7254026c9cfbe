#include <deltarule/activations.h>
#include <deltarule/elementwise.h>

namespace deltarule {
namespace {

template <class P>
Broadcast<P> broadcast(const Values& values) {
  Broadcast<P> p;
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = P(static_cast<typename P::Scalar>(values[i]));
  return p;
}

template <class Op, class T>
void forward(const Values& values, std::size_t n, const T* x, T* y) {
  using P = simd::Pack<T>;
  constexpr std::size_t width = P::width;
  const auto p = broadcast<P>(values);
  std::size_t i = 0;
  for (; i + width <= n; i += width) Op::forward(p, P::load(x + i)).store(y + i);
  if (const int rest = static_cast<int>(n - i); rest > 0)
    Op::forward(p, P::load_partial(x + i, rest)).store_partial(y + i, rest);
}

template <class Op, class T>
void backward(const Values& values, std::size_t n, const T* x, const T* y, const T* dy, T* dx) {
  using P = simd::Pack<T>;
  constexpr std::size_t width = P::width;
  constexpr bool reads_x = Op::entry.reads == Reads::input || Op::entry.reads == Reads::both;
  constexpr bool reads_y = Op::entry.reads == Reads::output || Op::entry.reads == Reads::both;
  const auto p = broadcast<P>(values);
  const auto run = [&](std::size_t i, auto load, auto store) {
    P xi = P::zero(), yi = P::zero();
    if constexpr (reads_x) xi = load(x + i);
    if constexpr (reads_y) yi = load(y + i);
    store(Op::backward(p, xi, yi, load(dy + i)), dx + i);
  };
  std::size_t i = 0;
  for (; i + width <= n; i += width)
    run(i, [](const T* q) { return P::load(q); }, [](P v, T* q) { v.store(q); });
  if (const int rest = static_cast<int>(n - i); rest > 0)
    run(
        i, [&](const T* q) { return P::load_partial(q, rest); },
        [&](P v, T* q) { v.store_partial(q, rest); });
}

template <class T>
constexpr auto table = []<class... Ops>(List<Ops...>) {
  return std::array{ActivationKernel<T>{&forward<Ops, T>, &backward<Ops, T>}...};
}(Activations{});

}  // namespace

template <>
const ActivationKernel<float>& activation_kernel<float>(int index) {
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const ActivationKernel<double>& activation_kernel<double>(int index) {
  return table<double>[static_cast<std::size_t>(index)];
}

}  // namespace deltarule
