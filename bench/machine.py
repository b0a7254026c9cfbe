"""The machine, the commit and the date, kept with every result."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent


def describe() -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _commit(),
        "processor": _processor(),
        "processors": _usable(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "core": _core(),
    }


def _usable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _processor() -> dict[str, Any]:
    """Name, family, model and caches as Linux tells them."""
    found: dict[str, Any] = {"name": platform.processor() or platform.machine()}
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().split("\n\n", 1)[0].splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("model name", "cpu family", "model"):
                found[key.strip().replace("model name", "name").replace("cpu ", "")] = value.strip()
    caches = Path("/sys/devices/system/cpu/cpu0/cache")
    for index in sorted(caches.glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            found[f"L{level}"] = size
    return found


def _core() -> dict[str, Any]:
    try:
        from deltarule._native import core
    except ImportError:
        return {}
    wanted = ("version", "isa", "compiler", "eigen")
    return {key: value for key, value in core.config().items() if key in wanted}


def _commit() -> str:
    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
