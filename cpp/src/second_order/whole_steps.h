// What rules that look at more than one gradient need of the training loop.
#pragma once

#include <deltarule/training_control.h>
#include <cstdint>

namespace deltarule::second_order {

// A number that differs where the bytes do, but for a chance of about 2^-64.
std::uint64_t fingerprint(std::uint64_t seed, const void* data, std::size_t bytes);

// Throws std::invalid_argument for settings that do not go together with the rule, or with each other.
void check_control(const Choice& rule, const TrainingControl& control,
                   std::span<const TensorSettings> tensors, bool clips);

}  // namespace deltarule::second_order
