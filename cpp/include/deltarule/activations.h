// EVERY elementwise activation, by kind: entry, value and derivative stand side by side in the kind's header,
// and the list of a kind is its last line.
//
// forward(p, x) gives f(x); backward(p, x, y, dy) gives dy * f'(x), where y = f(x). `p` holds the
// hyper-parameters in the order of `parameters`. An entry that reads only the output gets no valid x in
// backward, and vice versa. At a kink the derivative is the left-hand branch's.
#pragma once

#include <deltarule/activations/clamped.h>
#include <deltarule/activations/rectifiers.h>
#include <deltarule/activations/self_gated.h>
#include <deltarule/activations/sigmoids.h>

namespace deltarule {

template <template <class...> class Use>
using OfActivationKinds =
    Use<ClampedActivations, SigmoidActivations, RectifierActivations, SelfGatedActivations>;

using Activations = OfActivationKinds<Joined>;

}  // namespace deltarule
