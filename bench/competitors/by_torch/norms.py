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


def prepare(case: Case, variant: str) -> Work:
    shape = case.settings["shape"]
    x, dy = (torch.from_numpy(normal(shape, seed)) for seed in (0, 1))
    gain, shift = (torch.from_numpy(normal(shape[1:], seed)) for seed in (2, 3))
    make = _batch if case.settings["function"] == "batch_norm" else _layer
    forward, backward = make(x, dy, gain, shift, variant == "out")
    if case.settings["direction"] == "forward":
        return Work(repeat(forward), check=lambda: probe(forward()[0].numpy()))
    return Work(repeat(backward), check=lambda: probe(*(t.numpy() for t in backward())))


def _batch(x: Any, dy: Any, gain: Any, shift: Any, out: bool) -> tuple[Callable[[], Any], Callable[[], Any]]:
    mean, variance = torch.zeros_like(gain), torch.ones_like(gain)
    forward = partial(torch.native_batch_norm, x, gain, shift, mean, variance, True, 0.1, EPSILON)
    y, saved, inverse = forward()
    arguments = [dy, x, gain, mean, variance, saved, inverse, True, EPSILON, [True] * 3]
    if not out:
        return forward, partial(_aten.native_batch_norm_backward, *arguments)
    results = [torch.empty_like(v) for v in (x, gain, gain)]
    forward = partial(forward, out=(y, saved.clone(), inverse.clone()))
    return forward, lambda: _aten.native_batch_norm_backward.out(
        *arguments, out0=results[0], out1=results[1], out2=results[2]
    )


def _layer(x: Any, dy: Any, gain: Any, shift: Any, out: bool) -> tuple[Callable[[], Any], Callable[[], Any]]:
    shape = [x.shape[1]]
    forward = partial(torch.native_layer_norm, x, shape, gain, shift, EPSILON)
    y, mean, inverse = forward()
    arguments = [dy, x, shape, mean, inverse, gain, shift, [True] * 3]
    if not out:
        return forward, partial(_aten.native_layer_norm_backward, *arguments)
    results = [torch.empty_like(v) for v in (x, gain, gain)]
    own = [torch.empty_like(v) for v in (y, mean, inverse)]
    return (
        lambda: _aten.native_layer_norm.out(
            x, shape, gain, shift, EPSILON, out0=own[0], out1=own[1], out2=own[2]
        ),
        lambda: _aten.native_layer_norm_backward.out(
            *arguments, out0=results[0], out1=results[1], out2=results[2]
        ),
    )
