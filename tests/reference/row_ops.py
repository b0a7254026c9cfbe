"""Oracles of the row operations: name -> (f, vector-Jacobian product), on long double rows."""

from typing import NamedTuple

from .wide import softmax


class RowOp(NamedTuple):
    forward: object  # (x, **parameters) -> y
    backward: object  # (x, y, dy, **parameters) -> (dx, its largest term), at the y that the kernel is given


def softmax_backward(x, y, dy):
    dot = (dy * y).sum(axis=-1, keepdims=True)
    largest = abs(y) * (abs(dy) + (abs(dy) * abs(y)).sum(axis=-1, keepdims=True))
    return y * (dy - dot), largest


ORACLES = {"softmax": RowOp(softmax, softmax_backward)}
