#!/usr/bin/env bash
# Cross-compiles everything in C++ for 64-bit ARM and runs the tests under qemu.
# Debian: g++-aarch64-linux-gnu qemu-user-static
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if ! have aarch64-linux-gnu-g++ || ! have qemu-aarch64-static; then
  note "skipped  aarch64-linux-gnu-g++ or qemu-aarch64-static is not here"
  finish
fi
# cpp.realtime lets the kernel watch its threads: not under an emulator, which makes system calls of its own.
attempt "aarch64" build_and_test aarch64 -E '^cpp.realtime$' -- \
  -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64 \
  -D CMAKE_C_COMPILER=aarch64-linux-gnu-gcc -D CMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
  -D "CMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static;-L;/usr/aarch64-linux-gnu"
finish
