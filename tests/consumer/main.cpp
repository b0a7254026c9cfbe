// Uses deltarule from outside: makes a network, runs it in every way there is, and checks that rows are
// independent and that the ways agree.
#include <deltarule/deltarule.h>
#include <deltarule/static_network.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <vector>

using Fixed = deltarule::StaticNetwork<float, 4, deltarule::fixed::Dense<8, deltarule::Gelu>,
                                       deltarule::fixed::Dense<3, deltarule::Softmax>>;

#ifdef CONSUMER_PART
int part();
#else
static int part() { return 3; }
#endif

int main(int count, char** arguments) {
  const deltarule::BuildInfo info = deltarule::build_info();
  std::printf("deltarule %s for %s, %s\n", info.version.c_str(), info.isa.c_str(), info.compiler.c_str());
  if (count > 1 && info.isa != arguments[1]) return std::printf("%s was expected\n", arguments[1]), 1;

  const deltarule::Network<float> made({
      .seed = 1,
      .layers = {{.type = "dense", .settings = {{"units", 8}}, .parts = {{"activation", {"gelu"}}}},
                 {.type = "dense", .settings = {{"units", 3}}, .parts = {{"activation", {"softmax"}}}}},
      .input_width = 4,
  });
  deltarule::save("consumer.safetensors", made);
  const auto network = deltarule::load<float>("consumer.safetensors");
  deltarule::export_c("consumer.h", network);

  deltarule::Session<float> session(network, /*max_batch=*/2);
  const auto fixed = std::make_unique<Fixed>(network);
  const std::vector<float> in = {1, 2, 3, 4, 4, 3, 2, 1};
  std::vector<float> both(6), second(3), same(3);
  session.run(in.data(), both.data(), 2);
  session.run(in.data() + 4, second.data());
  fixed->run(in.data() + 4, same.data());
  for (std::size_t i = 0; i < 3; ++i) {
    std::printf("%g ", static_cast<double>(second[i]));
    if (second[i] != both[3 + i] || std::abs(second[i] - same[i]) > 1e-5f) return 1;
  }
  if (part() != 3) return 1;
  return std::printf("\n") < 0;
}
