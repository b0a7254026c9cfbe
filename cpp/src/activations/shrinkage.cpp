#include <deltarule/activations/shrinkage.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, ShrinkageActivations>();
template std::span<const ActivationKernel<double>> kernels<double, ShrinkageActivations>();

}  // namespace deltarule::activations
