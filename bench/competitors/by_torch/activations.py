"""Activations: functional calls, or (variant "out") into tensors made before."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

from . import functions

_DONE_ELSEWHERE = {"identity"}
"""Nothing to measure."""


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
    forward = functions.forward_of(label)
    assert forward is not None
    y = forward(x)
    return partial(table[label], x, y, _like(dy, y), torch.empty_like(x))


def _allocating(
    label: str, x: torch.Tensor, dy: torch.Tensor, backward: bool
) -> Callable[[], torch.Tensor] | None:
    forward = functions.forward_of(label)
    if forward is None:
        return None
    if not backward:
        return partial(forward, x)
    if label in functions.BACKWARD:
        y = forward(x)
        return partial(functions.BACKWARD[label], x, y, _like(dy, y))
    x.requires_grad_()
    y = forward(x)
    if not y.requires_grad:
        return None
    dy = _like(dy, y)
    return lambda: torch.autograd.grad(y, x, dy, retain_graph=True)[0]


def _like(dy: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """As many columns as y has: gated units have half of x."""
    return dy if dy.shape == y.shape else dy[:, : y.shape[1]].contiguous()
