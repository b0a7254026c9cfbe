"""Losses with their gradients by autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.targets import target_of

LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
    "quadratic": lambda y, t: 0.5 * functional.mse_loss(y, t, reduction="sum") / len(y),
    "sigmoid_cross_entropy": lambda z, t: (
        functional.binary_cross_entropy_with_logits(z, t, reduction="sum") / len(z)
    ),
    "softmax_cross_entropy": functional.cross_entropy,
    "sparse_softmax_cross_entropy": functional.cross_entropy,
}


def prepare(case: Case, _variant: str) -> Work | None:
    loss = LOSSES.get(case.settings["function"])
    if loss is None:
        return None
    prediction = torch.from_numpy(normal(case.settings["shape"], 0)).requires_grad_()
    target = torch.from_numpy(target_of(case.settings))
    if not target.is_floating_point():
        target = target.long()

    def call() -> tuple[Any, ...]:
        value = loss(prediction, target)
        return value.detach(), torch.autograd.grad(value, prediction)[0]

    return Work(repeat(call), check=lambda: probe(*(t.numpy() for t in call())))
