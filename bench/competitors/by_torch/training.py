"""Training steps over tensors made before, or with a DataLoader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from bench.case import Case, Work
from bench.workloads import WORKLOADS, Array, Workload, training_check

from .network import build, loss_of, optimizer, start_again, tensors


class _Trainer:
    def __init__(self, workload: Workload, parameters: list[Array], variant: str) -> None:
        self.workload, self.variant = workload, variant
        self.net = build(workload, parameters)
        self.loss = loss_of(workload)
        self.start_again(parameters)

    def start_again(self, parameters: list[Array]) -> None:
        start_again(self.net, parameters)
        self.rule = optimizer(self.workload, self.net, self.variant)

    def epoch(self, batches: Iterable[Any]) -> torch.Tensor:
        net, loss, rule = self.net, self.loss, self.rule
        for x, y in batches:
            rule.zero_grad()
            value = loss(net(x), y)
            value.backward()
            rule.step()
        return value.detach()


def prepare(case: Case, variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    parameters = workload.initial_parameters()
    trainer = _Trainer(workload, parameters, variant)
    X, y = tensors(*workload.data())
    batches: Any = _split(workload, X, y)
    if variant == "loader":
        batches = DataLoader(TensorDataset(X, y), batch_size=workload.batch, shuffle=True)

    def run(epochs: int) -> float:
        for _ in range(epochs):
            last = trainer.epoch(batches)
        return float(last)

    def train(workload: Workload, X: Array, y: Array, parameters: list[Array]) -> list[Array]:
        once = _Trainer(workload, parameters, variant)
        once.epoch(_split(workload, *tensors(X, y)))
        return [p.detach().numpy().T if p.ndim == 2 else p.detach().numpy() for p in once.net.parameters()]

    return Work(
        run,
        units=len(batches),
        check=lambda: training_check(workload, train),
        reset=lambda: trainer.start_again(parameters),
    )


def _split(workload: Workload, X: torch.Tensor, y: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(zip(X.split(workload.batch), y.split(workload.batch), strict=True))
