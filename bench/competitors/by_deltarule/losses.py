"""Losses by `deltarule.kernels`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.probe import probe
from bench.targets import prediction_of, target_of
from deltarule import kernels


def prepare(case: Case, _variant: str) -> Work:
    prediction = prediction_of(case.settings)
    gradient = np.empty_like(prediction)
    call = partial(
        getattr(kernels, case.settings["function"]), prediction, target_of(case.settings), out=gradient
    )
    return Work(repeat(call), check=lambda: probe(*call()))
