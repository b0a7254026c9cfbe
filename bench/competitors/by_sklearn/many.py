"""One estimator per network, as scikit-learn's searches run them: joblib's worker processes."""

from __future__ import annotations

from typing import Any

from joblib import Parallel, delayed

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array

from . import used_threads
from .network import build, start_again, target


def prepare(case: Case, _variant: str) -> Work | None:
    workload = WORKLOADS[case.settings["workload"]]
    networks, epochs = case.settings["networks"], case.settings["epochs"]
    X, values = workload.data()
    y = target(workload, values)
    model = build(workload, workload.initial_parameters(), X, values)
    if model is None:
        return None
    pool = Parallel(n_jobs=used_threads())

    def train(epochs: int) -> list[float]:
        jobs = (delayed(_fit)(model, workload.initial_parameters(i), X, y, epochs) for i in range(networks))
        return list(pool(jobs))

    def run(times: int) -> float:
        return [train(epochs)[-1] for _ in range(times)][-1]

    def check() -> list[float]:
        half = 2 if workload.loss == "mse" else 1  # scikit-learn's squared error has a factor 1/2
        return [half * loss for loss in train(1)]

    return Work(run, units=networks, unit=1e-3, check=check)


def _fit(model: Any, parameters: list[Array], X: Array, y: Array, epochs: int) -> float:
    start_again(model, parameters)
    model.max_iter = epochs
    return float(model.fit(X, y).loss_)
