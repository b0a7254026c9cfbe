// What the library at hand was compiled with. A matter of run time: the dynamic linker may have chosen it by
// the CPU.
#pragma once

#include <string>

namespace deltarule {

struct BuildInfo {
  std::string version;
  std::string isa;  // v2, v3, v4 (x86-64 levels), generic (other processors) or custom (the user's flags)
  std::string compiler;
  std::string eigen;
  int float_lanes;  // numbers in one register
};

BuildInfo build_info();

}  // namespace deltarule
