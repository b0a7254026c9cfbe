#include <deltarule/activations/periodic.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, PeriodicActivations>();
template std::span<const ActivationKernel<double>> kernels<double, PeriodicActivations>();

}  // namespace deltarule::activations
