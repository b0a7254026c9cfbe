"""The networks that are trained and run: data, initial weights and the loss that every library must reach."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Stage = tuple[Any, ...]
"""("dense", units), ("activation", name), ("batch_norm",) or ("dropout", rate)."""
EPSILON = 1e-5
"""Of batch normalisation, in every library."""


@dataclass(frozen=True)
class Workload:
    name: str
    inputs: int
    stages: tuple[Stage, ...]
    batch: int
    optimizer: str = "adam"
    settings: dict[str, float] = field(default_factory=lambda: {"learning_rate": 1e-3})
    loss: str = "cross_entropy"
    steps: int = 32
    """Batches in the data: one epoch."""

    @property
    def sizes(self) -> list[int]:
        return [self.inputs, *(stage[1] for stage in self.stages if stage[0] == "dense")]

    @property
    def outputs(self) -> int:
        return self.sizes[-1]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of all parameters in order: weight (inputs, outputs) and bias, or gain and shift."""
        shapes: list[tuple[int, ...]] = []
        width = self.inputs
        for stage in self.stages:
            if stage[0] == "dense":
                shapes += [(width, stage[1]), (stage[1],)]
                width = stage[1]
            elif stage[0] == "batch_norm":
                shapes += [(width,), (width,)]
        return shapes

    @property
    def is_plain(self) -> bool:
        """Only dense layers with one activation between them, as scikit-learn has them."""
        kinds = [stage[0] for stage in self.stages]
        names = {stage[1] for stage in self.stages if stage[0] == "activation"}
        return kinds == ["dense", "activation"] * (len(self.sizes) - 2) + ["dense"] and len(names) == 1

    def without_dropout(self) -> Workload:
        """The same work without random numbers, for checks."""
        return replace(self, stages=tuple(stage for stage in self.stages if stage[0] != "dropout"))

    def initial_parameters(self, seed: int = 0) -> list[Array]:
        """Weights by He's or Glorot's rule, zero biases, gains of one."""
        generator = np.random.default_rng([seed, 1])
        gain = 1.0 if ("activation", "tanh") in self.stages else 2.0
        parameters, after_norm = [], False
        kinds = [k for stage in self.stages for k in {"dense": "wb", "batch_norm": "gs"}.get(stage[0], "")]
        for kind, shape in zip(kinds, self.shapes, strict=True):
            if kind == "w":
                deviation = np.sqrt(gain / shape[0])
                parameters.append((deviation * generator.standard_normal(shape)).astype(np.float32))
            else:
                after_norm = kind == "g"
                parameters.append(np.full(shape, float(after_norm), np.float32))
        return parameters

    def data(self, steps: int | None = None, seed: int = 0) -> tuple[Array, Array]:
        """Inputs (steps * batch, inputs) and targets: values (rows, outputs), or int32 labels (rows,)."""
        generator = np.random.default_rng([seed, 2])
        rows = (steps or self.steps) * self.batch
        X = generator.standard_normal((rows, self.inputs), np.float32)
        hidden = X @ generator.standard_normal((self.inputs, self.outputs), np.float32)
        if self.loss == "mse":
            return X, np.sin(hidden)
        return X, hidden.argmax(axis=1).astype(np.int32)

    @property
    def matrices(self) -> list[int]:
        """Numbers in each dense layer's weights."""
        return [a * b for a, b in zip(self.sizes[:-1], self.sizes[1:], strict=True)]

    def product_flops(self) -> int:
        """Of the products of one training step; the gradient of the data is not needed."""
        return 2 * self.batch * (3 * sum(self.matrices) - self.matrices[0])

    def parameter_count(self) -> int:
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def reference_loss(self, parameters: list[Array], X: Array, y: Array) -> float:
        """Mean loss of one batch in training mode without dropout, in float64."""
        left = [np.asarray(p, np.float64) for p in parameters]
        x = np.asarray(X, np.float64)
        for stage in self.stages:
            if stage[0] == "dense":
                x = x @ left.pop(0) + left.pop(0)
            elif stage[0] == "batch_norm":
                x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + EPSILON) * left.pop(0) + left.pop(0)
            elif stage[0] == "activation":
                x = _activation(stage[1], x)
        if self.loss == "mse":
            return float(np.mean((x - y) ** 2))
        x -= x.max(axis=1, keepdims=True)
        return float(np.mean(np.log(np.exp(x).sum(axis=1)) - x[np.arange(len(y)), y]))


def _activation(name: str, x: Array) -> Array:
    if name not in ("gelu", "tanh", "relu"):
        raise ValueError(f"workloads: there is no reference for {name!r}")
    if name == "gelu":
        from math import erf

        return x * 0.5 * (1 + np.vectorize(erf)(x / np.sqrt(2)))
    return np.tanh(x) if name == "tanh" else np.maximum(x, 0)


def plain(sizes: list[int], activation: str) -> tuple[Stage, ...]:
    """Dense layers with an activation between them."""
    stages: list[Stage] = []
    for units in sizes[:-1]:
        stages += [("dense", units), ("activation", activation)]
    return (*stages, ("dense", sizes[-1]))


def _normalised(sizes: list[int], rate: float) -> tuple[Stage, ...]:
    stages: list[Stage] = []
    for units in sizes[:-1]:
        stages += [("dense", units), ("batch_norm",), ("activation", "relu"), ("dropout", rate)]
    return (*stages, ("dense", sizes[-1]))


_DECAY = {"learning_rate": 1e-3, "weight_decay": 0.01}
_MOMENTUM = {"learning_rate": 0.01, "momentum": 0.9}
_LIST = [
    Workload("T1", 8, plain([32, 32, 1], "relu"), 32, loss="mse", steps=512),
    Workload("T2", 64, plain([128, 64, 10], "relu"), 64, steps=128),
    Workload("T3-sgdm", 784, plain([256, 128, 10], "relu"), 128, "sgd", _MOMENTUM, steps=32),
    Workload("T3-adam", 784, plain([256, 128, 10], "relu"), 128, steps=32),
    Workload("T4", 784, _normalised([512, 256, 10], 0.2), 128, "adamw", _DECAY, steps=32),
    Workload("T5", 1024, plain([2048, 2048, 1000], "gelu"), 256, "adamw", _DECAY, steps=2),
    Workload("T6", 64, plain([64] * 32 + [10], "tanh"), 128, steps=32),
]
WORKLOADS = {workload.name: workload for workload in _LIST}


def training_check(workload: Workload, train: Any) -> list[float]:
    """Loss before and after some steps; `train(workload, X, y, parameters)` gives the new parameters."""
    workload = workload.without_dropout()
    X, y = workload.data(steps=min(workload.steps, 8))
    start = workload.initial_parameters()
    after = train(workload, X, y, [p.copy() for p in start])
    first = X[: workload.batch], y[: workload.batch]
    return [workload.reference_loss(start, *first), workload.reference_loss(after, *first)]
