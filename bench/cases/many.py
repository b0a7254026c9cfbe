"""Many networks of one kind, trained on the same rows: what a grid search or a cross-validation does."""

from bench.case import Case

NETWORKS, EPOCHS = 16, 4


def cases() -> list[Case]:
    return [
        Case(
            "many",
            f"{name} x {NETWORKS}",
            {"workload": name, "networks": NETWORKS, "epochs": EPOCHS},
            tolerance=5e-3,
            quick=name == "T1",
        )
        for name in ("T1", "T2")
    ]
