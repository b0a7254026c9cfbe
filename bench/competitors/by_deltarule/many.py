"""All networks by one `fit_many`; as the variant "alone" one `fit` after the other, each with all threads."""

from __future__ import annotations

import deltarule as dr
from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload

from .network import build


def prepare(case: Case, variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    networks, epochs = case.settings["networks"], case.settings["epochs"]
    X, y = workload.data()
    nets = [build(workload, workload.initial_parameters(seed)) for seed in range(networks)]
    train = _alone if variant == "alone" else _together

    def run(times: int) -> float:
        for _ in range(times):
            losses = train(nets, workload, X, y, epochs)
        return losses[-1]

    return Work(
        run, units=networks, unit=1e-3, check=lambda: train(nets, workload.without_dropout(), X, y, 1)
    )


def _together(nets: list[dr.Sequential], workload: Workload, X: Array, y: Array, epochs: int) -> list[float]:
    results = dr.fit_many(
        X, y, dr.grid(model=nets), epochs=epochs, batch_size=workload.batch, shuffle=False, verbose=0
    )
    return [result.history["loss"][-1] for result in results]


def _alone(nets: list[dr.Sequential], workload: Workload, X: Array, y: Array, epochs: int) -> list[float]:
    copies = [net.copy() for net in nets]
    for net in copies:
        net.fit(X, y, epochs=epochs, batch_size=workload.batch, shuffle=False, verbose=0)
    return [net.history["loss"][-1] for net in copies if net.history is not None]
