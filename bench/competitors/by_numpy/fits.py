"""A whole fit in NumPy: the rows in a new order each epoch."""

from __future__ import annotations

import numpy as np

from bench.case import Case, Work
from bench.fitting import Task, load_task

from .network import Network


def prepare(case: Case, _variant: str) -> Work:
    task = load_task(case)
    return task.work(lambda seed: _fit(task, seed))


def _fit(task: Task, seed: int) -> tuple[float, int]:
    batch = task.workload.batch
    net = Network(task.workload, task.workload.initial_parameters(seed), max(batch, len(task.X_test)))
    x, y = np.empty((batch, task.workload.inputs), np.float32), np.empty(batch, np.int32)
    generator = np.random.default_rng(seed)
    reached, epoch = 0.0, 0
    while reached < task.target and epoch < task.epochs:
        epoch += 1
        order = generator.permutation(len(task.X))
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            n = len(chosen)
            np.take(task.X, chosen, axis=0, out=x[:n], mode="clip")
            np.take(task.y, chosen, out=y[:n], mode="clip")
            net.train(x[:n], y[:n])
        reached = task.accuracy(net.forward(task.X_test))
    return reached, epoch
