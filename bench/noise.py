"""How much processor time other programs took: a measurement beside a busy program is worth nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
_STAT = Path("/proc/stat")
ALLOWED = max(0.1, 0.05 * (os.cpu_count() or 1))
"""Processors that others may keep busy: a tenth of one, or on large machines a twentieth of all."""


class OtherPrograms:
    """Watches from creation to `share()`."""

    def __init__(self, own: Iterable[int] = ()) -> None:
        self._own = list(own)
        self._started = time.perf_counter()
        self._before = self._others()

    def share(self) -> float:
        """Processors that programs other than ours kept busy since creation; 0 where unknown."""
        elapsed = time.perf_counter() - self._started
        busy = self._others() - self._before
        return max(0.0, busy - 2 * _TICK) / elapsed  # the counters advance in ticks

    def _others(self) -> float:
        if not _STAT.exists():
            return 0.0
        fields = [int(v) for v in _STAT.read_text().split("\n", 1)[0].split()[1:9]]
        user, nice, system, _idle, _wait, interrupts, soft, steal = fields
        busy = (user + nice + system + interrupts + soft + steal) * _TICK
        return busy - sum(map(_used, self._own)) - sum(os.times()[:2])


def _used(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * _TICK
