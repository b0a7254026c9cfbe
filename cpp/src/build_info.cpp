#include <deltarule/build_info.h>
#include <deltarule/simd/pack.h>

namespace deltarule {

BuildInfo build_info() {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
#if defined(EIGEN_MAJOR_VERSION) && \
    EIGEN_MAJOR_VERSION >= 5  // since then WORLD, still 3, is no part of the version
  const int eigen[] = {EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION, EIGEN_PATCH_VERSION};
#else
  const int eigen[] = {EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION};
#endif
  return {.version = DELTARULE_VERSION,
          .isa = DELTARULE_ISA,
          .compiler = compiler,
          .eigen = std::to_string(eigen[0]) + "." + std::to_string(eigen[1]) + "." + std::to_string(eigen[2]),
          .float_lanes = simd::native_width<float>};
}

}  // namespace deltarule
