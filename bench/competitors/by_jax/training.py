"""An epoch as one compiled `lax.scan` over the batches."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload, training_check

from .network import loss, update


def prepare(case: Case, _variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    epoch = jax.jit(partial(_epoch, workload), donate_argnums=0)
    xs, ys = _batches(workload, *workload.data())
    initial = workload.initial_parameters()
    carried: list[Any] = [_start(initial)]

    def reset() -> None:
        carried[0] = _start(initial)

    def run(epochs: int) -> float:
        for _ in range(epochs):
            carried[0], last = epoch(carried[0], xs, ys)
        return float(last)

    return Work(run, units=len(xs), check=lambda: training_check(workload, _train), reset=reset)


def _epoch(workload: Workload, carried: tuple[Any, ...], xs: Any, ys: Any) -> tuple[Any, Any]:
    def step(carried: tuple[Any, ...], batch: tuple[Any, Any]) -> tuple[Any, Any]:
        key, *state = carried
        key, own = jax.random.split(key)
        value, gradients = jax.value_and_grad(partial(loss, workload))(state[0], *batch, own)
        return (key, *update(workload, tuple(state), gradients)), value

    carried, losses = jax.lax.scan(step, carried, (xs, ys))
    return carried, losses[-1]


def _start(parameters: list[Array]) -> tuple[Any, ...]:
    """Random key ("rbg" is the fast generator), parameters, two moments, step."""
    given = [jnp.asarray(p) for p in parameters]
    zeros = [[jnp.zeros_like(p) for p in given] for _ in range(2)]
    return jax.random.key(0, impl="rbg"), given, *zeros, jnp.zeros((), jnp.float32)


def _batches(workload: Workload, X: Array, y: Array) -> tuple[Any, Any]:
    size = workload.batch
    return jnp.asarray(X.reshape(-1, size, X.shape[1])), jnp.asarray(y.reshape(-1, size, *y.shape[1:]))


def _train(workload: Workload, X: Array, y: Array, parameters: list[Array]) -> list[Array]:
    carried, _ = jax.jit(partial(_epoch, workload))(_start(parameters), *_batches(workload, X, y))
    return [np.asarray(p) for p in carried[1]]
