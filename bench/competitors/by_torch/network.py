"""A workload as `torch.nn.Sequential` with an optimizer of `torch.optim`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bench.workloads import EPSILON, Array, Workload

_ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}
_OPTIMIZERS: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build(workload: Workload, parameters: list[Array]) -> nn.Sequential:
    """Make the network, in training mode, with these parameters."""
    modules: list[nn.Module] = []
    width = workload.inputs
    for kind, *values in workload.stages:
        if kind == "dense":
            modules.append(nn.Linear(width, values[0]))
            width = values[0]
        elif kind == "batch_norm":
            modules.append(nn.BatchNorm1d(width, eps=EPSILON))
        elif kind == "activation":
            modules.append(_ACTIVATIONS[values[0]]())
        else:
            modules.append(nn.Dropout(values[0]))
    net = nn.Sequential(*modules)
    start_again(net, parameters)
    return net


def start_again(net: nn.Sequential, parameters: list[Array]) -> None:
    with torch.no_grad():
        for own, value in zip(net.parameters(), parameters, strict=True):
            own.copy_(torch.from_numpy(value.T.copy() if value.ndim == 2 else value))
            own.grad = None


def optimizer(workload: Workload, net: nn.Module, variant: str) -> torch.optim.Optimizer:
    settings = dict(workload.settings)
    settings["lr"] = settings.pop("learning_rate")
    form = {variant: True} if variant in ("fused", "foreach") else {}
    rule: torch.optim.Optimizer = _OPTIMIZERS[workload.optimizer](net.parameters(), **settings, **form)
    return rule


def loss_of(workload: Workload) -> nn.Module:
    return nn.MSELoss() if workload.loss == "mse" else nn.CrossEntropyLoss()


def tensors(X: Array, y: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Data as tensors; labels as int64, which PyTorch wants."""
    target = torch.from_numpy(y)
    return torch.from_numpy(X), target if target.is_floating_point() else target.long()
