// Nanoseconds for one row, from a session and from a network of fixed size. Every input depends on the output
// before, so that runs cannot overlap.
//
//   latency [seconds per figure]
#include <deltarule/deltarule.h>
#include <deltarule/static_network.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

namespace {

using deltarule::LayerSpec;
using deltarule::Network;
using deltarule::Relu;
using deltarule::Session;
using deltarule::StaticNetwork;
using deltarule::Tanh;
using deltarule::fixed::Dense;

double seconds = 0.01;
bool agree = true;

LayerSpec dense(int units, const std::string& activation = "") {
  LayerSpec layer{.type = "dense", .settings = {{"units", static_cast<double>(units)}}};
  if (!activation.empty()) layer.parts["activation"] = {activation};
  return layer;
}

// The best of several rounds: what the machine can do when nobody interrupts.
template <class Run>
double nanoseconds(std::vector<float>& in, std::vector<float>& out, Run run) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  long runs = 100;
  for (int round = 0; round < 20; ++round) {
    const auto start = Clock::now();
    for (long i = 0; i < runs; ++i) {
      run(in.data(), out.data());
      in[0] = out[0];
    }
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::min(best, 1e9 * took / static_cast<double>(runs));
    runs = std::clamp(static_cast<long>(seconds / 20 * 1e9 / best), 10L, 10'000'000L);
  }
  return best;
}

template <class Fixed>
void measure(const char* name, const std::vector<LayerSpec>& layers) {
  const Network<float> network({.seed = 1, .layers = layers, .input_width = Fixed::inputs});
  Session<float> session(network);
  const auto fixed = std::make_unique<Fixed>(network);
  std::vector<float> in(Fixed::inputs, 0.1f), out(Fixed::outputs), same(Fixed::outputs);
  session.run(in.data(), out.data());
  fixed->run(in.data(), same.data());
  for (std::size_t j = 0; j < out.size(); ++j) agree = agree && std::fabs(out[j] - same[j]) < 1e-5f;
  const double dynamic = nanoseconds(in, out, [&](const float* x, float* y) { session.run(x, y); });
  std::fill(in.begin(), in.end(), 0.1f);
  const double constant = nanoseconds(in, out, [&](const float* x, float* y) { fixed->run(x, y); });
  std::printf("%-24s %8.1f %8.1f\n", name, dynamic, constant);
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1) seconds = std::atof(arguments[1]);
  std::printf("%-24s %8s %8s   ns for one row\n", "", "Session", "Static");
  measure<StaticNetwork<float, 4, Dense<4>>>("dense 4 x 4", {dense(4)});
  measure<StaticNetwork<float, 8, Dense<8>>>("dense 8 x 8", {dense(8)});
  measure<StaticNetwork<float, 16, Dense<16>>>("dense 16 x 16", {dense(16)});
  measure<StaticNetwork<float, 32, Dense<32>>>("dense 32 x 32", {dense(32)});
  measure<StaticNetwork<float, 64, Dense<64>>>("dense 64 x 64", {dense(64)});
  measure<StaticNetwork<float, 8, Dense<32, Tanh>, Dense<32, Tanh>, Dense<1>>>(
      "8-32-32-1, tanh", {dense(32, "tanh"), dense(32, "tanh"), dense(1)});
  measure<StaticNetwork<float, 64, Dense<128, Relu>, Dense<64, Relu>, Dense<10>>>(
      "64-128-64-10, relu", {dense(128, "relu"), dense(64, "relu"), dense(10)});
  if (!agree) std::printf("the two disagree\n");
  return agree ? 0 : 1;
}
