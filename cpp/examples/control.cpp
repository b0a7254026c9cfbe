// A network as a controller: learns to balance a pole from a linear controller, then holds it up at 1 kHz, on
// time. Prints the latency of a decision.
//
//   control [seconds]
#include <deltarule/deltarule.h>
#include <deltarule/static_network.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

namespace {

using State = std::array<float, 4>;  // cart: place, speed; pole: angle, angular speed
using Policy =
    deltarule::StaticNetwork<float, 4, deltarule::fixed::Dense<32, deltarule::Tanh>,
                             deltarule::fixed::Dense<32, deltarule::Tanh>, deltarule::fixed::Dense<1>>;
using Clock = std::chrono::steady_clock;

constexpr float step = 0.001f;  // seconds

// Barto, Sutton & Anderson 1983: a cart of 1 kg with a pole of 0.1 kg and 1 m.
State moved(State s, float force) {
  const float sine = std::sin(s[2]), cosine = std::cos(s[2]);
  const float push = (force + 0.05f * s[3] * s[3] * sine) / 1.1f;
  const float turn = (9.8f * sine - cosine * push) / (0.5f * (4.0f / 3 - 0.1f * cosine * cosine / 1.1f));
  const float speed = push - 0.05f * turn * cosine / 1.1f;
  return {s[0] + step * s[1], s[1] + step * speed, s[2] + step * s[3], s[3] + step * turn};
}

float teacher(const State& s) {
  return std::clamp(1.0f * s[0] + 2.4f * s[1] + 33 * s[2] + 9 * s[3], -20.0f, 20.0f);
}

deltarule::Network<float> learnt() {
  deltarule::Network<float> network(
      {.seed = 1,
       .layers = {{.type = "dense", .settings = {{"units", 32}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 32}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 1}}}},
       .input_width = 4});
  std::vector<float> x, force;
  std::uint32_t random = 1;
  const auto uniform = [&] {
    return static_cast<float>((random = random * 1664525u + 1013904223u) >> 8) / (1 << 23) - 1;
  };
  for (int i = 0; i < 4096; ++i) {
    const State s{uniform(), uniform(), 0.3f * uniform(), uniform()};
    x.insert(x.end(), s.begin(), s.end());
    force.push_back(teacher(s));
  }
  deltarule::Trainer<float> trainer(network,
                                    {.loss = {"mse"}, .optimizer = {"adam", {{"learning_rate", 0.005}}}});
  const deltarule::Data<float> data{.rows = 4096, .x = x.data(), .target = force.data()};
  for (int epoch = 0; epoch < 40; ++epoch) trainer.run_epoch(data, {.epoch = epoch, .batch_size = 64});
  std::printf("learnt the controller to %.2f N\n", std::sqrt(trainer.evaluate(data).loss));
  return network;
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 1;
  const auto policy = std::make_unique<Policy>(learnt());

  State state{0.2f, 0, 0.1f, 0};
  std::vector<double> latencies;
  latencies.reserve(static_cast<std::size_t>(seconds / static_cast<double>(step)) + 1);
  double late = 0;
  auto tick = Clock::now();
  for (std::size_t i = 0; i < latencies.capacity(); ++i) {
    tick += std::chrono::milliseconds(1);
    std::this_thread::sleep_until(tick);
    late = std::max(late, std::chrono::duration<double>(Clock::now() - tick).count());
    const auto asked = Clock::now();
    const float force = (*policy)(state)[0];
    latencies.push_back(std::chrono::duration<double>(Clock::now() - asked).count());
    state = moved(state, force);
  }
  std::sort(latencies.begin(), latencies.end());
  const auto quantile = [&](double share) {
    return 1e9 * latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))];
  };
  std::printf("%zu decisions at 1 kHz: median %.0f ns, 99 %% below %.0f ns, worst %.0f ns\n",
              latencies.size(), quantile(0.5), quantile(0.99), quantile(1));
  std::printf("the operating system woke us up to %.0f us late\n", 1e6 * late);
  std::printf("the pole leans %.4f rad, the cart is at %.3f m\n", static_cast<double>(state[2]),
              static_cast<double>(state[0]));
  return std::fabs(state[2]) < 0.2f && std::fabs(state[0]) < 2 ? 0 : 1;
}
