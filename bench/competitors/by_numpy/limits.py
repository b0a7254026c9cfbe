"""Copies by `copyto`, products by `matmul`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.limits import WAITING
from bench.probe import normal, probe

from . import products


def prepare(case: Case, _variant: str) -> Work | None:
    if case.settings["kind"] in WAITING:
        return None
    if case.settings["kind"] == "product":
        return products.prepare(case, "")
    x = normal([case.settings["footprint"] // 8], 0)
    y = np.empty_like(x)
    copy = repeat(partial(np.copyto, y, x))

    def run(count: int) -> float:
        copy(count)
        return float(y[-1])

    def check() -> list[float]:
        run(1)
        return probe(y)

    return Work(run, check=check)
