// Symmetric positive definite systems in double.
#pragma once

#include <cstddef>

namespace deltarule::second_order {

// Numbers of 64-byte aligned scratch that either function needs for matrices of up to n x n.
std::size_t cholesky_scratch(std::ptrdiff_t n);

// Turns the lower triangle of the n x n matrix (rows contiguous) into L with L L^T = matrix; what stands
// above the diagonal is not looked at, and lost. False where the matrix is not positive definite or not
// finite.
bool cholesky(std::ptrdiff_t n, double* matrix, double* scratch);

// x = (L L^T)^-1 x for `count` <= most_vectors vectors of n numbers, one after the other.
inline constexpr std::ptrdiff_t most_vectors = 32;
void cholesky_solve(std::ptrdiff_t n, const double* l, std::ptrdiff_t count, double* x, double* scratch);

}  // namespace deltarule::second_order
