"""Normalisation by `deltarule.kernels`, into arrays made before, or (variant "new") into new ones."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import EPSILON
from deltarule import kernels


def prepare(case: Case, variant: str) -> Work:
    name, shape = case.settings["function"], case.settings["shape"]
    x, dy = normal(shape, 0), normal(shape, 1)
    gain, shift = normal(shape[1:], 2), normal(shape[1:], 3)
    new = variant == "new"
    y = None if new else np.empty_like(x)
    forward = partial(getattr(kernels, name + "_forward"), x, gain, shift, epsilon=EPSILON, out=y)
    _, mean, inverse = forward()
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(forward()[0]))
    results = None if new else (np.empty_like(x), np.empty_like(gain), np.empty_like(gain))
    backward = partial(getattr(kernels, name + "_backward"), x, gain, mean, inverse, dy, out=results)
    return Work(repeat(backward), check=lambda: probe(*backward()))
