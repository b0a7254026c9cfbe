"""Update rules of `torch.optim`, in the fused or the foreach form, on one flat tensor."""

from __future__ import annotations

from typing import Any

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

RULES: dict[str, tuple[Any, dict[str, float]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.01}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.01}),
}
_FUSED = {"sgd", "adam", "adamw", "adagrad"}


def prepare(case: Case, variant: str) -> Work | None:
    name, shape = case.settings["function"], (case.settings["count"],)
    if name not in RULES or (variant == "fused" and name not in _FUSED):
        return None
    make, settings = RULES[name]
    w = torch.nn.Parameter(torch.from_numpy(normal(shape, 0)))
    w.grad = torch.from_numpy(normal(shape, 1))
    rule = make([w], **settings, **case.settings["parameters"], **{variant: True})
    update = repeat(rule.step)

    def run(count: int) -> Any:
        update(count)
        return w

    def check() -> list[float]:
        run(3)
        return probe(w.detach().numpy())

    return Work(run, check=check)
