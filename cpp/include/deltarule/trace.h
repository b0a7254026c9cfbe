// What every layer of a network makes of some rows, in inference mode. The network is not changed.
#pragma once

#include <deltarule/network.h>

namespace deltarule {

template <class T>
struct LayerOutput {
  std::string layer;  // "residual_1.dense_1"
  std::ptrdiff_t columns = 0;
  std::vector<T> values = {};  // rows x columns
};

// One entry per layer in the order in which they are written, those inside another after it; the names of
// these are their paths. What WeightNorm wraps has the same output as that. x: rows x input width,
// contiguous. The network must be built.
template <class T>
std::vector<LayerOutput<T>> trace(const Network<T>& network, std::ptrdiff_t rows, const T* x);

}  // namespace deltarule
