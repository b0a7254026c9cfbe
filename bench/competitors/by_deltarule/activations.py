"""Activations by `deltarule.kernels`, into arrays made before, or (variant "new") into new ones."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from deltarule import kernels


def prepare(case: Case, variant: str) -> Work:
    name, parameters = case.settings["function"], case.settings["parameters"]
    x, dy = normal(case.settings["shape"], 0), normal(case.settings["shape"], 1)
    y = getattr(kernels, name)(x, **parameters)
    out = None if variant == "new" else y
    if case.settings["direction"] == "forward":
        forward = partial(getattr(kernels, name), x, out=out, **parameters)
        return Work(repeat(forward), check=lambda: probe(forward()))
    dy = dy[:, : y.shape[1]].copy() if y.shape != x.shape else dy
    dx = None if variant == "new" else np.empty_like(x)
    backward = partial(getattr(kernels, name + "_backward"), x, y, dy, out=dx, **parameters)
    return Work(repeat(backward), check=lambda: probe(backward()))
