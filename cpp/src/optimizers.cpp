#include <deltarule/custom.h>
#include <deltarule/optimizers.h>
#include <deltarule/simd/span.h>
#include <deltarule/update_kernel.h>

namespace deltarule {
namespace {

template <class Rule, int N, class T>
bool update_states(const Values& constants, const UpdateBlock<T>& in) {
  using P = simd::Pack<T>;
  Broadcast<P> c;
  for (std::size_t i = 0; i < c.size(); ++i) c[i] = P(static_cast<T>(constants[i]));
  UpdateBlock<T> block = in;
  const bool flat = block.columns == block.weight_row && block.columns == block.gradient_row;
  if (flat) {
    block.columns *= block.rows;
    block.rows = 1;
  }
  const P limit(std::numeric_limits<T>::infinity());
  typename P::Mask finite = limit == limit;
  for (std::ptrdiff_t r = 0; r < block.rows; ++r) {
    const T* g = block.gradient + r * block.gradient_row;
    T* w = block.weight + r * block.weight_row;
    simd::each<T>(static_cast<std::size_t>(block.columns), [&](auto span) {
      std::array<P, N> s;
      for (int k = 0; k < N; ++k)
        s[static_cast<std::size_t>(k)] =
            span.load(block.state[static_cast<std::size_t>(k)] + r * block.weight_row);
      P weight = span.load(w);
      Rule::template update<N>(c, span.load(g), weight, s);
      finite &= simd::abs(span.only(weight, T(0))) < limit;
      span.store(w, weight);
      for (int k = 0; k < N; ++k)
        span.store(block.state[static_cast<std::size_t>(k)] + r * block.weight_row,
                   s[static_cast<std::size_t>(k)]);
    });
  }
  return !simd::any<P>(~finite);
}

template <class Rule, class T>
bool update(const Values& constants, int states, const UpdateBlock<T>& block) {
  return [&]<std::size_t... N>(std::index_sequence<N...>) {
    bool finite = true;
    constexpr int first = Rule::min_states;
    ((first + static_cast<int>(N) == states
          ? void(finite = update_states<Rule, first + static_cast<int>(N), T>(constants, block))
          : void()),
     ...);
    return finite;
  }(std::make_index_sequence<Rule::max_states - Rule::min_states + 1>{});
}

template <class Rule>
constexpr auto prepare_of() -> decltype(UpdateKernel<float>::prepare) {
  if constexpr (Rule::entry.reach == Reach::network)
    return [](const Values&, double, double) { return Values{}; };
  else
    return &Rule::prepare;
}

template <class Rule, class T>
constexpr auto update_of() -> decltype(UpdateKernel<T>::update) {
  if constexpr (Rule::entry.reach == Reach::network)
    return nullptr;
  else
    return &update<Rule, T>;
}

template <class Rule>
constexpr int exchanged() {
  if constexpr (requires { Rule::exchanged; })
    return Rule::exchanged;
  else
    return -1;
}

template <class T>
constexpr auto table = []<class... Rules>(List<Rules...>) {
  return std::array{UpdateKernel<T>{&Rules::states_used, prepare_of<Rules>(), update_of<Rules, T>(),
                                    exchanged<Rules>()}...};
}(Optimizers{});

// A rule from outside the catalogue is run by the trainer; it has no states of ours.
template <class T>
constexpr UpdateKernel<T> outside{[](const Values&) { return 0; },
                                  [](const Values& values, double, double) { return values; }, nullptr, -1};

}  // namespace

template <>
const UpdateKernel<float>& update_kernel(int index) {
  if (custom::is_custom(index)) return outside<float>;
  return table<float>[static_cast<std::size_t>(index)];
}
template <>
const UpdateKernel<double>& update_kernel(int index) {
  if (custom::is_custom(index)) return outside<double>;
  return table<double>[static_cast<std::size_t>(index)];
}

}  // namespace deltarule
