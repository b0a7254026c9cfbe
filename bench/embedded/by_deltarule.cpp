#include <deltarule/deltarule.h>
#include <deltarule/static_network.h>

#include <algorithm>
#include <type_traits>

#include "embedded.h"

namespace {

using namespace deltarule;

std::shared_ptr<const Network<float>> build(const Net& net) {
  NetworkSpec spec{.input_width = net.inputs()};
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    LayerSpec layer{.type = "dense", .settings = {{"units", static_cast<double>(net.layers[i].units)}}};
    if (i + 1 < net.layers.size()) layer.parts = {{"activation", {net.activation}}};
    spec.layers.push_back(layer);
  }
  auto network = std::make_shared<Network<float>>(spec);
  for (std::size_t i = 0; i < net.layers.size(); ++i) {
    const std::string name = "dense_" + std::to_string(i + 1);
    std::ranges::copy(net.layers[i].weight, network->tensor(name + ".weight").begin());
    std::ranges::copy(net.layers[i].bias, network->tensor(name + ".bias").begin());
  }
  return network;
}

// How a session is made of a network: as it is, or with rounded weights.
struct Exact {
  explicit Exact(const Network<float>& network) : session(network) {}
  Session<float> session;
};
struct Rounded {
  explicit Rounded(const Network<float>& network) : weights(network), session(network, weights) {}
  Bfloat16Weights weights;
  Session<float> session;
};

template <class Way>
Run run_session(const Net& net) {
  struct State {
    std::shared_ptr<const Network<float>> network;
    Way way{*network};
    std::vector<float> out = std::vector<float>(static_cast<std::size_t>(network->output_width()));
  };
  return [state = std::make_shared<State>(build(net))](const float* row) {
    state->way.session.run(row, state->out.data());
    return static_cast<const float*>(state->out.data());
  };
}

Run rounded(const Net& net) {
  const bool anything = std::ranges::any_of(
      net.layers, [](const Matrix& m) { return m.units >= Bfloat16Weights::least_units; });
  return anything ? run_session<Rounded>(net) : Run{};
}

template <class Activation, int In, int A, int... More>
auto stack() {
  if constexpr (sizeof...(More) == 0) {
    return std::type_identity<std::tuple<fixed::Dense<A>>>{};
  } else {
    using Rest = typename decltype(stack<Activation, A, More...>())::type;
    return std::type_identity<decltype(std::tuple_cat(std::declval<std::tuple<fixed::Dense<A, Activation>>>(),
                                                      std::declval<Rest>()))>{};
  }
}
template <int In, class Layers>
struct Named;
template <int In, class... Layers>
struct Named<In, std::tuple<Layers...>> {
  using type = StaticNetwork<float, In, Layers...>;
};
template <int In, int... Units>
struct Sizes {
  template <class Activation>
  using Fixed = typename Named<In, typename decltype(stack<Activation, In, Units...>())::type>::type;
};

template <class Fixed>
Run run_fixed(const Net& net) {
  struct State {
    explicit State(const Network<float>& network) : fixed(network) {}
    Fixed fixed;
    std::vector<float> out = std::vector<float>(Fixed::outputs);
  };
  return [state = std::make_shared<State>(*build(net))](const float* row) {
    state->fixed.run(row, state->out.data());
    return static_cast<const float*>(state->out.data());
  };
}

Run fixed_sizes(const Net& net) {
  Run run;
  with_fixed_sizes<Sizes>(net, [&]<class S>(S) {
    run = net.activation == "tanh" ? run_fixed<typename S::template Fixed<Tanh>>(net)
                                   : run_fixed<typename S::template Fixed<Relu>>(net);
  });
  return run;
}

}  // namespace

std::vector<Competitor> deltarule_ways() {
  return {{"Session", run_session<Exact>}, {"Session, bfloat16", rounded}, {"StaticNetwork", fixed_sizes}};
}
