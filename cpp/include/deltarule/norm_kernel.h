// Normalisation on plain pointers: rows of `columns` numbers, `row` apart.
#pragma once

#include <deltarule/engine/op.h>
#include <cstddef>

namespace deltarule {

using engine::View;

// Mean and sum of squared deviations of every column over these rows, by the provisional-mean method.
template <class T>
void column_moments(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, T* mean, T* deviations);

// Adds a part with `count` rows to the moments of `before` rows (Chan, Golub & LeVeque 1983).
template <class T>
void merge_moments(std::ptrdiff_t columns, double before, T* mean, T* deviations, double count,
                   const T* part_mean, const T* part_deviations);

// y = gain * (x - mean) * inverse + shift, all but x and y per column.
template <class T>
void normalize_columns(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* mean,
                       const T* inverse, const T* gain, const T* shift, View<T> y);

// Sums over these rows of dy and of dy * (x - mean) * inverse.
template <class T>
void batch_norm_sums(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                     const T* mean, const T* inverse, T* sum, T* product);

// dx of batch normalisation over `count` rows, given the two sums over all of them; dx may be dy.
template <class T>
void batch_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* mean, const T* inverse, const T* gain, const T* sum, const T* product,
                      double count, View<T> dx);

// Each row for itself; mean and inverse get one number per row.
template <class T>
void layer_norm_forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* gain,
                        const T* shift, double epsilon, View<T> y, T* mean, T* inverse);
template <class T>
void layer_norm_input(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                      const T* gain, const T* mean, const T* inverse, View<T> dx);
template <class T>
void layer_norm_parameters(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                           const T* mean, const T* inverse, T* dgain, T* dshift);
// y = gain * x / sqrt(mean of squares + epsilon), each row for itself; `inverse`, where there is one, gets
// what x is multiplied by.
template <class T>
void rms_norm_forward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, const T* gain,
                      double epsilon, View<T> y, T* inverse);
// Of layer normalisation, both in one pass; dgain and dshift are added to. dx may be x or dy.
template <class T>
void layer_norm_backward(std::ptrdiff_t rows, std::ptrdiff_t columns, View<const T> x, View<const T> dy,
                         const T* gain, const T* mean, const T* inverse, View<T> dx, T* dgain, T* dshift);

}  // namespace deltarule
