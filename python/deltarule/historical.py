"""The learners that came before backpropagation, as scikit-learn estimators.

`McCullochPitts` (1943) has fixed weights, `Perceptron` (1958) learns from its mistakes, `Adaline` (1960)
follows the delta rule, and `SigmoidNeuron` is the smooth unit that networks are made of. The loops run in the
C++ core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import _check
from ._native import core
from ._single_unit import LEARNING_PARAMETERS, SingleUnit, finished
from ._types import Array, ArrayLike
from .threshold_logic import McCullochPitts, NandCircuit

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Adaline", "McCullochPitts", "NandCircuit", "Perceptron", "SigmoidNeuron"]

_AUTO = "0.1 / max ‖x‖² pattern by pattern and 1 / mean ‖x‖² for the batch (x with its constant 1)"


class Perceptron(SingleUnit):
    """Rosenblatt's perceptron: weights change pattern by pattern, and only on mistakes.

    The output is 1 where u = w·x + b > 0 and -1 where u <= 0. A mistaken pattern moves the weights by
    w <- w + η t x and b <- b + η t, with t = 1 for the unit's own class and t = -1 for the others.
    Training ends with the first epoch without a mistake, which proves that the classes are linearly
    separable; it comes after at most β‖w*‖²/α² mistakes (`mistake_bound`). On classes that are not separable
    it never comes.

    Parameters
    ----------
    learning_rate : float, default 1.0
        η > 0. From zero weights it only scales them and changes no prediction.
    max_iter : int, default 1000
        Largest number of epochs.
    fit_intercept : bool, default True
        Whether there is a bias, the weight of a constant input 1.
    shuffle : bool, default False
        Show the patterns in another order in every epoch.
    random_state : int, RandomState or None, default None
        Seed of the shuffling.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted. Of two classes, the second is the one with output 1; of more, each has a unit of
        its own against the rest, and the largest u wins.
    coef_, intercept_ : ndarray (units, columns), ndarray (units,)
        Weights and biases.
    updates_ : list of list of int
        Mistakes, which are the updates, in every epoch of every unit.
    n_updates_ : ndarray of int (units,)
        Their sums.
    n_iter_ : int
        Epochs of the unit that took longest.
    linearly_separable_ : bool
        Whether every unit came through an epoch without a mistake: training accuracy 100 %. False says only
        that `max_iter` epochs found no separating plane.

    Notes
    -----
    Source: Rosenblatt 1958; Novikoff 1962 for the bound.

    Examples
    --------
    >>> import deltarule as dr
    >>> X = [[0, 0], [0, 1], [1, 0], [1, 1]]
    >>> dr.historical.Perceptron().fit(X, [0, 0, 0, 1]).predict(X)
    array([0, 0, 0, 1])
    """

    def __init__(
        self,
        learning_rate: float = 1.0,
        *,
        max_iter: int = 1000,
        fit_intercept: bool = True,
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state

    _targets = (-1.0, 1.0)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from zero weights on rows `X` (N, columns) with classes `y` (N,)."""
        rate = _check.real(self.learning_rate, "Perceptron", "learning_rate", 0)
        if rate == 0:
            raise _check.not_allowed("Perceptron", "learning_rate", rate, "a number > 0")
        X, labels, seed = self._start(X, y)
        results = self._learn("perceptron", X, labels, seed, rate, 0.0, False)
        self.updates_ = [r["updates"] for r in results]
        self.n_updates_ = np.array([sum(u) for u in self.updates_])
        self.linearly_separable_ = all(r["converged"] for r in results)
        finished(self, results, "made mistakes in each; the classes may not be linearly separable")
        return self

    def mistake_bound(self, w_star: ArrayLike, X: ArrayLike, y: ArrayLike) -> float:
        """Most mistakes that training on these patterns can make: β‖w*‖²/α².

        α = min t w*·x and β = max ‖x‖² over the patterns, where x has a leading 1 for the bias and t = 1 for
        the second of the two classes, -1 for the first. Any separating w* gives a bound; a wide margin gives
        a small one. The unit need not be fitted.

        Parameters
        ----------
        w_star : array (1 + columns,), or (columns,) without bias
            Weights that separate the classes, the bias first.
        X : array (N, columns)
            Patterns.
        y : array (N,)
            Their classes, two of them.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            `w_star` does not separate the classes.
        """
        operation = "Perceptron.mistake_bound"
        X = _check.features(X, operation, "X", np.float64, None)
        _check.not_empty(X, operation, "X")
        labels = np.asarray(y)
        _check.same_length(labels, len(X), operation, "y", "X")
        classes = np.unique(labels)
        if labels.ndim != 1 or len(classes) != 2:
            raise ValueError(
                f"{operation}: y has shape {labels.shape} and {len(classes)} classes; "
                "allowed: (N,), two classes"
            )
        bias = _check.flag(self.fit_intercept, operation, "fit_intercept")
        w = _check.convert(_check.array(w_star, operation, "w_star"), operation, "w_star", np.float64)
        width = X.shape[1] + bias
        if w.shape != (width,):
            raise ValueError(
                f"{operation}: w_star has shape {w.shape}; allowed: ({width},)" + ", the bias first" * bias
            )
        targets = np.where(labels == classes[1], 1.0, -1.0)
        weight = np.ascontiguousarray(w[int(bias) :])
        alpha, beta, norm = core.mistake_bound(X, targets, weight, float(w[0]) if bias else None)
        if not alpha > 0:
            raise ValueError(
                f"{operation}: w_star does not separate the classes: min t w*·x = {alpha:g}; allowed: > 0"
            )
        return float(beta * norm / alpha**2)


class Adaline(SingleUnit):  # noqa: D101
    __doc__ = f"""Widrow and Hoff's adaptive linear element: the delta rule on a linear output.

    The output y = w·x + b is compared with t = 1 or -1 before it is thresholded, and every pattern moves the
    weights, mistaken or not: w <- w + η (t - y) x. That is gradient descent on half the squared error, which
    has one minimum also where the classes are not separable.
    {LEARNING_PARAMETERS.format(auto=f"{_AUTO}, which is always stable")}
    Notes
    -----
    The batch rule is stable for learning rates below 2 / λ_max of the mean of x xᵀ.

    Source: Widrow & Hoff 1960.
    """

    def __init__(
        self,
        learning_rate: float | str = "auto",
        *,
        mode: str = "pattern",
        max_iter: int = 1000,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.mode = mode
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state

    _targets = (-1.0, 1.0)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from zero weights on rows `X` (N, columns) with classes `y` (N,)."""
        return self._descend("linear", X, y)


class SigmoidNeuron(SingleUnit):  # noqa: D101
    __doc__ = f"""One neuron with output y = sigmoid(w·x + b), trained by gradient descent on targets 0 and 1.

    With the cross-entropy the weights move by η (t - y) x; with ``loss="quadratic"``, half the squared error,
    by η (t - y) y (1 - y) x, which hardly moves a neuron that is wrong and saturated.

    {LEARNING_PARAMETERS.format(auto=_AUTO).strip()}

    Other Parameters
    ----------------
    loss : {{"cross_entropy", "quadratic"}}, default "cross_entropy"
        What is minimised.
    """

    def __init__(
        self,
        learning_rate: float | str = "auto",
        *,
        loss: str = "cross_entropy",
        mode: str = "pattern",
        max_iter: int = 1000,
        tol: float = 1e-4,
        fit_intercept: bool = True,
        shuffle: bool = False,
        random_state: Any = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.loss = loss
        self.mode = mode
        self.max_iter = max_iter
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.shuffle = shuffle
        self.random_state = random_state

    _targets = (0.0, 1.0)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from zero weights on rows `X` (N, columns) with classes `y` (N,)."""
        rules = {"cross_entropy": "sigmoid", "quadratic": "sigmoid_quadratic"}
        if self.loss not in rules:
            raise _check.not_allowed("SigmoidNeuron", "loss", self.loss, "'cross_entropy' or 'quadratic'")
        return self._descend(rules[self.loss], X, y)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities (N, classes); of several units, σ(u) divided by their sum."""
        from . import kernels

        u = self.decision_function(X)
        if u.ndim == 1:
            return np.stack([kernels.sigmoid(-u), kernels.sigmoid(u)], axis=1)
        # From logarithms, so that rows where every unit says no do not become 0 / 0.
        return np.asarray(kernels.softmax(-kernels.softplus(-u)))
