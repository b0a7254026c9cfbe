"""What happens before the first step: import, a new process up to the first trained step, sizes on disk."""

from bench.case import Case


def cases() -> list[Case]:
    return [
        Case("startup", "import", quick=True),
        Case("startup", "import after numpy"),
        Case("startup", "first step of T2"),
        Case("sizes", "installed", quick=True),
        Case("sizes", "wheel"),
    ]
