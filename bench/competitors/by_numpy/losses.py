"""Losses and their gradients, into arrays made before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import probe
from bench.targets import prediction_of, target_of
from bench.workloads import Array

Loss = Callable[[Array, Array, Array], float]


def _mse(prediction: Array, target: Array, gradient: Array) -> float:
    np.subtract(prediction, target, out=gradient)
    value = float(np.vdot(gradient, gradient)) / gradient.size
    gradient *= np.float32(2 / gradient.size)
    return value


def _quadratic(prediction: Array, target: Array, gradient: Array) -> float:
    np.subtract(prediction, target, out=gradient)
    value = 0.5 * float(np.vdot(gradient, gradient)) / len(gradient)
    gradient *= np.float32(1 / len(gradient))
    return value


def _sigmoid_cross_entropy(z: Array, target: Array, gradient: Array) -> float:
    small = np.abs(z)
    np.negative(small, out=small)
    np.exp(small, out=small)
    values = np.maximum(z, 0)
    np.multiply(z, target, out=gradient)
    values -= gradient
    values += np.log1p(small)
    np.negative(z, out=gradient)
    np.exp(gradient, out=gradient)
    gradient += np.float32(1)
    np.reciprocal(gradient, out=gradient)
    gradient -= target
    gradient *= np.float32(1 / len(z))
    return float(values.sum()) / len(z)  # summed over independent outputs


def _softmax_into(z: Array, gradient: Array) -> tuple[Array, Array]:
    """Softmax; the largest value and the sum of exponentials of every row."""
    largest = z.max(axis=1, keepdims=True)
    np.subtract(z, largest, out=gradient)
    np.exp(gradient, out=gradient)
    sums = gradient.sum(axis=1, keepdims=True)
    gradient *= 1 / sums
    return largest, sums


def _softmax_cross_entropy(z: Array, target: Array, gradient: Array) -> float:
    largest, sums = _softmax_into(z, gradient)
    value = float((largest + np.log(sums)).mean() - np.vdot(z, target) / len(z))
    gradient -= target
    gradient *= np.float32(1 / len(z))
    return value


def _sparse_softmax_cross_entropy(z: Array, target: Array, gradient: Array) -> float:
    picked = (np.arange(len(z)), target)
    largest, sums = _softmax_into(z, gradient)
    value = float((largest + np.log(sums)).mean() - z[picked].mean())
    gradient[picked] -= 1
    gradient *= np.float32(1 / len(z))
    return value


LOSSES: dict[str, Loss] = {
    "mse": _mse,
    "quadratic": _quadratic,
    "sigmoid_cross_entropy": _sigmoid_cross_entropy,
    "softmax_cross_entropy": _softmax_cross_entropy,
    "sparse_softmax_cross_entropy": _sparse_softmax_cross_entropy,
}


def prepare(case: Case, _variant: str) -> Work | None:
    loss = LOSSES.get(case.settings["function"])
    if loss is None:
        return None
    prediction, target = prediction_of(case.settings), target_of(case.settings)
    gradient = np.empty_like(prediction)

    def call() -> tuple[float, Array]:
        return loss(prediction, target, gradient), gradient

    return Work(repeat(call), check=lambda: probe(*call()))
