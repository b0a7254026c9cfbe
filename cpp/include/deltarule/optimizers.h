// EVERY update rule, by kind in optimizers/*.h: entry (parameters, state arrays) and update; the list is
// below.
//
// prepare(values, learning_rate, step) works out, once a step and in double, the constants c that
// update<N>(c, g, w, s) needs for every element. N = states_used(values) is how many of the entry's state
// arrays this choice of parameters keeps. The engine owns the step count (1 for the first) and the arrays,
// which are zero before the first step. A rule that trains at other weights than it gives names a state array
// `exchanged`: outside training the engine has it change places with the weights.
//
// A rule of Reach::tensor looks at whole parameters; it has passes, tasks, cost and run (tensor_update.h) in
// place of update. A rule of Reach::network looks at all gradients together and at several of them in a step.
// It has no prepare and update; the engine runs it (src/second_order), and it takes all rows as one batch by
// default.
// A rule of Reach::layer gets a gradient that was changed layer by layer, there as well.
#pragma once

#include <deltarule/optimizers/adam.h>
#include <deltarule/optimizers/adam_variants.h>
#include <deltarule/optimizers/adaptive.h>
#include <deltarule/optimizers/lamb.h>
#include <deltarule/optimizers/lbfgs.h>
#include <deltarule/optimizers/muon.h>
#include <deltarule/optimizers/natural_gradient.h>
#include <deltarule/optimizers/schedule_free.h>
#include <deltarule/optimizers/sgd.h>
#include <deltarule/optimizers/sign.h>

namespace deltarule {

using Optimizers =
    List<Sgd, Momentum, Nag, DeltaRule, AdaGrad, RmsProp, Adadelta, Adam, AmsGrad, AdamW, Nadam, NadamW,
         Adamax, RAdam, Rprop, Lion, Lamb, Muon, ScheduleFreeAdamW, Lbfgs, NaturalGradient>;

}  // namespace deltarule
