#include <deltarule/activations/exponential_units.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, ExponentialUnitActivations>();
template std::span<const ActivationKernel<double>> kernels<double, ExponentialUnitActivations>();

}  // namespace deltarule::activations
