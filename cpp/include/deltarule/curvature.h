// Second derivatives of the loss with respect to the parameters.
#pragma once

#include <deltarule/trainer.h>

namespace deltarule {

// Exact products of the Hessian of the mean loss on some rows with vectors, in training mode (batch
// statistics). One forward pass at construction; the network and the data must outlive this and not change.
template <class T>
class Curvature {
 public:
  // Throws std::invalid_argument for operations without an R-operator, and for data that cannot be evaluated
  // or of which some rows are chosen (Data::index).
  Curvature(const Network<T>& network, const Choice& loss, const Data<T>& data);
  ~Curvature();
  // v and out: one number per parameter, in the network's order.
  void times(const T* v, T* out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

extern template class Curvature<float>;
extern template class Curvature<double>;

}  // namespace deltarule
