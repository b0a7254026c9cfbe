// Operations whose parameters make one affine map of every row, for rules that look at their parts.
#pragma once

#include <deltarule/engine/bfloat16.h>
#include <deltarule/engine/plan.h>

namespace deltarule::engine {

template <class T>
class Affine {
 public:
  // z = x W + b; without bias its data is null. After a backward pass the gradient of `out` is that of z.
  struct Map {
    Slot in, out;
    Parameter<T> weight, bias;
  };
  virtual Map map() const = 0;
  // Inference goes on with this copy of the weights, which must outlive its use.
  virtual void use(const Bfloat16Matrix* rounded) = 0;

 protected:
  ~Affine() = default;
};

template <class T>
struct AffineOperation {
  Op<T>* op;
  Affine<T>* affine;
  typename Affine<T>::Map map;
};

template <class T>
std::vector<AffineOperation<T>> affine_operations(const Plan<T>& plan) {
  std::vector<AffineOperation<T>> found;
  for (const auto& op : plan.ops())
    if (auto* affine = dynamic_cast<Affine<T>*>(op.get())) found.push_back({op.get(), affine, affine->map()});
  return found;
}

}  // namespace deltarule::engine
