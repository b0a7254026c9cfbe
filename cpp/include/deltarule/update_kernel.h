// Update rules by number on plain pointers.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>

namespace deltarule {

inline constexpr int max_states = 4;

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
  // False when a new weight is not finite. Null for a rule of the whole network.
  bool (*update)(const Values& constants, int states, const UpdateBlock<T>& block);
  // The state that changes places with the weights outside training (from the first step on); -1: none.
  int exchanged;
};

template <class T>
const UpdateKernel<T>& update_kernel(int index);

}  // namespace deltarule
