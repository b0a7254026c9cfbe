"""Products, compiled."""

from __future__ import annotations

from typing import Any

from bench.case import Case, Work
from bench.cases.products import operands
from bench.probe import normal

from .kernels import compiled


def prepare(case: Case, _variant: str) -> Work:
    one, two, transpose_a, transpose_b = operands(case.settings)

    def product(a: Any, b: Any) -> Any:
        return (a.T if transpose_a else a) @ (b.T if transpose_b else b)

    return compiled(product, normal(one, 0), normal(two, 1))
