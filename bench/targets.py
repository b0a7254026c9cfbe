"""Predictions and targets for losses, the same for every competitor."""

from __future__ import annotations

from typing import Any

import numpy as np

from .probe import normal
from .workloads import Array

_OF_PROBABILITIES = ("binary_cross_entropy", "categorical_cross_entropy", "log_likelihood")


def prediction_of(settings: dict[str, Any]) -> Array:
    """Normal numbers; distributions over the columns for the losses of probabilities."""
    prediction: Array = normal(settings["shape"], 0)
    if settings["function"] not in _OF_PROBABILITIES:
        return prediction
    weights = np.exp(prediction)
    return np.ascontiguousarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def target_of(settings: dict[str, Any]) -> Array:
    """Labels; for losses on values a distribution over the columns, or signs, as many as the loss takes."""
    rows, columns = settings["shape"]
    columns //= settings["outputs_per_target"]
    if settings["target"] == "label":
        return np.random.default_rng(4).integers(0, columns, rows).astype(np.int32)
    if settings["signs"]:
        return np.ascontiguousarray(np.where(normal((rows, columns), 5) < 0, -1, 1), np.float32)
    weights = np.exp(normal((rows, columns), 5))
    return np.ascontiguousarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
