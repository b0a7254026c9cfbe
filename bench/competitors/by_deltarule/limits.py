"""Copies by the identity kernel, products by `matmul`."""

from __future__ import annotations

from functools import partial
from statistics import median

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from deltarule import get_num_threads, kernels
from deltarule._native import core

from . import products


def prepare(case: Case, _variant: str) -> Work:
    if case.settings["kind"] == "phase":
        threads = get_num_threads()
        return Work(lambda count: core.phase_seconds(threads, 1000 * count), units=1000, check=lambda: [0.0])
    if case.settings["kind"] == "rewrite":
        return _rewrite(case.settings["bytes"])
    if case.settings["kind"] == "product":
        return products.prepare(case, "")
    x = normal([case.settings["footprint"] // 8], 0)
    y = np.empty_like(x)
    copy = partial(kernels.identity, x, out=y)
    return Work(repeat(copy), check=lambda: probe(copy()))


def _rewrite(size: int) -> Work:
    """The time of a round holds the other core's reading too; what the writes alone took is a detail."""
    written: list[float] = []

    def run(count: int) -> float:
        written.append(1e6 * core.rewrite_seconds(size, 200 * count))
        return written[-1]

    return Work(run, units=200, check=lambda: [0.0], details=lambda: {"writes": median(written)})
