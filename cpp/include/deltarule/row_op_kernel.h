// Row operations by number on plain pointers. No declaration headers are needed to use this one.
#pragma once

#include <deltarule/catalog.h>
#include <cstddef>

namespace deltarule {

// n is the width of x and dx; y and dy have n / inputs_per_output. y may be x. dx may be dy where the widths
// are the same, but neither x nor y.
template <class T>
struct RowOpKernel {
  void (*forward)(const Values& values, std::size_t n, const T* x, T* y);
  // The same of many rows, each with the bits that it has by itself.
  void (*forward_rows)(const Values& values, std::size_t rows, std::size_t n, const T* x,
                       std::ptrdiff_t x_row, T* y, std::ptrdiff_t y_row);
  void (*backward)(const Values& values, std::size_t n, const T* x, const T* y, const T* dy, T* dx);
  // The R-operator. From the tangent of x to that of y: ry may be rx where the widths are the same.
  void (*tangent)(std::size_t n, const T* x, const T* y, const T* rx, T* ry);
  // From the tangent of dy to that of dx: rdx may be rdy where the widths are the same.
  void (*tangent_backward)(std::size_t n, const T* x, const T* rx, const T* y, const T* ry, const T* dy,
                           const T* rdy, T* rdx);
  std::size_t inputs_per_output;
};

template <class T>
const RowOpKernel<T>& row_op_kernel(int index);

// Width of the output; throws std::invalid_argument, naming `operation`, for a width that cannot be halved.
std::size_t row_op_width(int index, std::size_t width, const std::string& operation);

}  // namespace deltarule
