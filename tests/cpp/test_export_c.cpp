// The C file as C++ programs write it; that it computes the same is tested from Python, with C compilers.
#include "support.h"

#include <deltarule/custom.h>
#include <deltarule/export_c.h>
#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <system_error>

using namespace support;

TEST_CASE_TEMPLATE("the file is the text", T, float, double) {
  const Network<T> network(mixed(6, 3));
  const std::vector<T> rows = Numbers(1).many<T>(12);
  const ExportOptions<T> options{.prefix = "net", .test_inputs = rows, .comment = "why"};
  const std::string text = to_c(network, options);
  export_c("exported.h", network, options);
  std::ifstream file("exported.h", std::ios::binary);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == text);
  file.close();
  std::remove("exported.h");
  CHECK(text.find("\n   why\n") != std::string::npos);
  CHECK(text.find(sizeof(T) == 4 ? "static inline void net_run(const float *input"
                                 : "static inline void net_run(const double *input") != std::string::npos);
  CHECK(text.find("static const " + std::string(sizeof(T) == 4 ? "float" : "double") +
                  " net_test_input[12]") != std::string::npos);
}

TEST_CASE("what cannot be written is refused") {
  const Network<float> network({1, {dense(2)}, 3});
  CHECK_THROWS_AS(to_c(Network<float>({1, {dense(2)}, 0})), std::invalid_argument);
  CHECK_THROWS_AS(to_c(network, {.prefix = "_x"}), std::invalid_argument);
  const std::vector<float> rows(4);
  CHECK_THROWS_AS(to_c(network, {.test_inputs = rows}), std::invalid_argument);
  CHECK_THROWS_AS(export_c("no folder/model.h", network), std::system_error);
  custom::add_activation("outside_of_c", [](auto x) { return x; }, [](auto x) { return x; });
  CHECK_THROWS_AS(to_c(Network<float>({1, {dense(2, "outside_of_c")}, 3})), std::invalid_argument);
}
