"""Activations of `jax.nn`; the derivative by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bench.case import Case, Work
from bench.probe import normal

from .kernels import compiled

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "leaky_relu": jax.nn.leaky_relu,
    "elu": jax.nn.elu,
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu[tanh]": jax.nn.gelu,
    "swish": jax.nn.silu,
    "softplus": jax.nn.softplus,
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
}


def prepare(case: Case, _variant: str) -> Work | None:
    label = "".join([case.settings["function"], *(f"[{v}]" for v in case.settings["parameters"].values())])
    function = FUNCTIONS.get(label)
    if function is None:
        return None
    x, dy = normal(case.settings["shape"], 0), normal(case.settings["shape"], 1)
    if case.settings["direction"] == "forward":
        return compiled(function, x)
    columns = jax.eval_shape(function, x).shape[1:]
    if columns != x.shape[1:]:  # gated units have half of x
        dy = dy[:, : columns[0]].copy()
    return compiled(lambda x, dy: jax.vjp(function, x)[1](dy)[0], x, dy)
