"""Normalisation by the kernels that the modules and autograd call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from bench.case import Case, Work, repeat
from bench.probe import normal, probe
from bench.workloads import EPSILON

_aten: Any = torch.ops.aten


def prepare(case: Case, _variant: str) -> Work:
    shape = case.settings["shape"]
    x, dy = (torch.from_numpy(normal(shape, seed)) for seed in (0, 1))
    gain, shift = (torch.from_numpy(normal(shape[1:], seed)) for seed in (2, 3))
    make = _batch if case.settings["function"] == "batch_norm" else _layer
    forward, backward = make(x, dy, gain, shift)
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(forward()[0].numpy()))
    return Work(repeat(backward), check=lambda: probe(*(t.numpy() for t in backward())))


def _batch(x: Any, dy: Any, gain: Any, shift: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    mean, variance = torch.zeros_like(gain), torch.ones_like(gain)
    forward = partial(torch.native_batch_norm, x, gain, shift, mean, variance, True, 0.1, EPSILON)
    _, saved, inverse = forward()
    backward = partial(
        _aten.native_batch_norm_backward,
        dy, x, gain, mean, variance, saved, inverse, True, EPSILON, [True] * 3,
    )  # fmt: skip
    return forward, backward


def _layer(x: Any, dy: Any, gain: Any, shift: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    shape = [x.shape[1]]
    forward = partial(torch.native_layer_norm, x, shape, gain, shift, EPSILON)
    _, mean, inverse = forward()
    backward = partial(_aten.native_layer_norm_backward, dy, x, shape, mean, inverse, gain, shift, [True] * 3)
    return forward, backward
