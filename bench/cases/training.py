"""Training steps T1 to T6: forward, loss, backward and update, data in memory."""

from bench.case import Case
from bench.workloads import WORKLOADS


def cases() -> list[Case]:
    return [
        Case("training", name, {"workload": name}, tolerance=5e-3, quick=name == "T2") for name in WORKLOADS
    ]
