"""Inference by `predict`, or `predict_proba` for classes."""

from __future__ import annotations

from bench.case import Case, Work, repeat
from bench.probe import normal
from bench.workloads import WORKLOADS

from .network import build


def prepare(case: Case, _variant: str) -> Work | None:
    workload = WORKLOADS[case.settings["workload"]]
    model = build(workload, workload.initial_parameters(), *workload.data())
    if model is None:
        return None
    x = normal((case.settings["rows"], workload.inputs), 0)
    predict = model.predict if workload.loss == "mse" else model.predict_proba
    return Work(repeat(lambda: predict(x)))
