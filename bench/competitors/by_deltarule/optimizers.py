"""Update rules by `deltarule.kernels`, in place."""

from __future__ import annotations

import numpy as np

from bench.case import Case, Work
from bench.probe import normal, probe
from bench.workloads import Array
from deltarule import kernels
from deltarule._native import core


def prepare(case: Case, _variant: str) -> Work:
    name, parameters = case.settings["function"], case.settings["parameters"]
    shape = (case.settings["count"],)
    update = getattr(kernels, name + "_update")
    index = [entry["name"] for entry in core.catalog()["optimizer"]].index(name)
    w, g = normal(shape, 0), normal(shape, 1)
    states = np.zeros((core.states_used(index, parameters), *shape), np.float32)
    steps = 0

    def run(count: int) -> Array:
        nonlocal steps
        for _ in range(count):
            steps += 1
            update(w, g, *states, step=steps, **parameters)
        return w

    return Work(run, check=lambda: probe(run(3)))
