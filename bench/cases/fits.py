"""A whole fit from fresh weights until the test accuracy is reached."""

from bench.case import Case

TASKS = {
    "digits": {"sizes": [64, 128, 64, 10], "batch": 64, "target": 0.97, "epochs": 60},
    "mnist5k": {"sizes": [784, 256, 128, 10], "batch": 128, "target": 0.94, "epochs": 40},
}


def cases() -> list[Case]:
    return [
        Case("fits", f"{name} to {task['target']}", {"data": name, **task}, quick=name == "digits")
        for name, task in TASKS.items()
    ]
