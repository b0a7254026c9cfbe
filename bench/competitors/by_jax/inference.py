"""Inference by a compiled function, from and to NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import WORKLOADS, Array

from .network import forward


def prepare(case: Case, _variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]].without_dropout()
    parameters = [jnp.asarray(p) for p in workload.initial_parameters()]
    call = jax.jit(lambda parameters, x: forward(workload, parameters, x, training=False))
    x = normal((case.settings["rows"], workload.inputs), 0)

    def predict() -> Array:
        return np.asarray(call(parameters, x))

    return Work(repeat(predict), check=lambda: probe(predict()))
