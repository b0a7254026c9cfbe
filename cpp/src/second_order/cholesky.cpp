#include "cholesky.h"

#include <deltarule/engine/gemm.h>
#include <algorithm>
#include <cmath>

namespace deltarule::second_order {
namespace {

// Columns of a block: what lies before or behind it is taken off by one matrix product.
constexpr std::ptrdiff_t block = 48;

std::size_t whole_lines(std::size_t n) { return (n + 7) / 8 * 8; }

std::size_t product_size(std::ptrdiff_t n) {
  return whole_lines(static_cast<std::size_t>(std::max(n, most_vectors) * block));
}

// c (rows x columns, `c_row` apart) -= a b
void subtract_product(engine::Product<double> product, std::ptrdiff_t n, double* c, std::ptrdiff_t c_row,
                      double* scratch) {
  if (product.k == 0 || product.m == 0) return;
  product.c = scratch;
  product.c_row = product.n;
  engine::multiply<double>(product, scratch + product_size(n));
  for (std::ptrdiff_t i = 0; i < product.m; ++i)
    for (std::ptrdiff_t j = 0; j < product.n; ++j) c[i * c_row + j] -= scratch[i * product.n + j];
}

}  // namespace

std::size_t cholesky_scratch(std::ptrdiff_t n) {
  return product_size(n) + engine::workspace_size<double>(std::max(n, most_vectors), block, n) + 8;
}

bool cholesky(std::ptrdiff_t n, double* matrix, double* scratch) {
  for (std::ptrdiff_t begin = 0; begin < n; begin += block) {
    const std::ptrdiff_t width = std::min(block, n - begin);
    double* rows = matrix + begin * n;
    subtract_product({.m = n - begin,
                      .n = width,
                      .k = begin,
                      .a = rows,
                      .a_row = n,
                      .b = rows,
                      .b_step = 1,
                      .b_column = n},
                     n, rows + begin, n, scratch);
    for (std::ptrdiff_t i = 0; i < n - begin; ++i) {
      double* row = rows + i * n + begin;
      for (std::ptrdiff_t j = 0; j < std::min(i + 1, width); ++j) {
        const double* pivot = rows + j * n + begin;
        double rest = row[j];
        for (std::ptrdiff_t k = 0; k < j; ++k) rest -= row[k] * pivot[k];
        if (i == j && !(rest > 0 && std::isfinite(rest))) return false;
        row[j] = i == j ? std::sqrt(rest) : rest / pivot[j];
      }
    }
  }
  return true;
}

void cholesky_solve(std::ptrdiff_t n, const double* l, std::ptrdiff_t count, double* x, double* scratch) {
  const auto at = [=](std::ptrdiff_t i, std::ptrdiff_t j) { return l[i * n + j]; };
  for (std::ptrdiff_t begin = 0; begin < n; begin += block) {  // L y = x
    const std::ptrdiff_t end = std::min(n, begin + block);
    subtract_product({.m = count,
                      .n = end - begin,
                      .k = begin,
                      .a = x,
                      .a_row = n,
                      .b = l + begin * n,
                      .b_step = 1,
                      .b_column = n},
                     n, x + begin, n, scratch);
    for (double* v = x; v < x + count * n; v += n)
      for (std::ptrdiff_t i = begin; i < end; ++i) {
        for (std::ptrdiff_t j = begin; j < i; ++j) v[i] -= at(i, j) * v[j];
        v[i] /= at(i, i);
      }
  }
  for (std::ptrdiff_t begin = (n - 1) / block * block; begin >= 0; begin -= block) {  // L^T x = y
    const std::ptrdiff_t end = std::min(n, begin + block);
    subtract_product({.m = count,
                      .n = end - begin,
                      .k = n - end,
                      .a = x + end,
                      .a_row = n,
                      .b = l + end * n + begin,
                      .b_step = n},
                     n, x + begin, n, scratch);
    for (double* v = x; v < x + count * n; v += n)
      for (std::ptrdiff_t i = end; i-- > begin;) {
        v[i] /= at(i, i);
        for (std::ptrdiff_t j = begin; j < i; ++j) v[j] -= at(i, j) * v[i];
      }
  }
}

}  // namespace deltarule::second_order
