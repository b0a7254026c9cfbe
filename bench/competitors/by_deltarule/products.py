"""Products by `deltarule.kernels.matmul`."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.cases.products import operands
from bench.probe import normal, probe
from deltarule import kernels


def prepare(case: Case, _variant: str) -> Work:
    one, two, transpose_a, transpose_b = operands(case.settings)
    a, b = normal(one, 0), normal(two, 1)
    out = np.empty((one[transpose_a], two[not transpose_b]), np.float32)
    call = partial(kernels.matmul, a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)
    return Work(repeat(call), check=lambda: probe(call()))
