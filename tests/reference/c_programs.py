"""Compiling C files that the library wrote, and running them on rows, on this machine or an emulated one."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
C, CXX = ["-x", "c", "-std=c99"], ["-x", "c++", "-std=c++11"]


@dataclass(frozen=True)
class Target:
    """A compiler, and what runs its programs."""

    name: str
    compiler: tuple[str, ...]
    runner: tuple[str, ...] = ()

    @property
    def needs(self):
        return " or ".join((self.compiler[0], *self.runner))

    @property
    def there(self):
        tools = [self.compiler[0], *self.runner[:1]]
        return all(shutil.which(tool) for tool in tools) and self.links()

    def links(self):
        """Whether it has a C library (`gcc -m32` often has none)."""
        if "-m32" not in self.compiler:
            return True
        done = subprocess.run(
            [*self.compiler, "-x", "c", "-", "-o", "/dev/null"],
            input="#include <math.h>\nint main(void) { return 0; }",
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        return done.returncode == 0


NATIVE = [
    Target("gcc", ("gcc", *C)),
    Target("clang", ("clang", *C)),
    Target("g++", ("g++", *CXX)),
    Target("clang++", ("clang++", *CXX)),
]
_X86_32 = [
    Target("i686", ("i686-linux-gnu-gcc", *C, "-static")),
    Target("i686", ("gcc", "-m32", *C)),
]
OTHERS = [
    next((target for target in _X86_32 if target.there), _X86_32[0]),
    Target("arm", ("arm-linux-gnueabihf-gcc", *C, "-static"), ("qemu-arm",)),
    Target("aarch64", ("aarch64-linux-gnu-gcc", *C, "-static"), ("qemu-aarch64",)),
]


def targets(them):
    """pytest arguments; what is not installed is skipped with its name."""
    return [
        pytest.param(
            t,
            id=t.name,
            marks=() if t.there else pytest.mark.skip(reason=f"{t.needs} is not installed here"),
        )
        for t in them
    ]


def program(folder, target, source, *options):
    """Compile a program with all warnings as errors; its path."""
    path, out = Path(folder) / "program.c", Path(folder) / "program"
    path.write_text(source, encoding="utf-8")
    command = [*target.compiler, "-O1", *STRICT, *options, str(path), "-o", str(out), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return out


def run(out, target, stdin=b""):
    done = subprocess.run([*target.runner, str(out)], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def outputs(folder, target, networks, *options):
    """What each C file makes of its rows: `networks` is a list of (network, rows), all in one program.

    Every self-test runs as well.
    """
    parts, calls = [], []
    for i, (net, x) in enumerate(networks):
        net.export_c(Path(folder) / f"n{i}.h", prefix=f"n{i}")
        real = "float" if net.dtype == "float32" else "double"
        parts.append(f'#include "n{i}.h"\n')
        calls.append(
            f"  if (n{i}_self_test() != 0) return 1;\n"
            f"  for (row = 0; row < {len(x)}; ++row) {{\n"
            f"    static {real} x[N{i}_INPUTS], y[N{i}_OUTPUTS], work[N{i}_WORK + 1];\n"
            f"    if (fread(x, sizeof x, 1, stdin) != 1) return 2;\n"
            f"    n{i}_run(x, y, work);\n"
            f"    if (fwrite(y, sizeof y, 1, stdout) != 1) return 3;\n  }}\n"
        )
    source = "#include <stdio.h>\n" + "".join(parts) + "int main(void) {\n  int row;\n" + "".join(calls)
    out = program(folder, target, source + "  return 0;\n}\n", "-I", str(folder), *options)
    raw = run(out, target, b"".join(np.ascontiguousarray(x, net.dtype).tobytes() for net, x in networks))
    result, at = [], 0
    for net, x in networks:
        width, kind = net._network.output_width, np.dtype(net.dtype)
        size = len(x) * width * kind.itemsize
        result.append(np.frombuffer(raw[at : at + size], kind).reshape(len(x), width))
        at += size
    assert at == len(raw)
    return result
