#include <deltarule/activations/steps.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, StepActivations>();
template std::span<const ActivationKernel<double>> kernels<double, StepActivations>();

}  // namespace deltarule::activations
