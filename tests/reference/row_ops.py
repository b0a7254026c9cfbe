"""Oracles of the row operations: name -> (f, vector-Jacobian product), on long double rows."""

from typing import NamedTuple

import numpy as np

from . import activations
from .wide import WIDE, softmax


class RowOp(NamedTuple):
    forward: object  # (x, **parameters) -> y
    backward: object  # (x, y, dy, **parameters) -> (dx, its largest term), at the y that the kernel is given


def softmax_backward(x, y, dy):
    dot = (dy * y).sum(axis=-1, keepdims=True)
    largest = abs(y) * (abs(dy) + (abs(dy) * abs(y)).sum(axis=-1, keepdims=True))
    return y * (dy - dot), largest


def log_softmax(x):
    """The largest element counts as 1 in the sum, the others through log1p."""
    shifted = x - x.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    np.put_along_axis(e, x.argmax(axis=-1, keepdims=True), 0, axis=-1)
    return shifted - np.log1p(e.sum(axis=-1, keepdims=True))


def log_softmax_backward(x, y, dy):
    p = np.exp(y)
    largest = abs(dy) + p * abs(dy).sum(axis=-1, keepdims=True)
    return dy - p * dy.sum(axis=-1, keepdims=True), largest


def gated(name, **settings):
    """a * f(b) of the halves a, b."""
    f, slopes = activations.ORACLES[name]
    settings = {k: v if isinstance(v, str) else WIDE(v) for k, v in settings.items()}

    def forward(x):
        a, b = np.split(x, 2, axis=-1)
        return a * f(b, **settings)

    def backward(x, y, dy):
        a, b = np.split(x, 2, axis=-1)
        value = f(b, **settings)
        terms = slopes(b, value, **settings)
        size = np.max(np.abs(terms), axis=0)
        return (
            np.concatenate([dy * value, dy * a * sum(terms)], axis=-1),
            np.concatenate([abs(dy * value), abs(dy * a) * size], axis=-1),
        )

    return RowOp(forward, backward)


ORACLES = {
    "softmax": RowOp(softmax, softmax_backward),
    "log_softmax": RowOp(log_softmax, log_softmax_backward),
    "glu": gated("sigmoid", slope=1),
    "swiglu": gated("swish", beta=1),
    "geglu": gated("gelu", approximate="none"),
    "reglu": gated("relu"),
}
