// A plug-in as docs/cpp.md has it: inference, behind one function in C.
#include <deltarule/network.h>
#include <deltarule/session.h>

extern "C" __attribute__((visibility("default"))) float plugin_run(float x);

float plugin_run(float x) {
  const deltarule::Network<float> network(
      {.layers = {{.type = "dense", .settings = {{"units", 300}}, .parts = {{"activation", {"tanh"}}}},
                  {.type = "dense", .settings = {{"units", 1}}}},
       .input_width = 1});
  deltarule::Session<float> session(network);
  float y = 0;
  session.run(&x, &y);
  return y;
}
