#!/usr/bin/env bash
# The C++ library and its tests with each compiler, version of Eigen and way of counting threads. Names of
# configurations choose some of them: compilers.sh gcc clang libc++ eigen-3.4 no-openmp
# Debian: g++ clang-19 libc++-19-dev; Eigen comes from pip (python must have `eigency` 5.0, and venv).
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

newest_clang() { compgen -c clang++- | grep -E '^clang\+\+-[0-9]+$' | sort -t- -k2 -n | tail -n 1; }

run_gcc() {
  if have g++; then attempt "$(g++ --version | head -n 1)" build_and_test gcc -- -D CMAKE_CXX_COMPILER=g++
  else note "skipped  g++ is not here"; fi
}
with_clang() { # NAME FOLDER SETTINGS...
  local clang
  clang=$(newest_clang || true)
  if [ -z "$clang" ] && have clang++; then clang=clang++; fi
  if [ -z "$clang" ]; then note "skipped  $1: clang++ is not here" && return; fi
  attempt "$1, $($clang --version | head -n 1)" build_and_test "$2" -- \
    -D CMAKE_CXX_COMPILER="$clang" -D CMAKE_C_COMPILER="${clang/++/}" "${@:3}"
}
run_clang() { with_clang clang clang; }
run_libc++() { # what macOS has; Debian: libc++-19-dev
  if ! "$(newest_clang)" -stdlib=libc++ -x c++ -E - <<< '#include <span>' > /dev/null 2>&1; then
    note "skipped  libc++ is not here" && return
  fi
  with_clang libc++ libcxx -D CMAKE_CXX_FLAGS=-stdlib=libc++
}
run_no-openmp() { attempt "without OpenMP" build_and_test no-openmp -- -D DELTARULE_OPENMP=OFF; }
run_eigen-3.4() { # the headers alone, out of an older package
  local eigen="$folder/eigency-3.4"
  [ -d "$eigen/eigency" ] || "$python" -m pip install -q --no-deps --target "$eigen" "eigency==3.4.0.7" || {
    note "skipped  Eigen 3.4: pip could not fetch eigency 3.4.0.7" && return
  }
  attempt "Eigen 3.4" build_and_test eigen-3.4 -- -D "DELTARULE_EIGEN_INCLUDE_DIR=$eigen/eigency/eigen"
}

wanted=("$@")
if [ ${#wanted[@]} = 0 ]; then wanted=(gcc clang libc++ no-openmp eigen-3.4); fi
for name in "${wanted[@]}"; do "run_$name"; done
finish
