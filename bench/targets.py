"""Targets for losses, the same for every competitor."""

from __future__ import annotations

from typing import Any

import numpy as np

from .probe import normal
from .workloads import Array


def target_of(settings: dict[str, Any]) -> Array:
    """Labels, or for losses on values a distribution over the columns."""
    rows, columns = settings["shape"]
    if settings["target"] == "label":
        return np.random.default_rng(4).integers(0, columns, rows).astype(np.int32)
    weights = np.exp(normal((rows, columns), 5))
    return np.ascontiguousarray(weights / weights.sum(axis=1, keepdims=True), np.float32)
