// Time for one row, in nanoseconds: every library gets the same weights, and the outputs must agree.
#include "embedded.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

using Clock = std::chrono::steady_clock;

Net network(const std::string& activation, const std::vector<int>& sizes) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Net net{"", activation, {}};
  for (std::size_t i = 0; i + 1 < sizes.size(); ++i) {
    Matrix m{sizes[i], sizes[i + 1], {}, {}};
    const float scale = std::sqrt(2.0f / static_cast<float>(m.inputs));
    m.weight.resize(static_cast<std::size_t>(m.inputs) * static_cast<std::size_t>(m.units));
    for (float& w : m.weight) w = scale * normal(random);
    m.bias.resize(static_cast<std::size_t>(m.units));
    for (float& b : m.bias) b = 0.1f * normal(random);
    net.layers.push_back(m);
  }
  for (const int size : sizes) net.name += (net.name.empty() ? "" : "-") + std::to_string(size);
  if (net.layers.size() > 1) net.name += " " + activation;
  return net;
}

// The output goes into the next input, so that no call can begin before the last has ended.
double nanoseconds(const Run& run, std::vector<float> row, long calls) {
  const auto start = Clock::now();
  for (long i = 0; i < calls; ++i) row[0] = 1e-3f * run(row.data())[0];
  return 1e9 * std::chrono::duration<double>(Clock::now() - start).count() / static_cast<double>(calls);
}

double median(std::vector<double> x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 15;
  std::vector<Competitor> all;
  const auto add = [&](const std::vector<Competitor>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  add(deltarule_ways());
#if defined(WITH_RTNEURAL)
  add(rtneural_ways());
#endif
#if defined(WITH_TORCH)
  add(torch_ways());
#endif
  std::printf("| ns for one row |");
  for (const Competitor& c : all) std::printf(" %s |", c.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < all.size(); ++i) std::printf("--:|");
  std::printf("\n");
  bool agree = true;
  for (const Net& net :
       {network("relu", {4, 4}), network("relu", {8, 8}), network("relu", {16, 16}),
        network("relu", {32, 32}), network("relu", {64, 64}), network("tanh", {8, 32, 32, 1}),
        network("relu", {64, 128, 64, 10}), network("relu", {784, 256, 128, 10})}) {
    std::vector<float> row(static_cast<std::size_t>(net.inputs()));
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = std::sin(static_cast<float>(i));
    std::vector<Run> runs;
    std::vector<long> calls;
    std::vector<float> expected;
    std::vector<std::vector<double>> times(all.size());
    for (const Competitor& c : all) {
      runs.push_back(c.prepare(net));
      calls.push_back(0);
      if (!runs.back()) continue;
      const float* got = runs.back()(row.data());
      const std::vector<float> out(got, got + net.outputs());
      if (expected.empty()) expected = out;
      float largest = 0, error = 0;
      for (std::size_t j = 0; j < out.size(); ++j) {
        largest = std::max(largest, std::abs(expected[j]));
        error = std::max(error, std::abs(out[j] - expected[j]));
      }
      if (!(error <= (c.name.find("bfloat16") == std::string::npos ? 1e-4f : 2e-2f) * largest)) {
        std::fprintf(stderr, "%s, %s: outputs differ by %g of %g\n", net.name.c_str(), c.name.c_str(),
                     static_cast<double>(error), static_cast<double>(largest));
        agree = false;
      }
      const double once = nanoseconds(runs.back(), row, 100);
      calls.back() = std::clamp(static_cast<long>(1e7 / once), 10L, 1'000'000L);  // ten milliseconds
    }
    for (int round = 0; round < rounds; ++round)
      for (std::size_t i = 0; i < runs.size(); ++i)
        if (runs[i]) times[i].push_back(nanoseconds(runs[i], row, calls[i]));
    std::printf("| %s |", net.name.c_str());
    for (std::size_t i = 0; i < runs.size(); ++i)
      if (runs[i])
        std::printf(" %.*f |", median(times[i]) < 100 ? 1 : 0, median(times[i]));
      else
        std::printf(" |");
    std::printf("\n");
    std::fflush(stdout);
  }
  return agree ? 0 : 1;
}
