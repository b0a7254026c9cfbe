// EVERY elementwise activation, by kind: entry, value and derivative stand side by side in the kind's header,
// and the list of a kind is its last line.
//
// forward(p, x) gives f(x); backward(p, x, y, dy) gives dy * f'(x), where y = f(x). `p` holds the
// hyper-parameters in the order of `parameters`. An entry that reads only the output gets no valid x in
// backward, and vice versa. At a kink the derivative is the left-hand branch's.
// second(values, x) is f''(x). flat(values), where there is one, says that f' is 0 everywhere.
#pragma once

#include <deltarule/activations/clamped.h>
#include <deltarule/activations/exponential_units.h>
#include <deltarule/activations/periodic.h>
#include <deltarule/activations/rectifiers.h>
#include <deltarule/activations/self_gated.h>
#include <deltarule/activations/shrinkage.h>
#include <deltarule/activations/sigmoids.h>
#include <deltarule/activations/steps.h>

namespace deltarule {

template <template <class...> class Use>
using OfActivationKinds =
    Use<StepActivations, ClampedActivations, SigmoidActivations, RectifierActivations,
        ExponentialUnitActivations, SelfGatedActivations, ShrinkageActivations, PeriodicActivations>;

using Activations = OfActivationKinds<Joined>;

}  // namespace deltarule
