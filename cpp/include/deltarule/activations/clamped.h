// Activations made of straight lines that are bounded, and the identity.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>

namespace deltarule {

struct Identity {
  static constexpr Entry entry{
      .name = "identity",
      .aliases = "linear",
      .summary = "Passes its input through.",
      .formula = "f(x) = x",
      .derivative = "f'(x) = 1",
      .reads = Reads::nothing,
  };
  template <class V>
  static V forward(const Broadcast<V>&, V x) {
    return x;
  }
  template <class V>
  static V backward(const Broadcast<V>&, V, V, V dy) {
    return dy;
  }
};

using ClampedActivations = List<Identity>;

}  // namespace deltarule
