#!/usr/bin/env bash
# What a release does: sdist, wheel out of the sdist, auditwheel, and the wheel in a fresh environment.
# PYTHON names an environment with the dependency groups `build` and `release`. Names of steps choose some of them.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
python_path=$(cd "$(dirname "$(command -v "$python")")" && pwd)/$(basename "$python")
export PATH="$(dirname "$python_path"):$PATH"
limit=5000000

sdist() {
  rm -rf "$folder"/dist && mkdir "$folder"/dist
  "$python_path" -m build --sdist --no-isolation --outdir "$folder/dist" "$source"
}
wheel() { "$python_path" -m pip wheel --no-deps --no-build-isolation -w "$folder/dist" "$folder"/dist/deltarule-*.tar.gz; }
repair() {
  rm -rf "$folder"/repaired
  "$python_path" -m auditwheel show "$folder"/dist/deltarule-*.whl
  "$python_path" -m auditwheel repair -w "$folder/repaired" "$folder"/dist/deltarule-*.whl
  ls -l "$folder"/repaired
}
small() {
  local size
  size=$(stat -c %s "$folder"/repaired/deltarule-*.whl)
  echo "$size bytes, $limit are allowed"
  [ "$size" -lt $limit ]
}
fresh() {
  rm -rf "$folder/fresh" && "$python_path" -m venv "$folder/fresh"
  "$folder/fresh/bin/python" -m pip install -q "$(ls "$folder"/repaired/deltarule-*.whl)[cpp]"
  cd "$folder"
  for level in "" v2 v3; do
    DELTARULE_ISA=$level fresh/bin/python -c "
import deltarule, numpy as np
x = np.random.default_rng(0).normal(size=(256, 4)).astype('f4')
net = deltarule.Sequential([deltarule.Dense(16, 'tanh'), deltarule.Dense(1)], seed=0)
net.compile('adam', loss='mse')
history = net.fit(x, x[:, :1] * x[:, 1:2], epochs=20, verbose=0)
print(deltarule.__version__, history.history['loss'][-1])"
    DELTARULE_ISA=$level fresh/bin/python -m deltarule --show-config
  done
  cmake -S "$source/tests/consumer" -B "$folder/fresh-consumer" -G Ninja --fresh -D CMAKE_BUILD_TYPE=Release \
    -D "deltarule_DIR=$(fresh/bin/python -m deltarule --cmake-dir)"
  cmake --build "$folder/fresh-consumer"
  ctest --test-dir "$folder/fresh-consumer" --output-on-failure --no-tests=error
}

declare -A names=([sdist]="sdist" [wheel]="wheel out of the sdist" [repair]="auditwheel repair"
  [small]="the repaired wheel is below 5 MB" [fresh]="the repaired wheel in a fresh environment, Python and C++")
wanted=("$@")
if [ ${#wanted[@]} = 0 ]; then wanted=(sdist wheel repair small fresh); fi
for part in "${wanted[@]}"; do attempt "${names[$part]}" "$part"; done
if [ -d "$folder/repaired" ]; then note "$(cd "$folder/repaired" && stat -c '%n: %s bytes' -- *.whl)"; fi
finish
