// Losses by number on plain pointers.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>
#include <cstdint>

namespace deltarule {

template <class T>
struct LossRows {
  std::size_t rows, outputs;
  const T* prediction;
  std::ptrdiff_t prediction_row;
  const T* target;  // values or a distribution per row; null where the loss takes labels
  std::ptrdiff_t target_row;
  const std::int32_t* label;  // class per row; null where the loss takes values
  const T* weight;            // per row, or null for all ones
};

template <class T>
struct LossKernel {
  // value[i] = weight_i * loss_i and gradient row i = scale * weight_i * d loss_i / d prediction_i.
  void (*run)(const Values& values, const LossRows<T>& rows, double scale, double* value, T* gradient,
              std::ptrdiff_t gradient_row);
  bool from_logits;
};

template <class T>
const LossKernel<T>& loss_kernel(int index);

}  // namespace deltarule
