#pragma once

#include <deltarule/elementwise.h>
#include <span>

namespace deltarule::activations {

// The kernels of the activations of one kind; instantiated in the kind's own source file.
template <class T, class Kind>
std::span<const ActivationKernel<T>> kernels();

}  // namespace deltarule::activations
