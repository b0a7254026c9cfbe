"""Products by `torch.matmul`, into a tensor made before."""

from __future__ import annotations

from functools import partial

import torch

from bench.case import Case, Work, repeat
from bench.cases.products import operands
from bench.probe import normal, probe


def prepare(case: Case, _variant: str) -> Work:
    one, two, transpose_a, transpose_b = operands(case.settings)
    a, b = torch.from_numpy(normal(one, 0)), torch.from_numpy(normal(two, 1))
    out = torch.empty(one[transpose_a], two[not transpose_b])
    call = partial(torch.matmul, a.T if transpose_a else a, b.T if transpose_b else b, out=out)
    return Work(repeat(call), check=lambda: probe(call().numpy()))
