"""``python -m deltarule``: what is installed, where a C++ project finds it, and the command line."""

import argparse
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import _isa


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer one question about this installation, or run a command of ``deltarule``."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and (not given[0].startswith("-") or given[0] == "--debug"):
        from .cli import main as run

        run(given)
        return 0
    parser = argparse.ArgumentParser(
        prog="python -m deltarule",
        usage="%(prog)s [-h] (--version | --show-config | --cmake-dir | COMMAND ...)",
        description="What is installed, and where a C++ project finds it; or COMMAND, any of `deltarule`.",
    )
    question = parser.add_mutually_exclusive_group(required=True)
    question.add_argument("--version", action="store_true", help="the version")
    question.add_argument("--show-config", action="store_true", help="ISA level, threads, compiler, versions")
    question.add_argument("--cmake-dir", action="store_true", help="the folder for CMake's deltarule_DIR")
    options = parser.parse_args(given)
    core = _isa.load()
    if options.version:
        print(core.config()["version"])
    elif options.show_config:
        print(_table(core.config() | {"numpy": np.__version__, "python": platform.python_version()}))
    else:
        # Beside the compiled core, which an editable install keeps apart from the Python files.
        folder = Path(str(core.__file__)).parent / "cmake"
        if not (folder / "deltarule-config.cmake").is_file():
            parser.error(f"this installation holds no CMake files (looked in {folder})")
        print(folder)
    return 0


def _table(rows: dict[str, object]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {_text(value)}" for name, value in rows.items())


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


if __name__ == "__main__":
    raise SystemExit(main())
