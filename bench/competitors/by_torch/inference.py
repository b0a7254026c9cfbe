"""Inference in eager mode, from and to NumPy."""

from __future__ import annotations

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import WORKLOADS, Array

from .network import build


def prepare(case: Case, _variant: str) -> Work:
    workload = WORKLOADS[case.settings["workload"]]
    net = build(workload, workload.initial_parameters()).eval()
    x = normal((case.settings["rows"], workload.inputs), 0)

    @torch.inference_mode()
    def predict() -> Array:
        return net(torch.from_numpy(x)).numpy()  # type: ignore[no-any-return]  # torch need not be there

    return Work(repeat(predict), check=lambda: probe(predict()))
