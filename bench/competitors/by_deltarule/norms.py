"""Normalisation by `deltarule.kernels`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import EPSILON
from deltarule import kernels


def prepare(case: Case, _variant: str) -> Work:
    name, shape = case.settings["function"], case.settings["shape"]
    x, dy = normal(shape, 0), normal(shape, 1)
    gain, shift = normal(shape[1:], 2), normal(shape[1:], 3)
    y = np.empty_like(x)
    forward = partial(getattr(kernels, name + "_forward"), x, gain, shift, epsilon=EPSILON, out=y)
    _, mean, inverse = forward()
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(y))
    backward = partial(getattr(kernels, name + "_backward"), x, gain, mean, inverse, dy)
    return Work(repeat(backward), check=lambda: probe(*backward()))
