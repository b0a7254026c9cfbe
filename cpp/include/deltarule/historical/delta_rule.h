// Rules that follow a gradient: Adaline (Widrow & Hoff 1960) and the sigmoid neuron.
#pragma once

#include <deltarule/historical/unit.h>

namespace deltarule::historical {

enum class Output {
  linear,            // y = u,        loss (t - y)^2 / 2:  w <- w + eta (t - y) x
  sigmoid,           // y = sigma(u), cross-entropy:       w <- w + eta (t - y) x
  sigmoid_quadratic  // y = sigma(u), loss (t - y)^2 / 2:  w <- w + eta (t - y) y (1 - y) x
};

// Ends when no weight moved by more than tolerance times the largest weight in an epoch (converged), after
// max_epochs, or when a weight is no longer finite.
Learned learn_delta_rule(const Patterns& patterns, const Training& training, Output output, Unit unit);

}  // namespace deltarule::historical
