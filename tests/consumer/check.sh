#!/usr/bin/env bash
# check.sh LIBRARY FOLDER: builds and runs the project beside this file with every way to get the C++ library and
# every compiler. LIBRARY is a finished build of deltarule; the wheel is the one that `python` has installed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source=$(cd "$here/../.." && pwd)
library=$(cd "$1" && pwd)
mkdir -p "$2" && folder=$(cd "$2" && pwd)
summary=()

outside() { (cd "$folder" && python "$@"); } # where Python finds the installed package, not the sources
eigen=$(outside -c 'import importlib.util as u; print(u.find_spec("eigency").submodule_search_locations[0] + "/eigen")')

consume() { # NAME SETTINGS...: configure, build, run
  local name=$1
  shift
  echo "== consumer: $name"
  cmake -S "$here" -B "$folder/build" -G Ninja --fresh --log-level=WARNING -D CMAKE_BUILD_TYPE=Release "$@"
  cmake --build "$folder/build"
  ctest --test-dir "$folder/build" --output-on-failure --no-tests=error
  summary+=("$name: $(cd "$folder/build" && ./consumer | head -n 1)")
}

rm -rf "$folder"/{installed,moved,runtime}
cmake --install "$library" --prefix "$folder/installed" > "$folder/install.log"
mv "$folder/installed" "$folder/moved"
cmake --install "$library" --prefix "$folder/runtime" --component deltarule_runtime > "$folder/install.log"
if find "$folder/runtime" -type f | grep -v '/libdeltarule\.' ; then
  echo "the component deltarule_runtime holds more than shared libraries" && exit 1
fi

# What the wheel's own dispatch takes on this CPU, glibc's dynamic linker takes too, since 2.33.
expected=$(outside -c 'import platform; from deltarule import _isa; name, version = platform.libc_ver()
print(_isa.load().config()["isa"] if name == "glibc" and tuple(map(int, version.split("."))) >= (2, 33) else "")')
compilers=()
for compiler in g++ clang++; do
  if command -v $compiler > /dev/null; then compilers+=($compiler); else summary+=("$compiler: not here"); fi
done
for compiler in "${compilers[@]}"; do
  with=(-D "CMAKE_CXX_COMPILER=$compiler")
  consume "$compiler, wheel" "${with[@]}" -D "deltarule_DIR=$(outside -m deltarule --cmake-dir)" -D "CONSUMER_ISA=$expected"
  with+=(-D "DELTARULE_EIGEN_INCLUDE_DIR=$eigen")
  for kind in static shared; do
    consume "$compiler, installed, $kind" "${with[@]}" -D "CMAKE_PREFIX_PATH=$folder/moved" -D CONSUMER_KIND=$kind
  done
done
# This builds the library once more: with the last compiler only, quickly.
consume "$compiler, subdirectory" -D "CMAKE_CXX_COMPILER=$compiler" -D CMAKE_BUILD_TYPE=Debug -D BUILD_SHARED_LIBS=ON \
  -D "DELTARULE_SOURCE=$source" -D "Python_EXECUTABLE=$(command -v python)"
if cmake -S "$here" -B "$folder/build" -G Ninja --fresh -D "deltarule_DIR=$(outside -m deltarule --cmake-dir)" \
  -D CONSUMER_KIND=static > "$folder/refused.log" 2>&1 || ! grep -q "holds no static library" "$folder/refused.log"; then
  cat "$folder/refused.log" && echo "a static library out of the wheel should have been refused" && exit 1
fi

echo "== consumer: bench/embedded"
cmake -S "$source/bench/embedded" -B "$folder/embedded" -G Ninja --fresh --log-level=WARNING -D CMAKE_BUILD_TYPE=Release \
  -D "deltarule_DIR=$(outside -m deltarule --cmake-dir)"
cmake --build "$folder/embedded"
"$folder/embedded/embedded" 1 # fails where its networks disagree
summary+=("bench/embedded: its networks agree")

echo "== consumer: passed"
printf '  %s\n' "${summary[@]}"
