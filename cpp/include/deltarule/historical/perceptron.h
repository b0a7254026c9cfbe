// Rosenblatt's rule: pattern by pattern, and only where the unit is wrong.
#pragma once

#include <deltarule/historical/unit.h>

namespace deltarule::historical {

// Targets are 1 and -1; the output is 1 where u > 0 and -1 where u <= 0. On a mistake w <- w + eta t x and
// b <- b + eta t. Ends with the first epoch without a mistake (converged), or after max_epochs; `loss` holds
// the share of patterns that were mistaken.
Learned learn_perceptron(const Patterns& patterns, const Training& training, Unit unit);

// The most mistakes the rule can make on these patterns from zero weights (Novikoff 1962):
// beta |w*|^2 / alpha^2, alpha = min t w* x, beta = max |x|^2, where x has a leading 1 if there is a bias.
struct MistakeBound {
  double alpha = 0;  // not positive: w* does not separate the patterns
  double beta = 0;
  double squared_norm = 0;
  double value() const { return beta * squared_norm / (alpha * alpha); }
};
MistakeBound mistake_bound(const Patterns& patterns, const double* weight, const double* bias);

}  // namespace deltarule::historical
