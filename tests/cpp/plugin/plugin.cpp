// A plug-in that trains: the static library inside, nothing of it to be seen from outside.
#include <deltarule/deltarule.h>
#include <deltarule/engine/team.h>
#include <vector>

extern "C" __attribute__((visibility("default"))) int train() {
  using namespace deltarule;
  engine::set_threads(2);
  Network<float> network({.layers = {{.type = "dense", .settings = {{"units", 256}}}}, .input_width = 256});
  Trainer<float> trainer(network, {.loss = {"mse"}});
  const std::vector<float> x(256 * 512, 0.1f), y(256 * 512, 0.2f);
  return static_cast<int>(
      trainer.run_epoch({.rows = 512, .x = x.data(), .target = y.data()}, {.batch_size = 256}).steps);
}
