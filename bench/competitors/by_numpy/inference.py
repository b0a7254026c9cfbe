"""Inference in blocks of rows that fit the cache."""

from __future__ import annotations

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import WORKLOADS, Array

from .network import Network

_BLOCK = 512


def prepare(case: Case, _variant: str) -> Work | None:
    workload = WORKLOADS[case.settings["workload"]].without_dropout()
    if not Network.can_do(workload):
        return None
    rows = case.settings["rows"]
    net = Network(workload, workload.initial_parameters(), min(rows, _BLOCK))
    x = normal((rows, workload.inputs), 0)

    def predict() -> Array:
        if rows <= _BLOCK:
            return net.forward(x).copy()
        out = np.empty((rows, workload.outputs), np.float32)
        for start in range(0, rows, _BLOCK):
            out[start : start + _BLOCK] = net.forward(x[start : start + _BLOCK])
        return out

    return Work(repeat(predict), check=lambda: probe(predict()))
