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

namespace deltarule {

template <class T, int In, class... Layers>
class StaticNetwork {
  static_assert(In >= 1 && sizeof...(Layers) >= 1);

  using All = fixed::Chain<T, In, Layers...>;

 public:
  using Scalar = T;
  static constexpr int inputs = In, outputs = All::outputs;

  // Throws std::invalid_argument, naming the layer, what it is and what the type says, where they differ.
  explicit StaticNetwork(const Network<T>& network) : layers_(network, checked(network), "") {}

  // in: `inputs` numbers, out: `outputs` numbers; they may overlap. Any number of threads may call it.
  void run(const T* in, T* out) const noexcept {
    alignas(64) T one[All::room], other[All::room];
    const T* result = layers_.run(in, one, other);
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
  static fixed::Working checked(const Network<T>& network) {
    if (!network.built()) throw std::invalid_argument("StaticNetwork: the network is not built");
    if (network.input_width() != In)
      throw std::invalid_argument("StaticNetwork: the network has " + std::to_string(network.input_width()) +
                                  " inputs; the type says " + std::to_string(In));
    fixed::Working list = fixed::working(network.layers());
    All::check(network, list, "the network", "");
    return list;
  }

  All layers_;
};

}  // namespace deltarule
