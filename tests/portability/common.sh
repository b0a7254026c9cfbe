# Sourced by the scripts beside it: one build folder per configuration, a summary at the end, failure if one failed.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
folder=${PORTABILITY_BUILD:-$source/build/portability}
python=${PYTHON:-python3} # it finds Eigen and nlohmann/json, which pip brings (dependency group `build`)
mkdir -p "$folder"
summary=()
failed=0

have() { command -v "$1" > /dev/null; }
note() { summary+=("$1"); }

# attempt NAME COMMAND...: runs it with its output in a file, notes how it ended and how long it took.
attempt() {
  local name=$1 log begin=$SECONDS status
  shift
  log="$folder/$(tr -cs 'a-zA-Z0-9._\n' '-' <<< "$name").log"
  echo "== $name ($log)"
  set +e # where an exit status is asked for, a failing command inside would not end the subshell
  (set -e; "$@") > "$log" 2>&1
  status=$?
  set -e
  if [ $status = 0 ]; then
    note "passed   $name ($((SECONDS - begin)) s$(counts "$log"))"
  else
    failed=1
    tail -n 40 "$log"
    note "FAILED   $name: see $log"
  fi
}

# What CTest and pytest say they ran.
counts() {
  sed -nE 's/^[0-9]+% tests passed.* out of ([0-9]+)$/, \1 CTest entries/p; s/^=+ (.*) in [0-9.]+s.*=+$/, \1/p' "$1" | tr -d '\n'
}

# configure FOLDER SETTINGS...: release build with warnings as errors.
configure() {
  local build=$folder/$1
  shift
  cmake -S "$source" -B "$build" -G Ninja -D DELTARULE_WERROR=ON -D DELTARULE_SYSTEM_EIGEN=OFF \
    -D "Python_EXECUTABLE=$(command -v "$python")" "$@"
}

# build_and_test FOLDER [-E PATTERN] -- SETTINGS...: the library and all C++ tests, examples and programs of the guide.
build_and_test() {
  local build=$1 only=()
  shift
  while [ "$1" != -- ]; do only+=("$1") && shift; done
  shift
  configure "$build" "$@"
  cmake --build "$folder/$build"
  ctest --test-dir "$folder/$build" --output-on-failure --no-tests=error --timeout 3000 "${only[@]}"
}

finish() {
  echo
  echo "== $(basename "$0")"
  printf '  %s\n' "${summary[@]}"
  exit $failed
}
