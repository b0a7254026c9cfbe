// A library that links deltarule and is installed with it.
#include <deltarule/network.h>

int part();
int part() {
  return static_cast<int>(
      deltarule::Network<float>({.layers = {{.type = "dense", .settings = {{"units", 3}}}}, .input_width = 4})
          .output_width());
}
