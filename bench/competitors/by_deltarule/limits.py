"""Copies by the identity kernel, products by `matmul`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from deltarule import kernels

from . import products


def prepare(case: Case, _variant: str) -> Work:
    if case.settings["kind"] == "product":
        return products.prepare(case, "")
    x = normal([case.settings["footprint"] // 8], 0)
    y = np.empty_like(x)
    copy = partial(kernels.identity, x, out=y)
    return Work(repeat(copy), check=lambda: probe(copy()))
