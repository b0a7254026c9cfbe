"""A whole fit: the usual loop with a DataLoader, or rows taken from one tensor with a fused optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, TensorDataset

from bench.case import Case, Work
from bench.fitting import Task, load_task

from .network import build, loss_of, optimizer, tensors


def prepare(case: Case, variant: str) -> Work:
    task = load_task(case)
    return task.work(lambda seed: _fit(task, seed, variant))


def _fit(task: Task, seed: int, variant: str) -> tuple[float, int]:
    torch.manual_seed(seed)
    workload = task.workload
    net, loss = build(workload, workload.initial_parameters(seed)), loss_of(workload)
    rule = optimizer(workload, net, variant)
    X, y = tensors(task.X, task.y)
    loader = DataLoader(TensorDataset(X, y), batch_size=workload.batch, shuffle=True)
    X_test = torch.from_numpy(task.X_test)
    reached, epoch = 0.0, 0
    while reached < task.target and epoch < task.epochs:
        epoch += 1
        batches: Any = loader if variant == "loader" else _shuffled(X, y, workload.batch)
        for x, target in batches:
            rule.zero_grad()
            loss(net(x), target).backward()
            rule.step()
        with torch.no_grad():
            reached = task.accuracy(net(X_test).numpy())
    return reached, epoch


def _shuffled(X: torch.Tensor, y: torch.Tensor, batch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    order = torch.randperm(len(X))
    return zip(X[order].split(batch), y[order].split(batch), strict=True)
