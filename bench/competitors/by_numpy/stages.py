# ruff: noqa: ARG002 - all layers take the same arguments
"""Layers in NumPy, with room for one batch of at most `rows` rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.workloads import EPSILON, Array

from . import functions


class Dense:
    def __init__(self, rows: int, width: int, units: int) -> None:
        self.y = np.empty((rows, units), np.float32)
        self.dx = np.empty((rows, width), np.float32)
        self.W = self.b = self.dW = self.db = np.empty(0, np.float32)
        self.first = False

    def forward(self, x: Array, training: bool) -> Array:
        self.x = x
        y = self.y[: len(x)]
        np.matmul(x, self.W, out=y)
        y += self.b
        return y

    def backward(self, dy: Array) -> Array:
        np.matmul(self.x.T, dy, out=self.dW)
        np.sum(dy, axis=0, out=self.db)
        dx = self.dx[: len(dy)]
        return dx if self.first else np.matmul(dy, self.W.T, out=dx)

    def take(self, parameters: list[Array], gradients: list[Array]) -> None:
        self.W, self.b = parameters.pop(0), parameters.pop(0)
        self.dW, self.db = gradients.pop(0), gradients.pop(0)


class Activation:
    """Works in place on the output of the layer before."""

    def __init__(self, rows: int, width: int, name: str) -> None:
        self.forward_of, self.backward_of = functions.FORWARD[name], functions.BACKWARD[name]
        self.keeps_input = name not in ("relu", "tanh", "sigmoid")
        self.y = np.empty((rows, width), np.float32)
        self.scratch = functions.Scratch((rows, width))

    def forward(self, x: Array, training: bool) -> Array:
        self.x = x
        y = self.y[: len(x)] if self.keeps_input else x
        self.result = self.forward_of(x, y, self.scratch.first(len(x)))
        return self.result

    def backward(self, dy: Array) -> Array:
        return self.backward_of(self.x, self.result, dy, dy, self.scratch.first(len(dy)))


class BatchNorm:
    def __init__(self, rows: int, width: int) -> None:
        self.centred, self.y, self.square = np.empty((3, rows, width), np.float32)
        self.gain = self.shift = self.dgain = self.dshift = np.empty(0, np.float32)
        self.running_mean = np.zeros(width, np.float32)
        self.running_variance = np.ones(width, np.float32)

    def forward(self, x: Array, training: bool) -> Array:
        y, centred, square = (a[: len(x)] for a in (self.y, self.centred, self.square))
        if not training:
            scale = self.gain / np.sqrt(self.running_variance + EPSILON)
            np.multiply(x, scale, out=y)
            y += self.shift - self.running_mean * scale
            return y
        mean = x.mean(axis=0)
        np.subtract(x, mean, out=centred)
        np.multiply(centred, centred, out=square)
        variance = square.mean(axis=0)
        self.inverse = 1 / np.sqrt(variance + np.float32(EPSILON))
        centred *= self.inverse
        np.multiply(centred, self.gain, out=y)
        y += self.shift
        self.running_mean += np.float32(0.1) * (mean - self.running_mean)
        self.running_variance += np.float32(0.1) * (variance - self.running_variance)
        return y

    def backward(self, dy: Array) -> Array:
        centred, product = self.centred[: len(dy)], self.square[: len(dy)]
        np.multiply(dy, centred, out=product)
        np.sum(product, axis=0, out=self.dgain)
        np.sum(dy, axis=0, out=self.dshift)
        count = np.float32(1 / len(dy))
        np.multiply(centred, self.dgain * count, out=product)
        product += self.dshift * count
        np.subtract(dy, product, out=product)
        product *= self.gain * self.inverse
        return product

    def take(self, parameters: list[Array], gradients: list[Array]) -> None:
        self.gain, self.shift = parameters.pop(0), parameters.pop(0)
        self.dgain, self.dshift = gradients.pop(0), gradients.pop(0)


class Dropout:
    def __init__(self, rows: int, width: int, rate: float) -> None:
        self.rate = np.float32(rate)
        self.factor = np.empty((rows, width), np.float32)
        self.random = np.random.Generator(np.random.SFC64(0))

    def forward(self, x: Array, training: bool) -> Array:
        if training:
            factor = self.factor[: len(x)]
            self.random.random(dtype=np.float32, out=factor)
            np.greater_equal(factor, self.rate, out=factor)
            factor *= 1 / (1 - self.rate)
            x *= factor
        return x

    def backward(self, dy: Array) -> Array:
        dy *= self.factor[: len(dy)]
        return dy


STAGES: dict[str, Any] = {
    "dense": Dense,
    "activation": Activation,
    "batch_norm": BatchNorm,
    "dropout": Dropout,
}
