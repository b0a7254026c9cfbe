"""Update rules of `torch.optim`, in the fused or the foreach form, on one flat tensor."""

from __future__ import annotations

from typing import Any

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

RULES: dict[str, tuple[Any, dict[str, float]]] = {
    "sgd": (torch.optim.SGD, {"lr": 0.01}),
    "delta_rule": (torch.optim.SGD, {"lr": 0.01}),
    "momentum": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
    "nag": (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    "adam": (torch.optim.Adam, {}),
    "amsgrad": (torch.optim.Adam, {"amsgrad": True}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.01}),
    "nadam": (torch.optim.NAdam, {}),
    "nadamw": (torch.optim.NAdam, {"weight_decay": 0.01, "decoupled_weight_decay": True}),
    "adamax": (torch.optim.Adamax, {}),
    "radam": (torch.optim.RAdam, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adagrad": (torch.optim.Adagrad, {"lr": 0.01}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rprop": (torch.optim.Rprop, {}),
}
_CHANGES_GRADIENT = {"nag"}
"""Whose foreach form writes over the gradient, so that a repetition does something else."""
_FUSED = {"sgd", "delta_rule", "momentum", "nag", "adam", "amsgrad", "adamw", "adagrad"}


def prepare(case: Case, variant: str) -> Work | None:
    name, shape = case.settings["function"], (case.settings["count"],)
    if name not in RULES or name in (_CHANGES_GRADIENT if variant == "foreach" else RULES.keys() - _FUSED):
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
