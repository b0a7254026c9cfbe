"""Activations: functional calls, or (variant "out") into tensors made before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

from . import functions

_DONE_ELSEWHERE = {"identity", "threshold"}
"""Names that mean something else in PyTorch, or nothing at all."""


def prepare(case: Case, variant: str) -> Work | None:
    label = "".join([case.settings["function"], *(f"[{v}]" for v in case.settings["parameters"].values())])
    if label in _DONE_ELSEWHERE:
        return None
    x, dy = (torch.from_numpy(normal(case.settings["shape"], seed)) for seed in (0, 1))
    backward = case.settings["direction"] == "backward"
    call = _into(label, x, dy, backward) if variant == "out" else _allocating(label, x, dy, backward)
    if call is None:
        return None
    return Work(repeat(call), check=lambda: probe(call().numpy()))


def _into(label: str, x: torch.Tensor, dy: torch.Tensor, backward: bool) -> Callable[[], torch.Tensor] | None:
    table = functions.BACKWARD_OUT if backward else functions.FORWARD_OUT
    if label not in table:
        return None
    if not backward:
        return partial(table[label], x, out=torch.empty_like(x))
    return partial(table[label], x, functions.FORWARD[label](x), dy, torch.empty_like(x))


def _allocating(
    label: str, x: torch.Tensor, dy: torch.Tensor, backward: bool
) -> Callable[[], torch.Tensor] | None:
    forward = functions.forward_of(label)
    if forward is None:
        return None
    if not backward:
        return partial(forward, x)
    if label in functions.BACKWARD:
        return partial(functions.BACKWARD[label], x, forward(x), dy)
    x.requires_grad_()
    y = forward(x)
    return lambda: torch.autograd.grad(y, x, dy, retain_graph=True)[0]
