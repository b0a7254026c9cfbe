// Update rules by number on plain pointers.
#pragma once

#include <deltarule/tensor_update.h>

namespace deltarule {

// A rows x columns piece of a parameter, with the same piece of its state arrays (w_row apart as well).
template <class T>
struct UpdateBlock {
  std::ptrdiff_t rows, columns;
  const T* gradient;
  std::ptrdiff_t gradient_row;
  T* weight;
  std::ptrdiff_t weight_row;
  std::array<T*, max_states> state;
};

template <class T>
struct UpdateKernel {
  int (*states_used)(const Values& values);
  Values (*prepare)(const Values& values, double learning_rate, double step);
  // False when a new weight is not finite. Null for Reach::tensor and network.
  bool (*update)(const Values& constants, int states, const UpdateBlock<T>& block);
  // The state that changes places with the weights outside training (from the first step on); -1: none.
  int exchanged;
  const TensorKernel<T>* whole;  // only of Reach::tensor
};

template <class T>
const UpdateKernel<T>& update_kernel(int index);

// All passes over one parameter, by this thread alone. `tensor` has its arrays; scratch and sums are set
// here. The products of a rule may read up to 64 bytes past the end of the gradient.
template <class T>
bool update_whole(const TensorKernel<T>& kernel, const Values& values, const Values& constants,
                  UpdateTensor<T> tensor);

}  // namespace deltarule
