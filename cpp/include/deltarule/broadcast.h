// Hyper-parameters as the kernels of activations, losses and update rules see them.
#pragma once

#include <deltarule/catalog.h>

namespace deltarule {

// The hyper-parameters in every lane. An activation written for any class F of p[i] gets the factors of
// simd/numeric.h, with all digits and the whole range of a double; the others get p[i] rounded to the type.
template <class F>
using Broadcast = std::array<F, max_parameters>;

// The first parameter of an activation with `forms`, a choice: every form gets a loop of its own.
template <int number>
struct Form {};

}  // namespace deltarule
