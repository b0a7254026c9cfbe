# ruff: noqa: ARG001 - all functions of a kind take the same arguments
"""Activations into given arrays: ``forward(x, y, scratch)`` and ``backward(x, y, dy, dx, scratch)``.

`y` may be `x` where the derivative is computed from the output, and `dx` may always be `dy`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.workloads import Array

_HAS_ERF = find_spec("scipy") is not None  # NumPy alone has none

_ONE, _HALF = np.float32(1), np.float32(0.5)
Forward = Callable[[Array, Array, Array], Array]
Backward = Callable[[Array, Array, Array, Array, Array], Array]


class Scratch:
    """One spare array, its first rows on request."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.array = np.empty(shape, np.float32)

    def first(self, rows: int) -> Array:
        return self.array[:rows]


def _relu(x: Array, y: Array, scratch: Array) -> Array:
    return np.maximum(x, 0, out=y)


def _relu_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    return np.multiply(dy, y > 0, out=dx)


def _leaky_relu(x: Array, y: Array, scratch: Array) -> Array:
    np.multiply(x, np.float32(0.01), out=scratch)
    return np.maximum(x, scratch, out=y)


def _leaky_relu_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.greater(x, 0, out=scratch)
    scratch *= np.float32(0.99)
    scratch += np.float32(0.01)
    return np.multiply(dy, scratch, out=dx)


def _sigmoid(x: Array, y: Array, scratch: Array) -> Array:
    np.negative(x, out=y)
    np.exp(y, out=y)
    y += _ONE
    return np.reciprocal(y, out=y)


def _sigmoid_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.subtract(_ONE, y, out=scratch)
    scratch *= y
    return np.multiply(dy, scratch, out=dx)


def _tanh(x: Array, y: Array, scratch: Array) -> Array:
    return np.tanh(x, out=y)


def _tanh_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.multiply(y, y, out=scratch)
    np.subtract(_ONE, scratch, out=scratch)
    return np.multiply(dy, scratch, out=dx)


def _swish(x: Array, y: Array, scratch: Array) -> Array:
    _sigmoid(x, scratch, scratch)
    return np.multiply(x, scratch, out=y)


def _swish_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    _sigmoid(x, scratch, scratch)  # s + y (1 - s) = y + s (1 - y)
    scratch *= _ONE - y
    scratch += y
    return np.multiply(dy, scratch, out=dx)


def _elu(x: Array, y: Array, scratch: Array) -> Array:
    np.minimum(x, 0, out=scratch)
    np.exp(scratch, out=scratch)
    scratch -= _ONE
    np.maximum(x, 0, out=y)
    y += scratch
    return y


def _elu_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.minimum(y, 0, out=scratch)
    scratch += _ONE
    return np.multiply(dy, scratch, out=dx)


def _softplus(x: Array, y: Array, scratch: Array) -> Array:
    np.abs(x, out=scratch)
    np.negative(scratch, out=scratch)
    np.exp(scratch, out=scratch)
    np.log1p(scratch, out=scratch)
    np.maximum(x, 0, out=y)
    y += scratch
    return y


def _softplus_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    _sigmoid(x, scratch, scratch)
    return np.multiply(dy, scratch, out=dx)


@cache
def _erf() -> Any:
    """Imported when first needed: it takes longer than NumPy itself."""
    from scipy.special import erf

    return erf


def _gelu(x: Array, y: Array, scratch: Array) -> Array:
    np.multiply(x, np.float32(0.5**0.5), out=scratch)
    _erf()(scratch, out=scratch)
    scratch += _ONE
    scratch *= _HALF
    return np.multiply(x, scratch, out=y)


def _gelu_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.multiply(x, np.float32(0.5**0.5), out=scratch)
    _erf()(scratch, out=scratch)
    scratch += _ONE
    scratch *= _HALF
    density = np.multiply(x, x)
    density *= -_HALF
    np.exp(density, out=density)
    density *= np.float32((2 * np.pi) ** -0.5)
    density *= x
    scratch += density
    return np.multiply(dy, scratch, out=dx)


def _softmax(x: Array, y: Array, scratch: Array) -> Array:
    np.subtract(x, x.max(axis=1, keepdims=True), out=y)
    np.exp(y, out=y)
    y *= 1 / y.sum(axis=1, keepdims=True)
    return y


def _softmax_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    sums = np.einsum("ij,ij->i", y, dy)
    np.subtract(dy, sums[:, None], out=dx)
    dx *= y
    return dx


def _identity(x: Array, y: Array, scratch: Array) -> Array:
    np.copyto(y, x)
    return y


def _identity_backward(x: Array, y: Array, dy: Array, dx: Array, scratch: Array) -> Array:
    np.copyto(dx, dy)
    return dx


FORWARD: dict[str, Forward] = {
    "identity": _identity,
    "relu": _relu,
    "leaky_relu": _leaky_relu,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "swish": _swish,
    "elu": _elu,
    "softplus": _softplus,
    "softmax": _softmax,
}
BACKWARD: dict[str, Backward] = {
    "identity": _identity_backward,
    "relu": _relu_backward,
    "leaky_relu": _leaky_relu_backward,
    "sigmoid": _sigmoid_backward,
    "tanh": _tanh_backward,
    "swish": _swish_backward,
    "elu": _elu_backward,
    "softplus": _softplus_backward,
    "softmax": _softmax_backward,
}
if _HAS_ERF:
    FORWARD["gelu"], BACKWARD["gelu"] = _gelu, _gelu_backward
