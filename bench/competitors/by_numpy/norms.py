"""Normalisation over rows or columns, into arrays made before."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import EPSILON, Array


class Norm:
    """Over the batch (axis 0) or over the columns (axis 1)."""

    def __init__(self, axis: int, x: Array, gain: Array, shift: Array) -> None:
        self.axis, self.x, self.gain, self.shift = axis, x, gain, shift
        self.centred, self.y, self.product = np.empty((3, *x.shape), np.float32)

    def forward(self) -> Array:
        centred, product, y = self.centred, self.product, self.y
        np.subtract(self.x, self.x.mean(axis=self.axis, keepdims=True), out=centred)
        np.multiply(centred, centred, out=product)
        variance = product.mean(axis=self.axis, keepdims=True)
        self.inverse = 1 / np.sqrt(variance + np.float32(EPSILON))
        centred *= self.inverse
        np.multiply(centred, self.gain, out=y)
        y += self.shift
        return y

    def backward(self, dy: Array) -> tuple[Array, Array, Array]:
        centred, product, dx = self.centred, self.product, self.y
        np.multiply(dy, centred, out=product)
        dgain, dshift = product.sum(axis=0), dy.sum(axis=0)
        np.multiply(dy, self.gain, out=dx)
        if self.axis == 0:
            mean, projection = dshift * self.gain, dgain * self.gain
        else:
            product *= self.gain
            mean = dx.sum(axis=1, keepdims=True)
            projection = product.sum(axis=1, keepdims=True)
        count = np.float32(1 / self.x.shape[self.axis])
        np.multiply(centred, projection * count, out=product)
        product += mean * count
        dx -= product
        dx *= self.inverse
        return dx, dgain, dshift


def prepare(case: Case, _variant: str) -> Work:
    shape = case.settings["shape"]
    axis = 0 if case.settings["function"] == "batch_norm" else 1
    norm = Norm(axis, normal(shape, 0), normal(shape[1:], 2), normal(shape[1:], 3))
    y, dy = norm.forward(), normal(shape, 1)
    if case.settings["direction"] == "forward":
        return Work(repeat(norm.forward), check=lambda: probe(y))
    backward = partial(norm.backward, dy)
    return Work(repeat(backward), check=lambda: probe(*backward()))
