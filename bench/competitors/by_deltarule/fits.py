"""A whole fit by `fit`, stopped by a callback at the target."""

from __future__ import annotations

import deltarule as dr
from bench.case import Case, Work
from bench.fitting import Task, load_task

from .network import build


def prepare(case: Case, _variant: str) -> Work:
    task = load_task(case)
    return task.work(lambda seed: _fit(task, seed))


def _fit(task: Task, seed: int) -> tuple[float, int]:
    net = build(task.workload, task.workload.initial_parameters(seed))
    reached = 0.0

    def measure(_epoch: int, _logs: dict[str, float]) -> None:
        nonlocal reached
        reached = task.accuracy(net.predict(task.X_test))
        net.stop_training = reached >= task.target

    history = net.fit(
        task.X, task.y, batch_size=task.workload.batch, epochs=task.epochs, verbose=0,
        callbacks=[dr.LambdaCallback(on_epoch_end=measure)],
    )  # fmt: skip
    return reached, len(history.history["loss"])
