#include <deltarule/custom.h>
#include <deltarule/engine/arena.h>
#include <deltarule/optimizers.h>
#include <deltarule/simd/span.h>
#include <deltarule/update_kernel.h>
#include <vector>

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
  if constexpr (Rule::entry.reach == Reach::element || Rule::entry.reach == Reach::layer)
    return &update<Rule, T>;
  else
    return nullptr;
}

template <class Rule>
constexpr int exchanged() {
  if constexpr (requires { Rule::exchanged; })
    return Rule::exchanged;
  else
    return -1;
}

template <class Rule, class T>
constexpr TensorKernel<T> whole{&Rule::passes, &Rule::tasks, &Rule::template cost<T>, &Rule::template run<T>};

template <class Rule, class T>
constexpr const TensorKernel<T>* whole_of() {
  if constexpr (Rule::entry.reach == Reach::tensor)
    return &whole<Rule, T>;
  else
    return nullptr;
}

template <class T>
constexpr auto table = []<class... Rules>(List<Rules...>) {
  return std::array{UpdateKernel<T>{&Rules::states_used, prepare_of<Rules>(), update_of<Rules, T>(),
                                    exchanged<Rules>(), whole_of<Rules, T>()}...};
}(Optimizers{});

// A rule from outside the catalogue is run by the trainer; it has no states of ours.
template <class T>
constexpr UpdateKernel<T> outside{[](const Values&) { return 0; },
                                  [](const Values& values, double, double) { return values; }, nullptr, -1,
                                  nullptr};

}  // namespace

template <class T>
bool update_whole(const TensorKernel<T>& kernel, const Values& values, const Values& constants,
                  UpdateTensor<T> tensor) {
  const TensorCost cost = kernel.cost(values, tensor.shape);
  engine::Buffer<T> scratch(cost.scratch), workspace(cost.workspace);
  std::vector<double> sums(cost.sums);
  tensor.scratch = scratch.data();
  tensor.sums = sums.data();
  bool finite = true;
  for (int pass = 0; pass < kernel.passes(values); ++pass)
    for (int task = 0; task < kernel.tasks(tensor.shape, pass); ++task)
      finite = kernel.run(values, constants, tensor, pass, task, workspace.data()) && finite;
  return finite;
}
template bool update_whole(const TensorKernel<float>&, const Values&, const Values&, UpdateTensor<float>);
template bool update_whole(const TensorKernel<double>&, const Values&, const Values&, UpdateTensor<double>);

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
