// Options of the classes beside a trainer.
#pragma once

#include <limits>

namespace deltarule {

// Throws std::invalid_argument unless 0 <= value < below.
void check_option(const char* owner, const char* option, double value,
                  double below = std::numeric_limits<double>::infinity());

}  // namespace deltarule
