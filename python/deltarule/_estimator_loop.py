"""How the scikit-learn estimators train: scikit-learn's stopping rule around `Sequential.fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from . import _check
from ._families import Optimizer
from ._types import Array
from .callbacks import Callback, Logs
from .optimizers import LBFGS, SGD, Adam

if TYPE_CHECKING:
    from ._estimator import Estimator


def check(estimator: Estimator) -> None:
    """Refuse parameters outside their range; called by `fit`, as scikit-learn wants it."""
    name = type(estimator).__name__
    for parameter, low in (("max_iter", 1), ("n_iter_no_change", 1)):
        _check.whole(getattr(estimator, parameter), name, parameter, low)
    for parameter in ("alpha", "learning_rate_init", "power_t", "tol"):
        _check.real(getattr(estimator, parameter), name, parameter, 0)
    _check.real(estimator.validation_fraction, name, "validation_fraction", 0, 1)
    if estimator.batch_size != "auto":
        _check.whole(estimator.batch_size, name, "batch_size", 1, '"auto"')
    if estimator.learning_rate not in ("constant", "invscaling", "adaptive"):
        allowed = "'constant', 'invscaling' or 'adaptive'"
        raise _check.not_allowed(name, "learning_rate", estimator.learning_rate, allowed)


def optimizer(estimator: Estimator, decay: float) -> Optimizer:
    """The optimizer that the parameters describe, with this factor on the weights in the gradient."""
    e = estimator
    if e.solver == "adam":
        return Adam(
            e.learning_rate_init, beta_1=e.beta_1, beta_2=e.beta_2, epsilon=e.epsilon, weight_decay=decay
        )
    if e.solver == "sgd":
        nesterov = e.nesterovs_momentum and e.momentum > 0
        return SGD(e.learning_rate_init, momentum=e.momentum, nesterov=nesterov, weight_decay=decay)
    if e.solver == "lbfgs":
        return LBFGS(gradient_tolerance=e.tol)
    return Optimizer.make(e.solver, type(e).__name__, "solver")


def penalty(estimator: Estimator, decay: float) -> float:
    """The penalty as a part of the loss, for the solver that looks at the loss itself."""
    return decay / 2 if estimator.solver == "lbfgs" else 0.0


def batch(estimator: Estimator, rows: int) -> int:
    """Rows per step."""
    if estimator.batch_size != "auto":
        return min(int(estimator.batch_size), rows)
    return rows if estimator.solver == "lbfgs" else min(200, rows)


def fit(estimator: Estimator, X: Array, goal: Array, weight: Array | None) -> int:
    """Train until the stopping rule holds; returns the number of epochs."""
    validation: tuple[Array, ...] | None = None
    if estimator.early_stopping:
        X, goal, weight, validation = _set_aside(estimator, X, goal, weight)
    stop = _Stop(estimator, validation)
    _train(estimator, X, goal, weight, estimator.max_iter, [stop])
    return stop.epochs


def one_epoch(estimator: Estimator, X: Array, goal: Array, weight: Array | None) -> None:
    """Train for one epoch, as `partial_fit` does."""
    _train(estimator, X, goal, weight, 1, [_Stop(estimator, None)])


def _train(
    e: Estimator, X: Array, goal: Array, weight: Array | None, epochs: int, callbacks: list[Callback]
) -> None:
    e.network_.fit(
        X,
        goal,
        batch_size=batch(e, len(X)),
        epochs=epochs,
        sample_weight=weight,
        shuffle=bool(e.shuffle),
        callbacks=callbacks,
        verbose=2 if e.verbose else 0,
    )


def _set_aside(
    e: Estimator, X: Array, goal: Array, weight: Array | None
) -> tuple[Array, Array, Array | None, tuple[Array, ...]]:
    from sklearn.model_selection import train_test_split

    stratify = goal if goal.ndim == 1 and hasattr(e, "classes_") else None
    rows = np.arange(len(X))
    kept, aside = train_test_split(
        rows, test_size=e.validation_fraction, random_state=e.network_.seed, stratify=stratify
    )
    held = (X[aside], goal[aside]) if weight is None else (X[aside], goal[aside], weight[aside])
    return X[kept], goal[kept], None if weight is None else weight[kept], held


class _Stop(Callback):
    """scikit-learn's bookkeeping: loss curve, best score, when to stop."""

    def __init__(self, estimator: Estimator, validation: tuple[Array, ...] | None) -> None:
        self.estimator, self.validation = estimator, validation
        self.epochs = self._waited = 0
        self._weights: dict[str, Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:  # noqa: ARG002
        e = self.estimator
        self.epochs += 1
        e.n_iter_ += 1
        e.t_ = self.model.step
        e.loss_curve_.append(logs["loss"])
        if e.validation_scores_ is None or self.validation is None:
            best = np.inf if e.best_loss_ is None else e.best_loss_
            improved = logs["loss"] <= best - e.tol
            e.best_loss_ = min(best, logs["loss"])
        else:
            score = self._score(*self.validation)
            e.validation_scores_.append(score)
            best = -np.inf if e.best_validation_score_ is None else e.best_validation_score_
            improved = score >= best + e.tol
            if score > best:
                e.best_validation_score_, self._weights = score, self.model.get_weights()
        self._waited = 0 if improved else self._waited + 1
        if self._waited > e.n_iter_no_change and not (e.solver == "lbfgs" and self.validation is None):
            self._give_up()
        if e.solver == "sgd" and e.learning_rate == "invscaling":
            self.model.learning_rate = e.learning_rate_init / (self.model.step + 1) ** e.power_t

    def on_train_end(self, logs: Logs) -> None:  # noqa: ARG002
        if self._weights is not None:
            self.model.set_weights(self._weights)

    def _give_up(self) -> None:
        e = self.estimator
        if e.solver == "sgd" and e.learning_rate == "adaptive" and self.model.learning_rate > 1e-6:
            self.model.learning_rate /= 5
            self._waited = 0
        else:
            self.model.stop_training = True

    def _score(self, X: Array, goal: Array, weight: Array | None = None) -> float:
        from sklearn.metrics import accuracy_score, r2_score

        y = self.model.predict(X)
        if not hasattr(self.estimator, "classes_"):
            return float(r2_score(goal, y, sample_weight=weight))
        decided = (y > 0).astype(int) if y.shape[1] == 1 or goal.ndim == 2 else y.argmax(axis=1)
        return float(accuracy_score(goal, decided.reshape(goal.shape), sample_weight=weight))
