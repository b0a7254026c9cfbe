"""Normalisation, compiled; the backward pass from the saved statistics, as in the other libraries."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from bench.case import Case, Work
from bench.probe import normal
from bench.workloads import EPSILON

from .kernels import compiled


def prepare(case: Case, _variant: str) -> Work:
    shape = case.settings["shape"]
    axis = 0 if case.settings["function"] == "batch_norm" else 1
    x, dy = normal(shape, 0), normal(shape, 1)
    gain, shift = normal(shape[1:], 2), normal(shape[1:], 3)
    if case.settings["direction"] == "forward":
        return compiled(partial(_forward, axis), x, gain, shift)
    mean = x.mean(axis=axis, keepdims=True)
    inverse = 1 / (x.var(axis=axis, keepdims=True) + EPSILON) ** 0.5
    return compiled(partial(_backward, axis), x, gain, mean, inverse, dy)


def _forward(axis: int, x: Any, gain: Any, shift: Any) -> Any:
    centred = x - x.mean(axis=axis, keepdims=True)
    variance = (centred * centred).mean(axis=axis, keepdims=True)
    return centred * jax.lax.rsqrt(variance + EPSILON) * gain + shift


def _backward(axis: int, x: Any, gain: Any, mean: Any, inverse: Any, dy: Any) -> Any:
    normal_x = (x - mean) * inverse
    scaled = dy * gain
    projection = (scaled * normal_x).mean(axis=axis, keepdims=True)
    dx = inverse * (scaled - scaled.mean(axis=axis, keepdims=True) - normal_x * projection)
    return dx, jnp.sum(dy * normal_x, axis=0), jnp.sum(dy, axis=0)
