"""Products by `numpy.matmul` (OpenBLAS, MKL or whatever NumPy was built with)."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.case import Case, Work, repeat
from bench.cases.products import operands
from bench.probe import normal, probe


def prepare(case: Case, _variant: str) -> Work:
    one, two, transpose_a, transpose_b = operands(case.settings)
    a, b = normal(one, 0), normal(two, 1)
    out = np.empty((one[transpose_a], two[not transpose_b]), np.float32)
    call = partial(np.matmul, a.T if transpose_a else a, b.T if transpose_b else b, out=out)
    return Work(repeat(call), check=lambda: probe(call()))
