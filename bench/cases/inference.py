"""Inference: NumPy array in, NumPy array out, for one row, a batch and a table."""

from bench.case import Case
from bench.workloads import WORKLOADS

_NAMES = {"T1": "T1", "T2": "T2", "T3": "T3-adam", "T4": "T4", "T5": "T5", "T6": "T6"}
_ROWS = (1, 256, 100_000)
_LARGEST = 100_000_000
"""Input values: larger tables are left out."""


def cases() -> list[Case]:
    return [
        Case(
            "inference",
            f"{name} rows {rows}",
            {"workload": workload, "rows": rows},
            quick=(name, rows) == ("T2", 1),
        )
        for name, workload in _NAMES.items()
        for rows in _ROWS
        if rows * WORKLOADS[workload].inputs <= _LARGEST
    ]
