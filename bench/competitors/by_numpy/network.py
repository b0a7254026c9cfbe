"""A network in NumPy: all parameters in one flat array, all buffers made at the start."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.workloads import Array, Workload

from . import functions
from .rules import Rule
from .stages import STAGES


class Network:
    def __init__(self, workload: Workload, parameters: list[Array], rows: int) -> None:
        self.workload, self.loss_value = workload, 0.0
        count = workload.parameter_count()
        self.flat, self.gradient = np.zeros((2, count), np.float32)
        self.stages: list[Any] = []
        width = workload.inputs
        for kind, *values in workload.stages:
            self.stages.append(STAGES[kind](rows, width, *values))
            width = values[0] if kind == "dense" else width
        self.stages[0].first = True
        self.parameters, gradients = _views(workload, self.flat), _views(workload, self.gradient)
        given = list(self.parameters)
        for stage in self.stages:
            if hasattr(stage, "take"):
                stage.take(given, gradients)
        self.dy, self.numbers = np.empty((rows, width), np.float32), np.arange(rows)
        self.start_again(parameters)

    def start_again(self, parameters: list[Array]) -> None:
        for own, value in zip(self.parameters, parameters, strict=True):
            own[...] = value
        self.rule = Rule(self.workload.optimizer, self.workload.settings, len(self.flat))

    @staticmethod
    def can_do(workload: Workload) -> bool:
        return all(s[1] in functions.FORWARD for s in workload.stages if s[0] == "activation")

    def forward(self, x: Array, training: bool = False) -> Array:
        for stage in self.stages:
            x = stage.forward(x, training)
        return x

    def train(self, x: Array, target: Array) -> None:
        """One step: forward, loss, backward, update."""
        output = self.forward(x, training=True)
        dy = self.dy[: len(x)]
        if self.workload.loss == "mse":
            np.subtract(output, target, out=dy)
            self.loss_value = float(np.vdot(dy, dy)) / dy.size
            dy *= np.float32(2 / dy.size)
        else:
            functions.FORWARD["softmax"](output, dy, dy)
            picked = (self.numbers[: len(x)], target)
            self.loss_value = -float(np.log(dy[picked] + np.float32(1e-30)).mean())
            dy[picked] -= 1
            dy *= np.float32(1 / len(x))
        for stage in reversed(self.stages):
            dy = stage.backward(dy)
        self.rule.update(self.flat, self.gradient)


def _views(workload: Workload, flat: Array) -> list[Array]:
    views, at = [], 0
    for shape in workload.shapes:
        size = int(np.prod(shape))
        views.append(flat[at : at + size].reshape(shape))
        at += size
    return views
