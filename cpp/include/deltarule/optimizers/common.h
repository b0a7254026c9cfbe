// What the update rules share: parameters, weight decay, signs.
#pragma once

#include <deltarule/broadcast.h>
#include <deltarule/simd/math.h>
#include <cmath>

namespace deltarule {

namespace param {
inline constexpr Param learning_rate(double value) {
  return {.name = "learning_rate",
          .value = value,
          .low = 0,
          .high_open = true,
          .meaning = "step size; a schedule multiplies or replaces it"};
}
inline constexpr Param beta(std::string_view name, double value, std::string_view meaning) {
  return {.name = name, .value = value, .low = 0, .high = 1, .high_open = true, .meaning = meaning};
}
inline constexpr Param beta_1(double value) {
  return beta("beta_1", value, "decay of the mean of the gradient");
}
inline constexpr Param beta_2(double value) {
  return beta("beta_2", value, "decay of the mean of its square");
}
inline constexpr Param epsilon(double value) {
  return {.name = "epsilon",
          .value = value,
          .low = 0,
          .high_open = true,
          .meaning = "keeps the denominator from zero"};
}
inline constexpr Param eps_inside(bool value = false) {
  return {.name = "eps_inside",
          .value = value ? 1.0 : 0.0,
          .kind = Kind::boolean,
          .meaning = "epsilon under the root instead of beside it"};
}
inline constexpr Param epsilon_hat() {
  return {.name = "epsilon_hat",
          .kind = Kind::boolean,
          .meaning =
              "epsilon beside the root of the moment before its bias is corrected (end of section 2 of the "
              "paper)"};
}
inline constexpr Param amsgrad() {
  return {.name = "amsgrad", .kind = Kind::boolean, .meaning = "divide by the largest second moment so far"};
}
inline constexpr Param weight_decay(double value, std::string_view meaning) {
  return {.name = "weight_decay", .value = value, .low = 0, .high_open = true, .meaning = meaning};
}
inline constexpr std::string_view coupled = "L2 penalty: weight_decay * w is added to the gradient";
inline constexpr std::string_view decoupled =
    "decoupled: the weights shrink by learning_rate * weight_decay each step";
inline constexpr Param decoupled_weight_decay() {
  return {.name = "decoupled_weight_decay",
          .kind = Kind::boolean,
          .meaning = "weight_decay shrinks the weights by learning_rate * weight_decay instead"};
}
inline constexpr Param rate_in_buffer() {
  return {.name = "rate_in_buffer",
          .kind = Kind::boolean,
          .meaning =
              "the momentum buffer adds up steps instead of directions, so that a changed rate acts on what "
              "comes in only"};
}
}  // namespace param

// The two ways of weight decay: g + coupled * w, and w * shrink.
struct Decay {
  double coupled, shrink;
  Decay(double weight_decay, bool decoupled, double learning_rate)
      : coupled(decoupled ? 0 : weight_decay), shrink(decoupled ? 1 - learning_rate * weight_decay : 1) {}
};

// -1, 0 or 1; not a number where x is not finite, so that a bad gradient is seen.
template <class V>
V sign(V x) {
  const V nothing = x - x;
  return select(x > V(0), V(1), select(x < V(0), V(-1), nothing)) + nothing;
}

}  // namespace deltarule
