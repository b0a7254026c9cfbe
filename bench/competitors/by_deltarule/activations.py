"""Activations by `deltarule.kernels`, into arrays made before."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from deltarule import kernels


def prepare(case: Case, _variant: str) -> Work:
    name, parameters = case.settings["function"], case.settings["parameters"]
    x, dy = normal(case.settings["shape"], 0), normal(case.settings["shape"], 1)
    y, dx = np.empty_like(x), np.empty_like(x)
    forward = partial(getattr(kernels, name), x, out=y, **parameters)
    forward()
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(y))
    backward = partial(getattr(kernels, name + "_backward"), x, y, dy, out=dx, **parameters)
    return Work(repeat(backward), check=lambda: probe(backward()))
