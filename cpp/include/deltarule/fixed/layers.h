// Layers whose sizes are fixed at compile time: their arrays are members, and loops over them unroll.
//
// Each is a description, as Dense<32, Tanh>; its On<T, In> is the layer itself, on In inputs. run(x, y) reads
// In numbers at x and writes `room` numbers at y, of which the first `outputs` count; x and y do not overlap.
#pragma once

#include <deltarule/fixed/activation.h>
#include <deltarule/fixed/chain.h>
#include <deltarule/norm_kernel.h>
#include <cmath>

#if defined(__clang__)
#define DELTARULE_FIXED_UNROLL _Pragma("unroll")
#else
#define DELTARULE_FIXED_UNROLL _Pragma("GCC unroll 16")
#endif

namespace deltarule::fixed {

// The narrowest register that holds n numbers, or the widest there is.
template <class T>
constexpr int lanes_for(int n) {
  constexpr int least = static_cast<int>(16 / sizeof(T));
  int lanes = simd::native_width<T>;
  while (lanes > least && lanes / 2 >= n) lanes /= 2;
  return lanes;
}

template <int Units, class Op = Identity>
struct Dense {
  static_assert(Units >= 1);
  static constexpr const char* type = "dense";

  template <class T, int In>
  class On {
    // Few units: a dot product each, along the inputs. Else the lanes are the units, and several partial sums
    // keep the multipliers busy.
    static constexpr bool by_dot = Units <= 2 && In >= 8;
    static constexpr int lanes = by_dot ? lanes_for<T>(In) : lanes_for<T>(Units);
    using P = simd::Pack<T, lanes>;
    using Few = simd::Pack<T, static_cast<int>(16 / sizeof(T))>;
    static constexpr int along = by_dot ? In : Units;  // what the lanes run along
    static constexpr int registers = (along + lanes - 1) / lanes;
    static constexpr int row = registers * lanes;
    static constexpr int block = std::min(registers, 8);  // registers at a time
    static constexpr int sums = [] {
      int n = 8 / block;
      while (n & (n - 1)) n &= n - 1;
      while (n > 1 && In < 2 * n) n /= 2;
      return n;
    }();

   public:
    static constexpr int outputs = Units;
    static constexpr int room = by_dot ? Few::width : row;

    static void check(const Given<T>& given) {
      given.expect(given.layer.entry().name == type && given.layer.input_width() == In &&
                       given.layer.output_width() == Units && given.template has_activation<Op>(),
                   "dense of " + std::to_string(Units) + " units" + on(In) + named<Op>());
    }
    explicit On(const Given<T>& given) : activation_(given.layer.activation().values) {
      const T* weight = given.find("weight");
      for (int i = 0; i < In; ++i)
        for (int j = 0; j < Units; ++j) (by_dot ? w_[j * row + i] : w_[i * row + j]) = weight[i * Units + j];
      if (const T* bias = given.find("bias")) std::copy_n(bias, Units, b_);
    }

    [[gnu::always_inline]] void run(const T* x, T* y) const noexcept {
      if constexpr (by_dot) {
        dot(x, y);
      } else {
        constexpr int rest = registers % block;
        for (int first = 0; first + block <= registers; first += block) columns<block>(x, y, first);
        if constexpr (rest != 0) columns<rest>(x, y, registers - rest);
      }
      if constexpr (OnRows<Op>) activation_.row(Units, y, y);
    }

   private:
    template <class Q>
    [[gnu::always_inline]] Q activated(Q z) const noexcept {
      if constexpr (OnRows<Op>)
        return z;
      else
        return activation_(z);
    }
    template <int count>
    [[gnu::always_inline]] void columns(const T* x, T* y, int first) const noexcept {
      const T* const w = w_ + first * lanes;
      P part[sums][count];
      DELTARULE_FIXED_UNROLL
      for (int s = 0; s < sums; ++s) {
        DELTARULE_FIXED_UNROLL
        for (int a = 0; a < count; ++a) part[s][a] = P::zero();
      }
      const auto add = [&](int s, int p) __attribute__((always_inline)) {
        const P v(x[p]);
        DELTARULE_FIXED_UNROLL
        for (int a = 0; a < count; ++a)
          part[s][a] = simd::fma(v, P::load(w + p * row + a * lanes), part[s][a]);
      };
      int p = 0;
      for (; p + sums <= In; p += sums) {
        DELTARULE_FIXED_UNROLL
        for (int s = 0; s < sums; ++s) add(s, p + s);
      }
      if constexpr (In % sums != 0)
        for (; p < In; ++p) add(0, p);
      DELTARULE_FIXED_UNROLL
      for (int half = sums / 2; half > 0; half /= 2) {
        DELTARULE_FIXED_UNROLL
        for (int s = 0; s < half; ++s) {
          DELTARULE_FIXED_UNROLL
          for (int a = 0; a < count; ++a) part[s][a] += part[s + half][a];
        }
      }
      DELTARULE_FIXED_UNROLL
      for (int a = 0; a < count; ++a) {
        const int at = (first + a) * lanes;
        activated(P::load(b_ + at) + part[0][a]).store(y + at);
      }
    }
    [[gnu::always_inline]] void dot(const T* x, T* y) const noexcept {
      T sum[Few::width] = {};
      DELTARULE_FIXED_UNROLL
      for (int j = 0; j < Units; ++j) {
        P part[2] = {P::zero(), P::zero()};
        DELTARULE_FIXED_UNROLL
        for (int a = 0; a < registers; ++a) {
          const P v =
              (a + 1) * lanes <= In ? P::load(x + a * lanes) : P::load_partial(x + a * lanes, In % lanes);
          part[a % 2] = simd::fma(v, P::load(w_ + j * row + a * lanes), part[a % 2]);
        }
        sum[j] = b_[j] + simd::reduce_add(part[0] + part[1]);
      }
      activated(Few::load(sum)).store(y);
    }

    Applied<T, Op> activation_;
    alignas(64) T w_[(by_dot ? Units : In) * row] = {};
    alignas(64) T b_[by_dot ? Few::width : row] = {};
  };
};

// An activation as a layer of its own; operations on rows too, but for those that halve the width.
template <class Op>
struct Activation {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) {
      given.expect(given.layer.entry().name == "activation" && given.layer.input_width() == In &&
                       given.layer.output_width() == In && given.template has_activation<Op>(),
                   "activation" + on(In) + named<Op>());
    }
    explicit On(const Given<T>& given) : activation_(given.layer.activation().values) {}
    [[gnu::always_inline]] void run(const T* x, T* y) const noexcept {
      if constexpr (OnRows<Op>)
        activation_.row(In, x, y);
      else
        simd::each<T>(In, [&](auto span) { span.store(y, activation_(span.load(x))); });
    }

   private:
    Applied<T, Op> activation_;
  };
};

// Mean and deviation of the data.
struct Standardize {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) { given.expect("standardize", In); }
    explicit On(const Given<T>& given) {
      given.copy("mean", mean_);
      given.copy("deviation", deviation_);
    }
    [[gnu::always_inline]] void run(const T* x, T* y) const noexcept {
      simd::each<T>(
          In, [&](auto span) { span.store(y, (span.load(x) - span.load(mean_)) / span.load(deviation_)); });
    }

   private:
    T mean_[In], deviation_[In];
  };
};

// With its running averages.
struct BatchNorm {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) { given.expect("batch_norm", In); }
    explicit On(const Given<T>& given) {
      given.copy("gain", gain_);
      given.copy("shift", shift_);
      given.copy("running_mean", mean_);
      given.copy("running_variance", inverse_);
      for (T& v : inverse_)
        v = static_cast<T>(1 / std::sqrt(static_cast<double>(v) + given.setting("epsilon")));
    }
    [[gnu::always_inline]] void run(const T* x, T* y) const noexcept {
      simd::each<T>(In, [&](auto span) {
        const auto scaled = (span.load(x) - span.load(mean_)) * span.load(inverse_);
        span.store(y, simd::fma(scaled, span.load(gain_), span.load(shift_)));
      });
    }

   private:
    T mean_[In], inverse_[In], gain_[In], shift_[In];
  };
};

struct LayerNorm {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) { given.expect("layer_norm", In); }
    explicit On(const Given<T>& given) : epsilon_(given.setting("epsilon")) {
      given.copy("gain", gain_);
      given.copy("shift", shift_);
    }
    void run(const T* x, T* y) const noexcept {
      T mean, inverse;
      layer_norm_forward<T>(1, In, {x, In}, gain_, shift_, epsilon_, {y, In}, &mean, &inverse);
    }

   private:
    double epsilon_;
    T gain_[In], shift_[In];
  };
};

struct RMSNorm {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) { given.expect("rms_norm", In); }
    explicit On(const Given<T>& given) : epsilon_(given.setting("epsilon")) { given.copy("gain", gain_); }
    void run(const T* x, T* y) const noexcept {
      rms_norm_forward<T>(1, In, {x, In}, gain_, epsilon_, {y, In}, nullptr);
    }

   private:
    double epsilon_;
    T gain_[In];
  };
};

// With one slope for every unit, or one for all.
struct PReLU {
  template <class T, int In>
  class On {
   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) { given.expect("prelu", In); }
    explicit On(const Given<T>& given) {
      const T* alpha = given.find("alpha");
      const bool shared = given.setting("shared") != 0;
      for (int j = 0; j < In; ++j) alpha_[j] = alpha[shared ? 0 : j];
    }
    [[gnu::always_inline]] void run(const T* x, T* y) const noexcept {
      simd::each<T>(In, [&](auto span) {
        const auto v = span.load(x);
        span.store(y, simd::select(v > simd::Pack<T>::zero(), v, span.load(alpha_) * v));
      });
    }

   private:
    T alpha_[In];
  };
};

// Adds its input to what a block of layers makes of it, as Residual<Dense<32, Tanh>, Dense<16>>.
template <class... Block>
struct Residual {
  template <class T, int In>
  class On {
    using All = Chain<T, In, Block...>;
    static_assert(All::outputs == In, "the block of a Residual has as many outputs as inputs");

   public:
    static constexpr int outputs = In, room = In;
    static void check(const Given<T>& given) {
      given.expect("residual", In);
      All::check(given.network, inside(given), "layer '" + given.path() + "'", given.path() + ".");
    }
    explicit On(const Given<T>& given) : block_(given.network, inside(given), given.path() + ".") {}
    void run(const T* x, T* y) const noexcept {
      alignas(64) T one[All::room], other[All::room];
      const T* made = block_.run(x, one, other);
      simd::each<T>(In, [&](auto span) { span.store(y, span.load(x) + span.load(made)); });
    }

   private:
    static Working inside(const Given<T>& given) { return working(given.layer.inside()[0]); }
    All block_;
  };
};

}  // namespace deltarule::fixed
