// Gated units: the first half of a row, each number times an activation of its partner in the second half.
#pragma once

#include <deltarule/activations/rectifiers.h>
#include <deltarule/activations/self_gated.h>
#include <deltarule/activations/sigmoids.h>
#include <deltarule/simd/span.h>

namespace deltarule {

template <class Activation>
struct Gated {
  static constexpr std::size_t inputs_per_output = 2;
  // y may be x.
  template <class T>
  static void forward(const Values&, std::size_t n, const T* x, T* y) {
    using P = simd::Pack<T>;
    const T* gate = x + n / 2;
    simd::each<T>(n / 2, [&](auto span) {
      span.store(y, span.load(x) * Activation::forward(parameters<P>(), span.load(gate)));
    });
  }
  // dx has both halves; it may not be dy.
  template <class T>
  static void backward(const Values&, std::size_t n, const T* x, const T*, const T* dy, T* dx) {
    using P = simd::Pack<T>;
    const std::size_t half = n / 2;
    simd::each<T>(half, [&](auto span) {
      const P a = span.load(x), b = span.load(x + half), g = span.load(dy);
      const auto& p = parameters<P>();
      const P value = Activation::forward(p, b);
      span.store(dx, g * value);
      span.store(dx + half, g * (a * Activation::backward(p, b, value, P(1))));
    });
  }
  template <class T>
  [[gnu::cold]] static void tangent(std::size_t n, const T* x, const T*, const T* rx, T* ry) {
    using P = simd::Pack<T>;
    const std::size_t half = n / 2;
    simd::each<T>(half, [&](auto span) {
      const Gate<P> gate(span.load(x + half));
      span.store(ry, span.load(rx) * gate.value + span.load(x) * gate.slope * span.load(rx + half));
    });
  }
  // da = dy f(b), db = dy a f'(b)
  template <class T>
  [[gnu::cold]] static void tangent_backward(std::size_t n, const T* x, const T* rx, const T*, const T*,
                                             const T* dy, const T* rdy, T* rdx) {
    using P = simd::Pack<T>;
    const std::size_t half = n / 2;
    simd::each<T>(half, [&](auto span) {
      const P b = span.load(x + half), a = span.load(x), rb = span.load(rx + half), ra = span.load(rx);
      const P g = span.load(dy), rg = span.load(rdy);
      const Gate<P> gate(b);
      T bends[P::width];
      b.store(bends);
      for (T& at : bends) at = static_cast<T>(Activation::second(defaults, static_cast<double>(at)));
      span.store(rdx, rg * gate.value + g * gate.slope * rb);
      span.store(rdx + half, (rg * a + g * ra) * gate.slope + g * a * P::load(bends) * rb);
    });
  }

 private:
  template <class P>
  struct Gate {
    P value, slope;
    explicit Gate(P b)
        : value(Activation::forward(parameters<P>(), b)),
          slope(Activation::backward(parameters<P>(), b, value, P(1))) {}
  };
  static constexpr Values defaults = [] {
    Values values{};
    for (std::size_t i = 0; i < Activation::entry.parameters.size(); ++i)
      values[i] = Activation::entry.parameters[i].value;
    return values;
  }();
  // All at their defaults: 1 where the activation has factors, else 0.
  template <class P>
  static auto parameters() {
    if constexpr (requires { Activation::forms; })
      return Form<0>{};
    else if constexpr (requires(P x) { Activation::forward(Broadcast<simd::One>{}, x); })
      return Broadcast<simd::One>{};
    else
      return Broadcast<P>{};
  }
};

struct Glu : Gated<Sigmoid> {
  static constexpr Entry entry{
      .name = "glu",
      .summary = "First half of the last axis times the sigmoid of the second.",
      .formula = "y = a \\odot \\sigma(b),\\quad x = (a, b)",
      .derivative = "da = dy \\odot \\sigma(b),\\; db = dy \\odot a \\odot \\sigma'(b)",
      .c = "size_t i;\n"
           "for (i = 0; i < n / 2; ++i) y[i] = x[i] * sigmoid(x[i + n / 2]);",
      .reads = Reads::input,
      .source = "Dauphin, Fan, Auli & Grangier 2017",
  };
};

struct Swiglu : Gated<Swish> {
  static constexpr Entry entry{
      .name = "swiglu",
      .summary = "First half of the last axis times the swish of the second.",
      .formula = "y = a \\odot \\operatorname{swish}(b),\\quad x = (a, b)",
      .derivative =
          "da = dy \\odot \\operatorname{swish}(b),\\; db = dy \\odot a \\odot \\operatorname{swish}'(b)",
      .c = "size_t i;\n"
           "for (i = 0; i < n / 2; ++i) y[i] = x[i] * swish(x[i + n / 2]);",
      .reads = Reads::input,
      .source = "Shazeer 2020, GLU variants improve transformer",
  };
};

struct Geglu : Gated<Gelu> {
  static constexpr Entry entry{
      .name = "geglu",
      .summary = "First half of the last axis times the GELU of the second.",
      .formula = "y = a \\odot \\operatorname{gelu}(b),\\quad x = (a, b)",
      .derivative =
          "da = dy \\odot \\operatorname{gelu}(b),\\; db = dy \\odot a \\odot \\operatorname{gelu}'(b)",
      .c = "size_t i;\n"
           "for (i = 0; i < n / 2; ++i) y[i] = x[i] * gelu(x[i + n / 2]);",
      .reads = Reads::input,
      .source = "Shazeer 2020, GLU variants improve transformer",
  };
};

struct Reglu : Gated<Relu> {
  static constexpr Entry entry{
      .name = "reglu",
      .summary = "First half of the last axis times the ReLU of the second.",
      .formula = "y = a \\odot \\max(0, b),\\quad x = (a, b)",
      .derivative = "da = dy \\odot \\max(0, b),\\; db = dy \\odot a \\text{ if } b > 0 \\text{ else } 0",
      .c = "size_t i;\n"
           "for (i = 0; i < n / 2; ++i) y[i] = x[i] * relu(x[i + n / 2]);",
      .reads = Reads::input,
      .source = "Shazeer 2020, GLU variants improve transformer",
  };
};

}  // namespace deltarule
