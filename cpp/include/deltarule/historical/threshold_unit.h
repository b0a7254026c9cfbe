// McCulloch & Pitts 1943: fixed weights, a threshold, no learning.
#pragma once

#include <cstddef>

namespace deltarule::historical {

struct ThresholdUnit {
  std::ptrdiff_t columns = 0;
  const double* weight = nullptr;
  double threshold = 0;
  bool absolute_inhibition = false;  // one active input with a negative weight keeps the unit silent

  // y = 1 where w x >= threshold, else 0.
  void fire(std::ptrdiff_t rows, const double* x, double* y) const;
};

}  // namespace deltarule::historical
