"""Training steps over prepared batches."""

from __future__ import annotations

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload, training_check

from .network import Network


def prepare(case: Case, _variant: str) -> Work | None:
    workload = WORKLOADS[case.settings["workload"]]
    if not Network.can_do(workload):
        return None
    parameters = workload.initial_parameters()
    net = Network(workload, parameters, workload.batch)
    batches = _batches(workload, *workload.data())

    def run(epochs: int) -> float:
        for _ in range(epochs):
            for x, y in batches:
                net.train(x, y)
        return net.loss_value

    return Work(
        run,
        units=len(batches),
        check=lambda: training_check(workload, _train),
        reset=lambda: net.start_again(parameters),
    )


def _train(workload: Workload, X: Array, y: Array, parameters: list[Array]) -> list[Array]:
    net = Network(workload, parameters, workload.batch)
    for x, target in _batches(workload, X, y):
        net.train(x, target)
    return net.parameters


def _batches(workload: Workload, X: Array, y: Array) -> list[tuple[Array, Array]]:
    size = workload.batch
    return [(X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)]
