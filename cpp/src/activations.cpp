#include <deltarule/activations.h>
#include <deltarule/custom.h>
#include <deltarule/elementwise.h>

#include "activations/kinds.h"

namespace deltarule {
namespace {

template <class T, class... Kinds>
const ActivationKernel<T>& pick(std::size_t index) {
  const ActivationKernel<T>* found = nullptr;
  const auto looked = [&]<class Kind>() {
    if (index < Kind::size) found = &activations::kernels<T, Kind>()[index];
    index -= Kind::size;
    return found != nullptr;
  };
  (looked.template operator()<Kinds>() || ...);
  return *found;
}

template <class... Kinds>
struct Pick {
  template <class T>
  static const ActivationKernel<T>& kernel(int index) {
    return pick<T, Kinds...>(static_cast<std::size_t>(index));
  }
};

// What is asked of an activation from outside the catalogue before it runs (AppliedActivation runs it).
template <class T>
constexpr ActivationKernel<T> outside{nullptr, nullptr, nullptr, [](const Values&) { return false; }};

}  // namespace

template <>
const ActivationKernel<float>& activation_kernel(int index) {
  if (custom::is_custom(index)) return outside<float>;
  return OfActivationKinds<Pick>::kernel<float>(index);
}
template <>
const ActivationKernel<double>& activation_kernel(int index) {
  if (custom::is_custom(index)) return outside<double>;
  return OfActivationKinds<Pick>::kernel<double>(index);
}

}  // namespace deltarule
