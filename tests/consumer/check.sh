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

consume() { # NAME SETTINGS...: configure, build, run
  local name=$1
  shift
  echo "== consumer: $name"
  cmake -S "$here" -B "$folder/build" -G Ninja --fresh --log-level=WARNING -D CMAKE_BUILD_TYPE=Release "$@"
  cmake --build "$folder/build"
  ctest --test-dir "$folder/build" --output-on-failure --no-tests=error
  summary+=("$name: $(cd "$folder/build" && ./consumer | head -n 1)")
}

refused() { # TEXT SETTINGS...: CMake must fail and say why
  local text=$1
  shift
  if cmake -S "$here" -B "$folder/build" -G Ninja --fresh "$@" > "$folder/refused.log" 2>&1 ||
    ! tr -s ' \n' ' ' < "$folder/refused.log" | grep -qF "$text"; then
    cat "$folder/refused.log" && echo "should have been refused with: $text" && exit 1
  fi
}

rm -rf "$folder"/{installed,moved,runtime,elsewhere,exported}
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
  for kind in static shared; do
    consume "$compiler, installed, $kind" "${with[@]}" -D "CMAKE_PREFIX_PATH=$folder/moved" -D CONSUMER_KIND=$kind
  done
done

echo "== consumer: Eigen"
wheel=$(outside -m deltarule --cmake-dir)
grep -q '/eigency/eigen" "" python)' "$wheel/deltarule-config.cmake" || { echo "a wheel names no folder of the build" && exit 1; }
cp -r "$folder/moved" "$folder/elsewhere" # as if the folder of the build were gone: found through Python
config=$(find "$folder/elsewhere" -name deltarule-config.cmake)
sed -i 's|/eigency/eigen" "[^"]*" python)|/eigency/eigen" "/none" python)|' "$config"
grep -q '"/none" python' "$config"
consume "$compiler, installed, Eigen of pip" -D "CMAKE_CXX_COMPILER=$compiler" -D "CMAKE_PREFIX_PATH=$folder/elsewhere"
sed -i 's|set(_deltarule_eigen ".*")|set(_deltarule_eigen "5.0.99")|' "$config"
refused "pip install 'eigency==5.0.99.*'" -D "CMAKE_PREFIX_PATH=$folder/elsewhere"
refused "no Eigen/Core in DELTARULE_EIGEN_INCLUDE_DIR, $folder/none" \
  -D "CMAKE_PREFIX_PATH=$folder/moved" -D "DELTARULE_EIGEN_INCLUDE_DIR=$folder/none"

echo "== consumer: components"
refused "holds no static library" -D "deltarule_DIR=$wheel" -D CONSUMER_KIND=static
refused "no component 'statik'; allowed: static, shared" -D "CMAKE_PREFIX_PATH=$folder/moved" -D CONSUMER_KIND=statik
consume "$compiler, installed, static after shared" -D "CMAKE_CXX_COMPILER=$compiler" \
  -D "CMAKE_PREFIX_PATH=$folder/moved" -D CONSUMER_KIND=shared -D CONSUMER_THEN=static
cmake "$folder/build" > "$folder/then.log" 2>&1
grep -q "deltarule::deltarule stays deltarule::shared" "$folder/then.log"
if ldd "$folder/build/consumer" | grep -q libdeltarule; then echo "the static library was asked for" && exit 1; fi

# This builds the library once more: with the last compiler only, quickly.
consume "$compiler, subdirectory" -D "CMAKE_CXX_COMPILER=$compiler" -D CMAKE_BUILD_TYPE=Debug -D DELTARULE_INSTALL=ON \
  -D "DELTARULE_SOURCE=$source" -D "Python_EXECUTABLE=$(command -v python)"
cmake --install "$folder/build" --prefix "$folder/exported" > "$folder/install.log"
consume "$compiler, a library installed with deltarule" -D "CMAKE_CXX_COMPILER=$compiler" \
  -D "CMAKE_PREFIX_PATH=$folder/exported" -D CONSUMER_KIND=static -D CONSUMER_PART=ON

echo "== consumer: bench/embedded"
cmake -S "$source/bench/embedded" -B "$folder/embedded" -G Ninja --fresh --log-level=WARNING -D CMAKE_BUILD_TYPE=Release \
  -D "deltarule_DIR=$(outside -m deltarule --cmake-dir)"
cmake --build "$folder/embedded"
"$folder/embedded/embedded" 1 # fails where its networks disagree
summary+=("bench/embedded: its networks agree")

echo "== consumer: passed"
printf '  %s\n' "${summary[@]}"
