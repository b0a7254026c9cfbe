// EVERY loss, one header of losses/ per kind; the list is the last line.
//
// A loss of independent outputs is an element(p, y, t, value, gradient) on packs, averaged or summed over the
// outputs; second(p, y, t) is the derivative of its gradient, in double. A loss of whole rows is a row(...)
// that writes scale * gradient and returns the value;
// hessian_times is the product of its Hessian with a vector, in double. Optional flags: from_logits,
// signs (targets are -1 and 1), trainable, outputs_per_target.
#pragma once

#include <deltarule/losses/cross_entropy.h>
#include <deltarule/losses/expectation.h>
#include <deltarule/losses/gaussian.h>
#include <deltarule/losses/label.h>
#include <deltarule/losses/margin.h>
#include <deltarule/losses/probability.h>
#include <deltarule/losses/regression.h>

namespace deltarule {

using Losses = List<MeanSquaredError, Quadratic, MeanAbsoluteError, Huber, LogCosh, Quantile, PoissonNll,
                    GaussianNll, BinaryCrossEntropy, SigmoidCrossEntropy, CategoricalCrossEntropy,
                    SoftmaxCrossEntropy, SparseSoftmaxCrossEntropy, LogLikelihood, KlDivergence,
                    LogisticQuadratic, BinaryFocal, Focal, AlphaLoss, Hinge, SquaredHinge, CubedHinge,
                    HalfMarginHinge, MulticlassHinge, Perceptron, SmoothZeroOne, ZeroOne, Expectation,
                    RegularizedExpectation, Chebyshev, SquaredLog, Tanimoto, CauchySchwarz>;

}  // namespace deltarule
