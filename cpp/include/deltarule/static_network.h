// A network whose sizes are fixed at compile time, with the weights inside: for latencies of nanoseconds.
//
//   using Policy = deltarule::StaticNetwork<float, 8, deltarule::fixed::Dense<32, deltarule::Tanh>,
//                                           deltarule::fixed::Dense<1>>;
//   const auto policy = std::make_unique<Policy>(deltarule::load<float>("policy.safetensors"));
//   policy->run(in, out);
//
// Layers that do nothing at inference (dropout, noise, reshape) are left out of the type. Objects are as
// large as the weights: make large ones static or on the heap.
#pragma once

#include <deltarule/fixed/layers.h>
#include <array>
#include <tuple>

namespace deltarule {

template <class T, int In, class... Layers>
class StaticNetwork {
  static_assert(In >= 1 && sizeof...(Layers) >= 1);

  // The layers on the widths that they see, and the room that their outputs need.
  template <int Width, class... Rest>
  struct Chain {
    using Tuple = std::tuple<>;
    static constexpr int outputs = Width, room = 1;
  };
  template <int Width, class First, class... Rest>
  struct Chain<Width, First, Rest...> {
    using Here = typename First::template On<T, Width>;
    using Next = Chain<Here::outputs, Rest...>;
    using Tuple =
        decltype(std::tuple_cat(std::declval<std::tuple<Here>>(), std::declval<typename Next::Tuple>()));
    static constexpr int outputs = Next::outputs;
    static constexpr int room = Here::room > Next::room ? Here::room : Next::room;
  };
  using All = Chain<In, Layers...>;

 public:
  using Scalar = T;
  static constexpr int inputs = In, outputs = All::outputs;

  // Throws std::invalid_argument, naming the layer, what it is and what the type says, where they differ.
  explicit StaticNetwork(const Network<T>& network) : StaticNetwork(network, working(network)) {}

  // in: `inputs` numbers, out: `outputs` numbers; they may overlap. Any number of threads may call it.
  void run(const T* in, T* out) const noexcept {
    alignas(64) T one[All::room], other[All::room];
    const T* result = step<0>(in, one, other);
    for (int j = 0; j < outputs; ++j) out[j] = result[j];
  }
  void run(std::span<const T, static_cast<std::size_t>(In)> in,
           std::span<T, static_cast<std::size_t>(outputs)> out) const noexcept {
    run(in.data(), out.data());
  }
  std::array<T, static_cast<std::size_t>(outputs)> operator()(
      const std::array<T, static_cast<std::size_t>(In)>& in) const noexcept {
    std::array<T, static_cast<std::size_t>(outputs)> out;
    run(in.data(), out.data());
    return out;
  }

 private:
  using Working = std::vector<const Layer*>;

  static Working working(const Network<T>& network) {
    if (!network.built()) throw std::invalid_argument("StaticNetwork: the network is not built");
    if (network.input_width() != In)
      throw std::invalid_argument("StaticNetwork: the network has " + std::to_string(network.input_width()) +
                                  " inputs; the type says " + std::to_string(In));
    Working list;
    for (const auto& layer : network.layers()) {
      const std::string_view type = layer->entry().name;
      if (type != "dropout" && type != "alpha_dropout" && type != "gaussian_noise" && type != "reshape")
        list.push_back(layer.get());
    }
    if (list.size() != sizeof...(Layers))
      throw std::invalid_argument("StaticNetwork: the network has " + std::to_string(list.size()) +
                                  " layers that do something at inference; the type says " +
                                  std::to_string(sizeof...(Layers)));
    return list;
  }

  StaticNetwork(const Network<T>& network, const Working& list)
      : StaticNetwork(network, checked(network, list, std::index_sequence_for<Layers...>{}),
                      std::index_sequence_for<Layers...>{}) {}
  template <std::size_t... I>
  StaticNetwork(const Network<T>& network, const Working& list, std::index_sequence<I...>)
      : layers_(fixed::Given<T>{network, *list[I]}...) {}
  template <std::size_t... I>
  static const Working& checked(const Network<T>& network, const Working& list, std::index_sequence<I...>) {
    (std::tuple_element_t<I, typename All::Tuple>::check({network, *list[I]}), ...);
    return list;
  }

  template <std::size_t I>
  [[gnu::always_inline]] const T* step(const T* x, T* to, T* other) const noexcept {
    if constexpr (I == sizeof...(Layers)) {
      return x;
    } else {
      std::get<I>(layers_).run(x, to);
      return step<I + 1>(to, other, to);
    }
  }

  typename All::Tuple layers_;
};

}  // namespace deltarule
