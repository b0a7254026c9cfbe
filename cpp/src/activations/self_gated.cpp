#include <deltarule/activations/self_gated.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, SelfGatedActivations>();
template std::span<const ActivationKernel<double>> kernels<double, SelfGatedActivations>();

}  // namespace deltarule::activations
