"""Training by `fit` with a warm start."""

from __future__ import annotations

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload, training_check

from .network import build, start_again, target


def prepare(case: Case, _variant: str) -> Work | None:
    workload = WORKLOADS[case.settings["workload"]]
    X, values = workload.data()
    parameters = workload.initial_parameters()
    model = build(workload, parameters, X, values)
    if model is None:
        return None
    y = target(workload, values)

    def run(epochs: int) -> float:
        model.max_iter = epochs
        return float(model.fit(X, y).loss_)

    return Work(
        run,
        units=workload.steps,
        check=lambda: training_check(workload, _train),
        reset=lambda: start_again(model, parameters),
    )


def _train(workload: Workload, X: Array, y: Array, parameters: list[Array]) -> list[Array]:
    model = build(workload, parameters, X, y)
    model.fit(X, target(workload, y))
    return [array for pair in zip(model.coefs_, model.intercepts_, strict=True) for array in pair]
