"""Chooses the compiled library for this CPU, once, at import.

A build holds the library for each x86-64 level (v2, v3, v4) it was made for, or once on other processors. The
environment variable ``DELTARULE_ISA`` asks for a lower level than the CPU has.
"""

import ctypes
import os
from importlib import import_module
from types import ModuleType

_PACKAGE = __name__.rpartition(".")[0]


def load() -> ModuleType:
    """Return the bindings, linked with the best library that this CPU can run and this build contains."""
    try:
        probe = import_module(f"{_PACKAGE}._cpu")
    except ModuleNotFoundError:
        raise ImportError(
            "deltarule's compiled core is missing: install the package with `pip install .` in its repository"
        ) from None
    names, library = probe.build()
    levels = names.split()
    chosen = _choose(os.environ.get("DELTARULE_ISA", ""), levels, probe.level())
    # Importing pathlib would take longer than all of this.
    folder = f"{str(probe.__file__).rpartition(os.sep)[0]}/lib"
    if chosen != levels[0]:
        folder += f"/glibc-hwcaps/x86-64-{chosen}"
    # The library that is loaded first under its name is the one that the bindings get.
    ctypes.CDLL(f"{folder}/{library}")
    return import_module(f"{_PACKAGE}._core")


def _choose(wanted: str, levels: list[str], cpu: int) -> str:
    """Return which of the build's levels to load on a CPU of the x86-64 level ``cpu``."""
    if levels[0] in ("generic", "custom"):
        if wanted not in ("", levels[0]):
            raise ImportError(f"DELTARULE_ISA={wanted}: this build has only the level '{levels[0]}'")
        return levels[0]
    if wanted not in ("", "v2", "v3", "v4"):
        raise ImportError(f"DELTARULE_ISA={wanted}: choose from v2, v3, v4")
    highest = wanted or f"v{cpu}"
    if highest > f"v{cpu}":
        raise ImportError(f"DELTARULE_ISA={wanted}: this CPU runs x86-64-v{cpu} at most")
    within = [level for level in levels if level <= highest]
    if not within:
        raise ImportError(f"this build of deltarule holds no library for x86-64-{highest} or lower")
    return within[-1]
