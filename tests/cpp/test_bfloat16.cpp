#include <deltarule/bfloat16_weights.h>
#include <deltarule/engine/bfloat16.h>
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "support.h"

using namespace support;
using engine::Bfloat16Matrix;
using engine::Bfloat16Product;
using engine::from_bfloat16;
using engine::to_bfloat16;
using Index = std::ptrdiff_t;

namespace {

float rounded(float x) { return from_bfloat16(to_bfloat16(x)); }

}  // namespace

TEST_CASE("numbers are rounded to the nearest bfloat16, ties to even") {
  const float one = 1, above = 1 + 1.0f / 128;  // neighbours
  CHECK(rounded(one) == one);
  CHECK(rounded(above) == above);
  CHECK(rounded(1 + 1.0f / 256) == one);                          // a tie: the last bit of `one` is 0
  CHECK(rounded(1 + 3.0f / 256) == 1 + 2.0f / 128);               // a tie: that of `above` is 1
  CHECK(rounded(std::nextafter(1 + 1.0f / 256, 2.0f)) == above);  // just beyond the middle
  CHECK(rounded(-std::nextafter(1 + 1.0f / 256, 2.0f)) == -above);
  CHECK(rounded(0) == 0);
  CHECK(std::signbit(rounded(-0.0f)));
  CHECK(rounded(3e-45f) == 0);
  const float infinite = std::numeric_limits<float>::infinity();
  CHECK(rounded(infinite) == infinite);
  CHECK(rounded(std::numeric_limits<float>::max()) == infinite);
  for (const std::uint32_t bits : {0x7fc00000u, 0x7f800001u, 0x7fffffffu, 0xffffffffu})
    CHECK(std::isnan(rounded(std::bit_cast<float>(bits))));
  Numbers numbers(3);
  for (int i = 0; i < 100000; ++i) {
    const auto x = static_cast<float>(std::ldexp(numbers.next(), static_cast<int>(60 * numbers.next())));
    const float y = rounded(x);
    REQUIRE(std::abs(y - x) <= std::ldexp(std::abs(x), -8) / (1 + std::ldexp(1.0f, -8)));
    REQUIRE(rounded(y) == y);
  }
}

TEST_CASE("products are those of the rounded numbers") {
  Numbers numbers(1);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Index m : {1, 2, 5, 6, 7, 12, 13, 31, 241, 500})
    for (const auto& [k, n] :
         {std::pair<Index, Index>{1, 1}, {2, 16}, {3, 17}, {64, 33}, {77, 150}, {500, 64}}) {
      const Index row = k + 3, c_row = n + 5;
      const auto size = [](Index count) { return static_cast<std::size_t>(count); };
      std::vector<float> a(size(m * row), nan), bias = numbers.many<float>(size(n));
      const std::vector<float> b = numbers.many<float>(size(k * (n + 2)));
      for (Index i = 0; i < m; ++i)
        for (Index p = 0; p < k; ++p) a[size(i * row + p)] = static_cast<float>(numbers.next());
      const Bfloat16Matrix matrix(k, n, b.data(), n + 2);
      engine::Buffer<float> workspace(engine::bfloat16_workspace(m, k));
      std::fill(workspace.span().begin(), workspace.span().end(), nan);
      std::vector<float> c(size(m * c_row), -7);
      Bfloat16Product product{.m = m, .n = n, .a = a.data(), .a_row = row, .b = &matrix, .c = c.data()};
      product.c_row = c_row, product.bias = bias.data(), product.relu = m % 2 == 1;
      multiply(product, workspace.data());
      for (Index i = 0; i < m; ++i) {
        for (Index j = 0; j < n; ++j) {
          double sum = static_cast<double>(bias[size(j)]), all = std::abs(sum);
          for (Index p = 0; p < k; ++p) {
            const double term = static_cast<double>(rounded(a[size(i * row + p)])) *
                                static_cast<double>(rounded(b[size(p * (n + 2) + j)]));
            sum += term, all += std::abs(term);
          }
          if (product.relu) sum = std::max(sum, 0.0);
          const double error = std::abs(static_cast<double>(c[size(i * c_row + j)]) - sum);
          REQUIRE(error <= static_cast<double>(k + 1) * std::ldexp(all, -24));
        }
        for (Index j = n; j < c_row; ++j) REQUIRE(c[size(i * c_row + j)] == -7);
      }
      // In parts: the same bits.
      std::vector<float> parts(c.size(), -7);
      for (Index j = 0; j < n; j += Bfloat16Matrix::panel)
        for (Index i = 0; i < m; i += 4) {
          Bfloat16Product part = product;
          part.m = std::min<Index>(4, m - i), part.first = j, part.n = std::min(Bfloat16Matrix::panel, n - j);
          part.a += i * row, part.c = parts.data() + i * c_row + j, part.bias += j;
          multiply(part, workspace.data());
        }
      REQUIRE(same_bits<float>(parts, c));
    }
}

TEST_CASE("a NaN or an infinity stays in its row") {
  const std::vector<float> b(40 * 20, 0.5f);
  const Bfloat16Matrix matrix(40, 20, b.data(), 20);
  engine::Buffer<float> workspace(engine::bfloat16_workspace(3, 40));
  std::vector<float> a(3 * 40, 1), c(3 * 20);
  a[7] = std::numeric_limits<float>::quiet_NaN();
  a[2 * 40 + 39] = std::numeric_limits<float>::infinity();
  engine::multiply(
      {.m = 3, .n = 20, .a = a.data(), .a_row = 40, .b = &matrix, .c = c.data(), .c_row = 20, .relu = true},
      workspace.data());
  for (std::size_t j = 0; j < 20; ++j) {
    CHECK(std::isnan(c[j]));
    CHECK(c[20 + j] == 20);
    CHECK(c[40 + j] == std::numeric_limits<float>::infinity());
  }
}

TEST_CASE("a session with rounded weights: near the network's outputs, the same bits in any batch") {
  Network<float> network(mixed(13, 40));
  Numbers numbers(2);
  for (float& w : network.parameters()) w += static_cast<float>(0.1 * numbers.next());
  const std::vector<float> x = numbers.many<float>(13 * 300);
  const Bfloat16Weights weights(network);
  CHECK(weights.bytes() > 0);
  std::vector<float> exact(40 * 300), all(40 * 300), some(40 * 300), one(40);
  Session<float>(network, 300).run(x.data(), exact.data(), 300);
  Session<float> large(network, weights, 300), middle(network, weights, 9), single(network, weights);
  const long before = allocations();
  large.run(x.data(), all.data(), 300);
  middle.run(x.data(), some.data(), 300);
  CHECK(allocations() == before);
  CHECK(same_bits<float>(all, some));
  for (std::size_t i = 0; i < 300; ++i) {
    single.run(&x[13 * i], one.data());
    REQUIRE(same_bits<float>(one, std::span<const float>(all).subspan(40 * i, 40)));
  }
  double error = 0, most = 0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    error = std::max(error, static_cast<double>(std::abs(all[i] - exact[i])));
    most = std::max(most, static_cast<double>(std::abs(exact[i])));
  }
  CHECK(error > 0);
  CHECK(error < 0.02 * most);
}

TEST_CASE("threads that share a product of rounded weights give the same bits") {
  const Network<float> network({700, {dense(1100, "tanh"), dense(900, "relu"), dense(7)}, 3});
  const std::vector<float> x = Numbers(4).many<float>(700 * 40);
  const Bfloat16Weights weights(network);
  Session<float> session(network, weights, 40);
  REQUIRE(session.large());
  for (const std::ptrdiff_t rows : {1, 17, 40}) {
    std::vector<float> alone(static_cast<std::size_t>(7 * rows)), shared(alone.size());
    session.run(x.data(), alone.data(), rows);
    for (const int threads : {2, 5}) {
      std::fill(shared.begin(), shared.end(), 0.0f);
      session.run_shared(threads, x.data(), shared.data(), rows);
      CHECK(same_bits<float>(alone, shared));
    }
  }
}

TEST_CASE("rounded weights are a copy, and those of one network only") {
  Network<float> network({4, {dense(20)}, 3});
  const Bfloat16Weights weights(network);
  const float x[] = {1, 2, 3};
  float before[20], after[20];
  Session<float>(network, weights).run(x, before);
  for (float& w : network.tensor("dense_1.weight")) w = 1;
  Session<float>(network, weights).run(x, after);
  CHECK(same_bits<float>(before, after));
  const Network<float> other({4, {dense(21)}, 3});
  CHECK_THROWS_WITH_AS(Session<float>(other, weights),
                       doctest::Contains("layer 'dense_1' has none of 3 x 21"), std::invalid_argument);
  CHECK(Bfloat16Weights(Network<float>({4, {dense(16)}, 3})).bytes() == 0);  // nothing to gain
}
