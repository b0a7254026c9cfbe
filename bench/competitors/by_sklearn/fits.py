"""A whole fit by `partial_fit`, one epoch at a time."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from bench.case import Case, Work
from bench.fitting import Task, load_task


def prepare(case: Case, _variant: str) -> Work:
    task = load_task(case)
    return task.work(lambda seed: _fit(task, seed))


def _fit(task: Task, seed: int) -> tuple[float, int]:
    model = MLPClassifier(
        task.workload.sizes[1:-1], batch_size=task.workload.batch, alpha=0.0, random_state=seed
    )
    classes = np.arange(task.workload.outputs)
    reached, epoch = 0.0, 0
    while reached < task.target and epoch < task.epochs:
        epoch += 1
        model.partial_fit(task.X, task.y, classes=classes)
        reached = task.accuracy(model.predict_proba(task.X_test))
    return reached, epoch
