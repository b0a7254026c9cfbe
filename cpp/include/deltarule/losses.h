// EVERY loss, one header of losses/ per kind; the list is the last line.
//
// A loss of independent outputs is an element(p, y, t, value, gradient) on packs, averaged or summed over the
// outputs; second(p, y, t) is the derivative of its gradient, in double. A loss of whole rows is a row(...)
// that writes scale * gradient and returns the value.
#pragma once

#include <deltarule/losses/cross_entropy.h>
#include <deltarule/losses/margin.h>
#include <deltarule/losses/probability.h>
#include <deltarule/losses/regression.h>

namespace deltarule {

using Losses = List<MeanSquaredError, Quadratic, MeanAbsoluteError, Huber, LogCosh, Quantile, PoissonNll,
                    BinaryCrossEntropy, SigmoidCrossEntropy, CategoricalCrossEntropy, SoftmaxCrossEntropy,
                    SparseSoftmaxCrossEntropy, LogLikelihood, KlDivergence, LogisticQuadratic, Hinge,
                    SquaredHinge, CubedHinge, HalfMarginHinge, MulticlassHinge, Perceptron, SmoothZeroOne>;

}  // namespace deltarule
