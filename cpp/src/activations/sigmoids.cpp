#include <deltarule/activations/sigmoids.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, SigmoidActivations>();
template std::span<const ActivationKernel<double>> kernels<double, SigmoidActivations>();

}  // namespace deltarule::activations
