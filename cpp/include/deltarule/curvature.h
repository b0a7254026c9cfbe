// Second derivatives of the loss with respect to the parameters.
#pragma once

#include <deltarule/trainer.h>

namespace deltarule {

// f''(x) of an elementwise activation. Throws std::invalid_argument where it has none yet.
double activation_second(const Choice& activation, double x);

// One row of a loss: out = (d2 L / dy dy) v. Throws std::invalid_argument where the loss has none yet.
template <class T>
void loss_hessian_times(const Choice& loss, std::size_t outputs, const T* prediction, const T* target,
                        const T* v, double* out);

// Exact products of the Hessian of the mean loss on some rows with vectors, in training mode (batch
// statistics). One forward pass at construction; the network and the data must outlive this and not change.
template <class T>
class Curvature {
 public:
  // Throws std::invalid_argument for operations without an R-operator and losses without second derivatives.
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
