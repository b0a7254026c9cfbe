#include <deltarule/engine/gemm.h>
#include <doctest/doctest.h>

#include <vector>

#include "random.h"

using namespace deltarule::engine;
using Index = std::ptrdiff_t;

TEST_CASE_TEMPLATE("transpose", T, float, double) {
  Random random;
  for (int round = 0; round < 300; ++round) {
    const Index rows = random.below(70), cols = random.below(70), in_row = cols + random.below(9),
                out_row = rows + random.below(9);
    std::vector<T> in(static_cast<std::size_t>(rows * in_row)),
        out(static_cast<std::size_t>(cols * out_row), T(7));
    for (auto& v : in) v = static_cast<T>(random.value());
    transpose<T>(rows, cols, in.data(), in_row, out.data(), out_row);
    Index wrong = 0;
    for (Index j = 0; j < cols; ++j)
      for (Index i = 0; i < out_row; ++i)
        wrong += out[static_cast<std::size_t>(j * out_row + i)] !=
                 (i < rows ? in[static_cast<std::size_t>(i * in_row + j)] : T(7));
    CHECK(wrong == 0);
  }
}
