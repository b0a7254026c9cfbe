// The matrix product on operands as a caller has them.
#pragma once

#include <deltarule/engine/gemm.h>

namespace deltarule::engine {

// C = start + A B by as many threads as pay. Reads nothing beyond the operands, whatever `slack` says; the
// bits are those of multiply().
template <class T>
void product(Product<T> p);

extern template void product<float>(Product<float>);
extern template void product<double>(Product<double>);

}  // namespace deltarule::engine
