// Activations by number, and a look at numbers, on plain pointers: what the engine, the bindings and
// applications call. No declaration headers are needed to use this one.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>

namespace deltarule {

// y may be x. dx may be dy, but neither x nor y. Every element's bits depend on its value alone, not on its
// place.
template <class T>
struct ActivationKernel {
  void (*forward)(const Values& values, std::size_t n, const T* x, T* y);
  void (*backward)(const Values& values, std::size_t n, const T* x, const T* y, const T* dy, T* dx);
  double (*second)(const Values& values, double x);  // f''(x); at a kink of f the left-hand branch's
  bool (*flat)(const Values& values);                // f' is 0 everywhere: nothing can be trained through f
};

// For an activation from outside the catalogue (custom.h) only `flat` is there.
template <class T>
const ActivationKernel<T>& activation_kernel(int index);

// Neither NaN nor infinity among them.
template <class T>
bool all_finite(std::size_t n, const T* x);

}  // namespace deltarule
