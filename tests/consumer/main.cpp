// Uses an installed deltarule from outside: makes a network, runs it, and checks that rows are independent.
#include <deltarule/deltarule.h>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  const deltarule::Network<float> network({
      .seed = 1,
      .layers = {{.type = "dense", .settings = {{"units", 8}}, .parts = {{"activation", {"relu"}}}},
                 {.type = "dense", .settings = {{"units", 3}}}},
      .input_width = 4,
  });
  deltarule::Session<float> session(network, /*max_batch=*/2);

  const std::vector<float> in = {1, 2, 3, 4, 4, 3, 2, 1};
  std::vector<float> both(6), second(3);
  session.run(in.data(), both.data(), 2);
  session.run(in.data() + 4, second.data());
  for (std::size_t i = 0; i < 3; ++i) {
    std::printf("%g ", static_cast<double>(second[i]));
    if (std::abs(second[i] - both[3 + i]) > 1e-5f) return 1;
  }
  return std::printf("\n") < 0;
}
