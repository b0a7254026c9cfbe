"""Losses with their gradients by autograd: PyTorch's functions, or what a user writes of its operations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from bench.case import Case, Work, repeat
from bench.probe import probe
from bench.targets import prediction_of, target_of


def _log_cosh(r: torch.Tensor) -> torch.Tensor:
    return r.abs() + functional.softplus(-2 * r.abs()) - math.log(2)


def _halves(y: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, ...]:
    mean, log_variance = y.chunk(2, dim=1)
    return mean, t, log_variance.exp()


def _binary_focal(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    p = torch.sigmoid(z)
    positive = 0.25 * t * (1 - p) ** 2 * functional.logsigmoid(z)
    return -(positive + 0.75 * (1 - t) * p**2 * functional.logsigmoid(-z)).mean()


def _focal(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    log_p = torch.log_softmax(z, 1).gather(1, t[:, None])
    return -((1 - log_p.exp()) ** 2 * log_p).mean()


def _tanimoto(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    overlap = (p * t).sum(1)
    return -(overlap / ((p * p).sum(1) + (t * t).sum(1) - overlap)).mean()


def _cauchy_schwarz(p: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return -(torch.log((p * t).sum(1)) - 0.5 * torch.log((p * p).sum(1) * (t * t).sum(1))).mean()


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "mae": functional.l1_loss,
    "huber": functional.huber_loss,
    "binary_cross_entropy": functional.binary_cross_entropy,
    "categorical_cross_entropy": lambda p, t: -(t * torch.log(p)).sum(1).mean(),
    "log_likelihood": lambda p, t: functional.nll_loss(torch.log(p), t),
    "gaussian_nll": lambda y, t: functional.gaussian_nll_loss(*_halves(y, t)),
    "binary_focal": _binary_focal,
    "poisson_nll": functional.poisson_nll_loss,
    "quantile": lambda y, t: 0.5 * functional.l1_loss(y, t),
    "log_cosh": lambda y, t: _log_cosh(y - t).mean(),
    "hinge": lambda y, t: torch.relu(1 - t * y).mean(),
    "squared_hinge": lambda y, t: (torch.relu(1 - t * y) ** 2).mean(),
    "cubed_hinge": lambda y, t: (torch.relu(1 - t * y) ** 3).mean(),
    "half_margin_hinge": lambda y, t: torch.relu(0.5 - (2 * t - 1) * y).sum(1).mean(),
    "smooth_zero_one": lambda y, t: torch.sigmoid(-10 * t * y).mean(),
    "perceptron": lambda y, t: torch.relu(-t * y).mean(),
    "logistic_quadratic": lambda z, t: 0.5 * ((torch.sigmoid(z) - t) ** 2).mean(),
    "multiclass_hinge": lambda z, t: z.shape[1] * functional.multi_margin_loss(z, t),
    "kl_divergence": lambda z, t: functional.kl_div(z, t, reduction="batchmean"),
    "focal": _focal,
    "alpha_loss": functional.cross_entropy,
    "expectation": lambda z, t: (torch.softmax(z, 1) - t).abs().sum(1).mean(),
    "regularized_expectation": lambda z, t: ((torch.softmax(z, 1) - t) ** 2).sum(1).mean(),
    "chebyshev": lambda z, t: (torch.softmax(z, 1) - t).abs().amax(1).mean(),
    "squared_log": lambda z, t: ((t * torch.log_softmax(z, 1)) ** 2).sum(1).mean(),
    "tanimoto": lambda z, t: _tanimoto(torch.softmax(z, 1), t),
    "cauchy_schwarz": lambda z, t: _cauchy_schwarz(torch.softmax(z, 1), t),
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
    prediction = torch.from_numpy(prediction_of(case.settings)).requires_grad_()
    target = torch.from_numpy(target_of(case.settings))
    if not target.is_floating_point():
        target = target.long()

    def call() -> tuple[Any, ...]:
        value = loss(prediction, target)
        return value.detach(), torch.autograd.grad(value, prediction)[0]

    return Work(repeat(call), check=lambda: probe(*(t.numpy() for t in call())))
