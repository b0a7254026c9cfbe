"""What the historical learners share: one unit for two classes, one against the rest for each of more."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from . import _check
from ._native import core
from ._types import Array, ArrayLike

if TYPE_CHECKING:
    from typing_extensions import Self

LEARNING_PARAMETERS = """
    Parameters
    ----------
    learning_rate : float or "auto", default "auto"
        η > 0. "auto" is {auto}.
    mode : {{"pattern", "batch"}}, default "pattern"
        A step after every pattern, or one step per epoch along the mean over all of them.
    max_iter : int, default 1000
        Largest number of epochs.
    tol : float, default 1e-4
        Training ends when no weight moved by more than `tol` times the largest weight in an epoch.
    fit_intercept : bool, default True
        Whether there is a bias, the weight of a constant input 1.
    shuffle : bool, default False
        Show the patterns in another order in every epoch.
    random_state : int, RandomState or None, default None
        Seed of the shuffling.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted. Of two classes, the second is the one with the larger target; of more, each has a
        unit of its own against the rest, and the largest u = w·x + b wins.
    coef_, intercept_ : ndarray (units, columns), ndarray (units,)
        Weights and biases.
    loss_curve_ : list of list of float
        Mean loss of every epoch of every unit, measured as the patterns came by.
    n_iter_ : int
        Epochs of the unit that took longest.
"""


class SingleUnit(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A threshold on u = w·x + b."""

    classes_: Array
    coef_: Array
    intercept_: Array
    learning_rate: Any
    max_iter: int
    fit_intercept: bool
    shuffle: bool
    random_state: Any
    mode: str
    tol: float
    _targets: tuple[float, float]

    def _start(self, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array, int]:
        """Rows, class numbers and seed; parameters are checked here, as scikit-learn wants it."""
        name = type(self).__name__
        _check.whole(self.max_iter, name, "max_iter", 1)
        _check.flag(self.fit_intercept, name, "fit_intercept")
        _check.flag(self.shuffle, name, "shuffle")
        X, y = validate_data(self, X, y, dtype=np.float64, order="C")
        check_classification_targets(y)
        self.classes_, labels = np.unique(column_or_1d(y, warn=True), return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"{name}: y holds one class, {self.classes_[0]}; allowed: at least two")
        return X, labels, int(check_random_state(self.random_state).randint(2**31 - 1))

    def _learn(
        self, rule: str, X: Array, labels: Array, seed: int, rate: float, tolerance: float, batch: bool
    ) -> list[dict[str, Any]]:
        """Train every unit from zero weights."""
        units = [1] if len(self.classes_) == 2 else range(len(self.classes_))
        coef, intercept = np.zeros((len(units), X.shape[1])), np.zeros(len(units))
        low, high = self._targets
        results = []
        for i, own in enumerate(units):
            target = np.where(labels == own, high, low)
            bias = intercept[i : i + 1] if self.fit_intercept else None
            results.append(
                core.learn_unit(
                    rule, X, target, coef[i], bias, rate, self.max_iter, tolerance, batch, self.shuffle, seed
                )
            )
            if not results[-1]["finite"]:
                raise core.NonFiniteError(
                    f"{type(self).__name__}.fit: a weight overflowed in epoch {len(results[-1]['loss'])}: "
                    f"learning_rate = {rate:g} is too large for these inputs"
                )
        self.coef_, self.intercept_ = coef, intercept
        self.n_iter_ = max(len(r["loss"]) for r in results)
        return results

    def _descend(self, rule: str, X: ArrayLike, y: ArrayLike) -> Self:
        """Train by the delta rule."""
        name = type(self).__name__
        if self.mode not in ("pattern", "batch"):
            raise _check.not_allowed(name, "mode", self.mode, "'pattern' or 'batch'")
        tolerance = _check.real(self.tol, name, "tol", 0)
        rate = 0.0
        if isinstance(self.learning_rate, str):
            if self.learning_rate != "auto":
                raise _check.not_allowed(name, "learning_rate", self.learning_rate, "a number > 0 or 'auto'")
        else:
            rate = _check.real(self.learning_rate, name, "learning_rate", 0)
            if rate == 0:
                raise _check.not_allowed(name, "learning_rate", rate, "a number > 0 or 'auto'")
        X, labels, seed = self._start(X, y)
        batch = self.mode == "batch"
        if rate == 0:
            squares = np.einsum("ij,ij->i", X, X) + bool(self.fit_intercept)
            largest = float(squares.mean() if batch else squares.max())
            rate = (1.0 if batch else 0.1) / largest if largest > 0 else 1.0
        self.learning_rate_ = rate
        results = self._learn(rule, X, labels, seed, rate, tolerance, batch)
        self.loss_curve_ = [r["loss"] for r in results]
        finished(self, results, f"the weights still moved by more than tol = {tolerance:g} of the largest")
        return self

    def decision_function(self, X: ArrayLike) -> Array:
        """The activity u = w·x + b: (N,) for two classes, (N, classes) for more."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float64)
        u: Array = X @ self.coef_.T + self.intercept_
        return u[:, 0] if u.shape[1] == 1 else u

    def predict(self, X: ArrayLike) -> Array:
        """Class of every row (N,)."""
        u = self.decision_function(X)
        result: Array = self.classes_[(u > 0).astype(int) if u.ndim == 1 else u.argmax(axis=1)]
        return result


def finished(estimator: SingleUnit, results: list[dict[str, Any]], what: str) -> None:
    """Warn where training ended without being done."""
    open_units = sum(not r["converged"] for r in results)
    if open_units:
        who = "the unit" if len(results) == 1 else f"{open_units} of {len(results)} units"
        warnings.warn(
            f"{type(estimator).__name__}: max_iter = {estimator.max_iter} epochs are over: {who} {what}",
            ConvergenceWarning,
            stacklevel=3,
        )
