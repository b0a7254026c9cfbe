"""Activations into arrays made before."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

from .functions import BACKWARD, FORWARD


def prepare(case: Case, _variant: str) -> Work | None:
    name = case.settings["function"]
    if name not in FORWARD or case.settings["parameters"]:
        return None
    x, dy = normal(case.settings["shape"], 0), normal(case.settings["shape"], 1)
    y, dx, scratch = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    forward = partial(FORWARD[name], x, y, scratch)
    forward()
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(y))
    backward = partial(BACKWARD[name], x, y, dy, dx, scratch)
    return Work(repeat(backward), check=lambda: probe(backward()))
