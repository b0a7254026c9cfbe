#!/usr/bin/env bash
# Older x86-64 CPUs under qemu: the C++ tests compiled for each level, and the installed wheel (PYTHON names an
# environment that has it, and pytest), which must choose its level by itself, in Python and in a C++ program.
# Debian: qemu-user-static
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! have qemu-x86_64-static; then
  note "skipped  qemu-x86_64-static is not here"
  finish
fi
declare -A cpu=([v2]=Nehalem [v3]=Haswell) # qemu 7.2 can AVX2 and FMA; no version can AVX-512

emulate() { qemu-x86_64-static -cpu "${cpu[$1]}" "${@:2}"; }
python_path=$(command -v "$python")

chosen_in_python() {
  cd "$folder" && emulate "$1" "$python_path" -c "
from deltarule import _isa
isa = _isa.load().config()['isa']
print(isa)
assert isa == '$1'"
}
refused_in_python() { # more than the CPU can
  cd "$folder"
  ! DELTARULE_ISA=v4 emulate "$1" "$python_path" -c "import deltarule" > refused.txt 2>&1
  grep "this CPU runs x86-64-$1 at most" refused.txt
}
old_cpu_in_python() {
  cd "$folder" && qemu-x86_64-static -cpu core2duo "$python_path" -c "
import importlib.util, pathlib, sys
folder = pathlib.Path(importlib.util.find_spec('deltarule').submodule_search_locations[0])
sys.path.insert(0, str(folder))  # the probe alone: NumPy does not run on such a CPU
import _cpu
print(_cpu.level())
assert _cpu.level() == 1"
}
build_consumer() {
  local wheel
  wheel=$(cd "$folder" && "$python_path" -m deltarule --cmake-dir)
  cmake -S "$source/tests/consumer" -B "$folder/consumer" -G Ninja --fresh -D CMAKE_BUILD_TYPE=Release -D "deltarule_DIR=$wheel"
  cmake --build "$folder/consumer"
}
chosen_in_cpp() { cd "$folder/consumer" && emulate "$1" ./consumer "$1"; }

# What calls kernels, without the half in float64, to save an hour: the C++ tests have that too. What starts processes
# of its own would leave the emulator.
python_tests=(activations row_ops losses norms products layers learned_layers composites optimizers gradients
  training_step initializers metrics save_load oracles)
suite() {
  local level=$1 files=()
  for name in "${python_tests[@]}"; do files+=("tests/python/test_$name.py"); done
  cd "$source" && emulate "$level" "$python_path" -m pytest -q -x -p no:cacheprovider -k "not float64" "${files[@]}"
}

wanted=("$@")
if [ ${#wanted[@]} = 0 ]; then wanted=(choice cpp python); fi
for part in "${wanted[@]}"; do
  case $part in
    choice)
      attempt "CPU older than v2 is recognised" old_cpu_in_python
      attempt "a C++ program links the wheel's library" build_consumer
      for level in v2 v3; do
        attempt "Python takes $level on ${cpu[$level]}" chosen_in_python $level
        attempt "Python refuses v4 on ${cpu[$level]}" refused_in_python $level
        attempt "a C++ program takes $level on ${cpu[$level]}" chosen_in_cpp $level
      done ;;
    cpp)
      for level in v2 v3; do # cpp.realtime lets the kernel watch its threads: not under an emulator
        attempt "C++ tests for $level on ${cpu[$level]}" build_and_test "level-$level" -E '^cpp.realtime$' -- \
          -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=x86_64 -D DELTARULE_ARCH=$level \
          -D "CMAKE_CROSSCOMPILING_EMULATOR=qemu-x86_64-static;-cpu;${cpu[$level]}"
      done ;;
    python)
      for level in v2 v3; do attempt "Python tests on ${cpu[$level]}" suite $level; done ;;
  esac
done
finish
