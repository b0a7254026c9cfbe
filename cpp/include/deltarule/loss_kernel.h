// Losses by number on plain pointers.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace deltarule {

inline constexpr std::int32_t no_label = std::numeric_limits<std::int32_t>::min();

template <class T>
struct LossRows {
  std::size_t rows, outputs;
  const T* prediction;
  std::ptrdiff_t prediction_row;
  const T* target;  // values or a distribution per row; null where the loss takes labels
  std::ptrdiff_t target_row;
  const std::int32_t* label;        // class per row; null where the loss takes values
  const T* weight;                  // per row, or null for all ones
  std::int32_t ignored = no_label;  // rows with this label have weight 0
};

template <class T>
double row_weight(const LossRows<T>& in, std::size_t i) {
  if (in.label && in.label[i] == in.ignored) return 0;
  return in.weight ? static_cast<double>(in.weight[i]) : 1.0;
}

// A loss from outside the catalogue (custom.h): value[i] = loss_i and gradient, rows x outputs, = d loss_i /
// d prediction_i.
template <class T>
using LossFunction = std::function<void(const LossRows<T>& rows, double* value, T* gradient)>;

template <class T>
struct LossKernel {
  void (*of_rows)(const Values& values, const LossRows<T>& rows, double scale, double* value, T* gradient,
                  std::ptrdiff_t gradient_row);
  bool from_logits;
  bool trainable;                           // false: the derivative is 0 everywhere
  bool signs;                               // targets are -1 and 1
  bool elementwise;                         // a sum over the outputs: the Hessian is diagonal
  int outputs_per_target;                   // 2: the network has two outputs for each target
  int ignore_parameter;                     // which parameter is the label that is ignored; -1: none
  const LossFunction<T>* custom = nullptr;  // then it wants all rows of a batch at once
  // value[i] = weight_i * loss_i and gradient row i = scale * weight_i * d loss_i / d prediction_i.
  void run(const Values& values, const LossRows<T>& rows, double scale, double* value, T* gradient,
           std::ptrdiff_t gradient_row) const {
    if (custom)
      run_custom(rows, scale, value, gradient, gradient_row);
    else
      of_rows(values, rows, scale, value, gradient, gradient_row);
  }
  void run_custom(const LossRows<T>& rows, double scale, double* value, T* gradient,
                  std::ptrdiff_t gradient_row) const;
  std::int32_t ignored(const Values& values) const {
    return ignore_parameter < 0
               ? no_label
               : static_cast<std::int32_t>(values[static_cast<std::size_t>(ignore_parameter)]);
  }
};

template <class T>
const LossKernel<T>& loss_kernel(int index);

// out row i = scale * weight_i * H_i v_i, H_i the matrix of second derivatives of loss_i. v and out are
// contiguous, rows x outputs.
void loss_hessian_times(int index, const Values& values, const LossRows<double>& rows, double scale,
                        const double* v, double* out);

}  // namespace deltarule
