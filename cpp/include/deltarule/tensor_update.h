// Update rules that look at more of a parameter than one element: at its norm, or at it as a matrix.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>

namespace deltarule {

inline constexpr int max_states = 4;

struct TensorShape {
  std::ptrdiff_t rows, columns;  // a vector has one row
  bool matrix;                   // whether it maps inputs (rows) to outputs (columns)
  std::ptrdiff_t size() const { return rows * columns; }
};

// Elements of memory that an update needs. The tasks of a tensor share scratch and sums; each thread has a
// workspace of its own.
struct TensorCost {
  std::size_t scratch = 0, sums = 0, workspace = 0;
  double flops = 0;
};

// A whole parameter with its state arrays. The rule may write to the gradient.
template <class T>
struct UpdateTensor {
  TensorShape shape;
  T* gradient;
  T* weight;
  std::array<T*, max_states> state;
  T* scratch;
  double* sums;
};

// Such a rule goes over the parameters in passes, one after the other. A pass is cut into tasks, which
// several threads may run at the same time: how many follows from the shape alone.
template <class T>
struct TensorKernel {
  int (*passes)(const Values& values);
  int (*tasks)(const TensorShape& shape, int pass);  // 0: the pass leaves the parameter alone
  TensorCost (*cost)(const Values& values, const TensorShape& shape);
  // False when a new weight is not finite.
  bool (*run)(const Values& values, const Values& constants, const UpdateTensor<T>& tensor, int pass,
              int task, T* workspace);
};

}  // namespace deltarule
