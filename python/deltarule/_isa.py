"""Chooses the compiled core for this CPU, once, at import.

A build holds one core module for each x86-64 level (v2, v3, v4) it was made for, or one generic module on
other processors. The environment variable ``DELTARULE_ISA`` asks for a lower level than the CPU has.
"""

import os
from importlib import import_module
from types import ModuleType

_PACKAGE = __name__.rpartition(".")[0]


def load() -> ModuleType:
    """Return the best core module that this CPU can run and this build contains."""
    wanted = os.environ.get("DELTARULE_ISA", "")
    level = _cpu_level()
    if level == 0:
        if wanted not in ("", "generic"):
            raise ImportError(f"DELTARULE_ISA={wanted}: this processor has only the level 'generic'")
        return import_module(f"{_PACKAGE}._core_generic")

    if wanted not in ("", "v2", "v3", "v4"):
        raise ImportError(f"DELTARULE_ISA={wanted}: choose from v2, v3, v4")
    highest = int(wanted[1]) if wanted else level
    if highest > level:
        raise ImportError(f"DELTARULE_ISA={wanted}: this CPU runs x86-64-v{level} at most")
    for candidate in range(highest, 1, -1):
        name = f"{_PACKAGE}._core_v{candidate}"
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:  # the level is in the build, but something it needs is not
                raise
    raise ImportError(f"this build of deltarule holds no core for x86-64-v{highest} or lower")


def _cpu_level() -> int:
    try:
        level: int = import_module(f"{_PACKAGE}._cpu").level()
    except ModuleNotFoundError:
        raise ImportError(
            "deltarule's compiled core is missing: install the package with `pip install .` in its repository"
        ) from None
    return level
