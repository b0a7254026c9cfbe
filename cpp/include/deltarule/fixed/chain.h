// Layers of fixed sizes, one after the other, and the network that they are copied from.
#pragma once

#include <deltarule/fixed/activation.h>
#include <deltarule/network.h>
#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

namespace deltarule::fixed {

// One layer of a network that is to be copied into a layer of fixed size.
template <class T>
struct Given {
  const Network<T>& network;
  const Layer& layer;
  std::string prefix{};  // of its name: the layers that it is inside of

  std::string path() const { return prefix + layer.name(); }

  [[noreturn]] void refuse(const std::string& wanted) const {
    std::string what = std::string(layer.entry().name);
    if (layer.entry().name == Dense_type) what += " of " + std::to_string(layer.output_width()) + " units";
    what += " on " + std::to_string(layer.input_width()) + " inputs";
    if (!layer.activation().name().empty())
      what += ", activation '" + std::string(layer.activation().name()) + "'";
    throw std::invalid_argument("StaticNetwork: layer '" + path() + "' is " + what + "; the type says " +
                                wanted);
  }
  void expect(bool fits, const std::string& wanted) const {
    if (!fits) refuse(wanted);
  }
  void expect(const std::string& type, int inputs) const {
    expect(layer.entry().name == type && layer.input_width() == inputs,
           type + " on " + std::to_string(inputs) + " inputs");
  }
  // Where an array lies; null where the layer has none of this name.
  const T* find(const std::string& name) const {
    for (const Tensor& t : network.tensors())
      if (t.name == path() + "." + name)
        return (t.trained() ? network.parameters() : network.statistics()).data() + t.offset;
    return nullptr;
  }
  template <std::size_t N>
  void copy(const std::string& name, T (&to)[N]) const {
    std::copy_n(find(name), N, to);
  }
  template <class Op>
  bool has_activation() const {
    const Choice choice = layer.activation();
    return choice.index < 0 ? std::is_same_v<Op, Identity> : choice.name() == Op::entry.name;
  }
  double setting(std::string_view name) const {
    for (const Setting& s : layer.spec().settings)
      if (s.name == name) return s.value;
    return 0;
  }

 private:
  static constexpr std::string_view Dense_type = "dense";
};

template <class Op>
std::string named() {
  return std::is_same_v<Op, Identity> ? std::string() : ", activation '" + std::string(Op::entry.name) + "'";
}
inline std::string on(int inputs) { return " on " + std::to_string(inputs) + " inputs"; }

// The layers that do something at inference.
using Working = std::vector<const Layer*>;
inline Working working(const deltarule::Chain& layers) {
  Working list;
  for (const auto& layer : layers)
    if (!layer->entry().only_training && layer->entry().name != "reshape") list.push_back(layer.get());
  return list;
}

// The layers on the widths that they see, and the room that their outputs need.
template <class T, int Width, class... Layers>
class Chain {
  template <int In, class... Rest>
  struct From {
    using Tuple = std::tuple<>;
    static constexpr int outputs = In, room = 1;
  };
  template <int In, class First, class... Rest>
  struct From<In, First, Rest...> {
    using Here = typename First::template On<T, In>;
    using Next = From<Here::outputs, Rest...>;
    using Tuple =
        decltype(std::tuple_cat(std::declval<std::tuple<Here>>(), std::declval<typename Next::Tuple>()));
    static constexpr int outputs = Next::outputs;
    static constexpr int room = Here::room > Next::room ? Here::room : Next::room;
  };
  using All = From<Width, Layers...>;
  static constexpr auto each = std::index_sequence_for<Layers...>{};

 public:
  static constexpr int outputs = All::outputs, room = All::room;

  // Throws std::invalid_argument where a layer is not what the type says; `whose` are they?
  static void check(const Network<T>& network, const Working& list, const std::string& whose,
                    const std::string& prefix) {
    if (list.size() != sizeof...(Layers))
      throw std::invalid_argument("StaticNetwork: " + whose + " has " + std::to_string(list.size()) +
                                  " layers that do something at inference; the type says " +
                                  std::to_string(sizeof...(Layers)));
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (std::tuple_element_t<I, typename All::Tuple>::check({network, *list[I], prefix}), ...);
    }(each);
  }
  // Of layers that were checked.
  Chain(const Network<T>& network, const Working& list, const std::string& prefix)
      : Chain(network, list, prefix, each) {}

  // The outputs, in `one` or `other`, each of which has `room` for them; x is neither.
  [[gnu::always_inline]] const T* run(const T* x, T* one, T* other) const noexcept {
    return step<0>(x, one, other);
  }

 private:
  template <std::size_t... I>
  Chain(const Network<T>& network, const Working& list, const std::string& prefix, std::index_sequence<I...>)
      : layers_(Given<T>{network, *list[I], prefix}...) {}

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

}  // namespace deltarule::fixed
