#include <deltarule/activations/rectifiers.h>

#include "tables.h"

namespace deltarule::activations {

template std::span<const ActivationKernel<float>> kernels<float, RectifierActivations>();
template std::span<const ActivationKernel<double>> kernels<double, RectifierActivations>();

}  // namespace deltarule::activations
