"""Losses with their gradients by `jax.value_and_grad`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from bench.case import Case, Work
from bench.targets import prediction_of, target_of

from .kernels import compiled


def _sparse(z: Any, t: Any) -> Any:
    return jnp.mean(jax.nn.logsumexp(z, axis=1) - jnp.take_along_axis(z, t[:, None], 1)[:, 0])


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda y, t: jnp.mean((y - t) ** 2),
    "quadratic": lambda y, t: 0.5 * jnp.sum((y - t) ** 2) / y.shape[0],
    "sigmoid_cross_entropy": lambda z, t: jnp.sum(jax.nn.softplus(z) - z * t) / z.shape[0],
    "softmax_cross_entropy": lambda z, t: -jnp.mean(jnp.sum(t * jax.nn.log_softmax(z), axis=1)),
    "sparse_softmax_cross_entropy": _sparse,
}


def prepare(case: Case, _variant: str) -> Work | None:
    loss = LOSSES.get(case.settings["function"])
    if loss is None:
        return None
    return compiled(jax.value_and_grad(loss), prediction_of(case.settings), target_of(case.settings))
