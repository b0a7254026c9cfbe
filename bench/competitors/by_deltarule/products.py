"""Products by `deltarule.kernels.matmul`."""

from __future__ import annotations

from functools import partial

import numpy as np

from deltarule import kernels

from ...case import Case, Work, repeat
from ...cases.products import operands
from ...probe import normal, probe


def prepare(case: Case, variant: str) -> Work:
    one, two, transpose_a, transpose_b = operands(case.settings)
    a, b = normal(one, 0), normal(two, 1)
    out = np.empty((one[transpose_a], two[not transpose_b]), np.float32)
    call = partial(kernels.matmul, a, b, transpose_a=transpose_a, transpose_b=transpose_b, out=out)
    return Work(repeat(call), check=lambda: probe(call()))
