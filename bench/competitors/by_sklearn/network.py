"""A workload as an estimator; None where scikit-learn has not got it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

from bench.workloads import Array, Workload

_UNLIMITED = 10**9


def build(workload: Workload, parameters: list[Array], X: Array, y: Array) -> Any:
    activations = {stage[1] for stage in workload.stages if stage[0] == "activation"}
    if not workload.is_plain or workload.optimizer == "adamw" or activations - {"relu", "tanh"}:
        return None
    make = MLPRegressor if workload.loss == "mse" else MLPClassifier
    model = make(
        hidden_layer_sizes=workload.sizes[1:-1],
        activation=activations.pop(),
        solver=workload.optimizer,
        alpha=0.0,
        batch_size=workload.batch,
        learning_rate_init=workload.settings["learning_rate"],
        momentum=workload.settings.get("momentum", 0.9),
        nesterovs_momentum=False,
        max_iter=1,
        shuffle=False,
        tol=0.0,
        n_iter_no_change=_UNLIMITED,
        warm_start=True,
        random_state=0,
    )
    few = workload.batch if workload.loss == "mse" else len(X)
    model.fit(X[:few], target(workload, y[:few]))
    start_again(model, parameters)
    return model


def start_again(model: Any, parameters: list[Array]) -> None:
    """Take these parameters; each `fit` starts with a fresh optimizer by itself."""
    arrays = [array for pair in zip(model.coefs_, model.intercepts_, strict=True) for array in pair]
    for own, value in zip(arrays, parameters, strict=True):
        own[...] = value


def target(workload: Workload, y: Array) -> Array:
    return np.ascontiguousarray(y[:, 0]) if y.ndim == 2 and workload.outputs == 1 else y
