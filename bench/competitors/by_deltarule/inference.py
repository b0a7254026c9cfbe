"""Inference by `predict`."""

from __future__ import annotations

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import WORKLOADS

from .network import build


def prepare(case: Case, variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    net = build(workload, workload.initial_parameters())
    x = normal((case.settings["rows"], workload.inputs), 0)
    if variant == "bfloat16":  # other numbers, hence no check
        rounded = net.to_bfloat16().predict
        return Work(repeat(lambda: rounded(x)))
    predict = net.predict
    return Work(repeat(lambda: predict(x)), check=lambda: probe(np.asarray(predict(x))))
