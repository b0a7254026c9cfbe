"""Convolutions by the functional call; backward by autograd for input, weight and bias."""

from __future__ import annotations

import torch
from torch.nn import functional

from bench.case import Case, Work, repeat
from bench.probe import normal, probe


def prepare(case: Case, _variant: str) -> Work:
    s = case.settings
    x = _channels_first(normal((s["images"], s["side"], s["side"], s["channels"]), 0))
    kernel = torch.from_numpy(normal((s["kernel"], s["kernel"], s["channels"], s["filters"]), 2))
    weight, bias = kernel.permute(3, 2, 0, 1).contiguous(), torch.zeros(s["filters"])
    if s["direction"] == "forward":

        def forward() -> torch.Tensor:
            with torch.inference_mode():
                return functional.conv2d(x, weight, bias, padding="same")

        return Work(repeat(forward), check=lambda: probe(forward().permute(0, 2, 3, 1).numpy()))
    dy = _channels_first(normal((s["images"], s["side"], s["side"], s["filters"]), 1))
    leaves = [v.requires_grad_() for v in (x, weight, bias)]

    def both() -> torch.Tensor:
        return torch.autograd.grad(functional.conv2d(*leaves, padding="same"), leaves, dy)[0]

    return Work(repeat(both), check=lambda: probe(both().permute(0, 2, 3, 1).numpy()))


def _channels_first(images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()
