#include <deltarule/activations/clamped.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, ClampedActivations>();
template std::span<const ActivationKernel<double>> kernels<double, ClampedActivations>();

}  // namespace deltarule::activations
