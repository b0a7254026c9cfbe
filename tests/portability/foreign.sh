#!/usr/bin/env bash
# Compiles everything in C++ for other systems with Zig's clang and LLVM's C++ library: for Linux with musl, whose
# tests run here; for Windows, whose tests run under Wine; for macOS, where the linker is the last to see it.
# pip install ziglang; Debian: wine64
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! "$python" -m ziglang version > "$folder/zig.version" 2> /dev/null; then
  note "skipped  no Zig here: pip install ziglang"
  finish
fi
zig="$(command -v "$python") -m ziglang"

# tools TARGET: compilers for it. Zig writes levels in its own way and knows fewer options of the linker.
tools() {
  local bin=$folder/zig-$1 tool
  mkdir -p "$bin"
  for tool in cc c++; do
    cat > "$bin/$tool" << EOF
#!/usr/bin/env bash
given=()
for one; do
  case \$one in
    -march=x86-64-*) given+=("-march=x86_64_\${one##*-}") ;;
    -bundle) given+=(-dynamiclib) ;;
    -Wl,-Bsymbolic-functions | -Wl,--exclude-libs,ALL) ;;
    *) given+=("\$one") ;;
  esac
done
exec $zig $tool -target $1 "\${given[@]}"
EOF
  done
  for tool in ar ranlib rc; do
    printf '#!/bin/sh\nexec %s %s "$@"\n' "$zig" $tool > "$bin/$tool"
  done
  chmod +x "$bin"/*
  settings=(-D CMAKE_C_COMPILER="$bin/cc" -D CMAKE_CXX_COMPILER="$bin/c++" -D CMAKE_AR="$bin/ar"
    -D CMAKE_RANLIB="$bin/ranlib" -D CMAKE_RC_COMPILER="$bin/rc" -D DELTARULE_OPENMP=OFF)
}

# build_only FOLDER SETTINGS...
build_only() {
  configure "$@"
  cmake --build "$folder/$1"
}

# A static program loads no plug-ins.
tools x86_64-linux-musl
attempt "musl, v3, static" build_and_test foreign-musl -E '^cpp.plugin$' -- "${settings[@]}" \
  -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=x86_64 -D CMAKE_CROSSCOMPILING_EMULATOR=env \
  -D CMAKE_EXE_LINKER_FLAGS=-static -D DELTARULE_ARCH=v3

tools x86_64-windows-gnu
settings+=(-D CMAKE_SYSTEM_NAME=Windows -D CMAKE_SYSTEM_PROCESSOR=AMD64 -D DELTARULE_ARCH=v3)
wine=$(command -v wine64 || command -v /usr/lib/wine/wine64 || true) # Debian's package puts it there
if [ -n "$wine" ]; then
  printf '#!/bin/sh\nexec %s "$@"\n' "$wine" > "$folder/wine" && chmod +x "$folder/wine"
  export WINEPREFIX=$folder/wineprefix WINEDEBUG=-all
  attempt "Windows, v3, under Wine" build_and_test foreign-windows -- "${settings[@]}" \
    -D CMAKE_CROSSCOMPILING_EMULATOR="$folder/wine"
else
  note "skipped  Windows' tests: no wine64 here"
  attempt "Windows, v3, compiled only" build_only foreign-windows "${settings[@]}"
fi

# Not run, so not optimised.
for processor in x86_64 aarch64; do
  tools $processor-macos
  attempt "macOS, $processor, compiled only" build_only foreign-macos-$processor "${settings[@]}" \
    -D CMAKE_SYSTEM_NAME=Darwin -D CMAKE_SYSTEM_PROCESSOR=${processor/aarch64/arm64} -D CMAKE_INSTALL_NAME_TOOL=true \
    -D CMAKE_BUILD_TYPE=Debug -D CMAKE_CXX_FLAGS_DEBUG=-fno-sanitize=undefined -D DELTARULE_ARCH=v2
done
finish
