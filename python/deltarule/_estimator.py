"""What the scikit-learn estimators share: parameters, checks, attributes."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import _estimator_loop
from ._types import Array, ArrayLike
from .sequential import Sequential

if TYPE_CHECKING:
    from typing_extensions import Self

PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of the hidden layers.
    activation : str or ActivationFunction, default "relu"
        Activation of the hidden layers, any of the catalogue.
    solver : str or Optimizer, default "adam"
        "adam" or "sgd" with the parameters below, "lbfgs" (all rows are one batch), or any optimizer with
        its own parameters.
    alpha : float, default 1e-4
        L2 penalty, divided by the sum of the weights of a batch.
    batch_size : int or "auto", default "auto"
        Rows per step; "auto" is min(200, rows).
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        How the rate changes between epochs; for the solver "sgd" only.
    learning_rate_init : float, default 1e-3
        Rate at the beginning.
    power_t : float, default 0.5
        Exponent of "invscaling".
    max_iter : int, default 200
        Largest number of epochs.
    shuffle : bool, default True
        Whether every epoch has its own order of rows.
    random_state : int, RandomState or None, default None
        Seed of weights, shuffling and validation split.
    tol, n_iter_no_change : float, default 1e-4, and int, default 10
        Training ends after so many epochs in which the loss (or the validation score) improved by less
        than `tol`; with the solver "lbfgs" where no element of the gradient is larger than `tol`.
    verbose : bool, default False
        Print a line per epoch.
    warm_start : bool, default False
        Let the next `fit` go on where the last one ended.
    momentum, nesterovs_momentum : float, default 0.9, and bool, default True
        For the solver "sgd".
    early_stopping, validation_fraction : bool, default False, and float, default 0.1
        Set rows aside, watch their score and go back to the best epoch.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        For the solver "adam".
    max_fun : int, default 15000
        Accepted and ignored.
    dtype : {"float32", "float64"}, default "float32"
        Type of all arrays.

    Attributes
    ----------
    network_ : Sequential
        The network.
    loss_curve_, validation_scores_ : list of float
        Loss and, with `early_stopping`, score of every epoch.
    loss_, best_loss_, best_validation_score_, n_iter_, t_, coefs_, intercepts_, n_layers_, n_outputs_
        As in scikit-learn.
"""


class Estimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What classifier and regressor share."""

    network_: Sequential
    _out_activation: str
    _loss: str

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: Any = "relu",
        *,
        solver: Any = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        max_fun: int = 15000,
        dtype: str = "float32",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows `X` (N, columns) and targets `y`; returns the estimator itself."""
        going_on = self.warm_start and hasattr(self, "network_")
        X, goal, weight = self._checked(X, y, sample_weight, reset=not going_on)
        if not going_on:
            self._start(X, goal, weight)
        iterations = _estimator_loop.fit(self, X, goal, weight)
        if iterations == self.max_iter:
            warnings.warn(
                f"{type(self).__name__}: max_iter = {self.max_iter} epochs are over and training "
                "has not converged",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _start(self, X: Array, goal: Array, weight: Array | None) -> None:
        """Make a new network."""
        from ._check import not_allowed
        from .layers import Dense

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        sizes = self.hidden_layer_sizes
        hidden = np.atleast_1d(np.asarray(sizes, dtype=int)).tolist() if np.size(sizes) else []
        if any(units < 1 for units in hidden):
            raise not_allowed(type(self).__name__, "hidden_layer_sizes", sizes, "whole numbers >= 1")
        layers = [Dense(units, self.activation) for units in hidden]
        self.network_ = Sequential([*layers, Dense(self._outputs(goal))], seed=seed, dtype=self.dtype)
        self.network_.build(X.shape[1])
        rows = _estimator_loop.batch(self, len(X)) * (1.0 if weight is None else float(np.mean(weight)))
        decay = self.alpha / rows
        rule, l2 = _estimator_loop.optimizer(self, decay), _estimator_loop.penalty(self, decay)
        self.network_.compile(rule, self._loss, l2=l2)
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.best_validation_score_: float | None = -np.inf if self.early_stopping else None
        self.n_iter_, self.t_ = 0, 0

    def _checked(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        reset: bool,
        find_classes: bool = True,
    ) -> tuple[Array, Array, Array | None]:
        """Inputs, targets and weights (with those of the classes) as `Sequential.fit` takes them."""
        _estimator_loop.check(self)
        numeric = [np.float64, np.float32]
        X, y = validate_data(
            self, X, y, reset=reset, multi_output=True, y_numeric=self._y_numeric, dtype=numeric
        )
        weight = sample_weight
        if weight is not None:
            weight = _check_sample_weight(weight, X, ensure_non_negative=True)
        goal = self._goal(y, reset and find_classes)
        if (by_class := getattr(self, "class_weight", None)) is not None:
            of_row = compute_sample_weight(by_class, y)
            weight = of_row if weight is None else weight * of_row
        return X, goal, weight

    _y_numeric = False

    @abstractmethod
    def _goal(self, y: Array, reset: bool) -> Array:
        """Targets as the network takes them; with `reset`, the classes are learnt from them."""

    def _outputs(self, goal: Array) -> int:
        return 1 if goal.ndim == 1 else int(goal.shape[1])

    def _raw(self, X: ArrayLike) -> Array:
        check_is_fitted(self, "network_")
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return self.network_.predict(X)

    @property
    def coefs_(self) -> list[Array]:
        """Weights of every layer, (inputs, units), as views."""
        return [a for name, a in self.network_.parameters().items() if name.endswith(".weight")]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of every layer, (units,), as views."""
        return [a for name, a in self.network_.parameters().items() if name.endswith(".bias")]

    @property
    def n_layers_(self) -> int:
        """Number of layers, counting the inputs."""
        return len(self.network_.layers) + 1

    @property
    def n_outputs_(self) -> int:
        """Number of outputs."""
        return len(self.intercepts_[-1])

    @property
    def out_activation_(self) -> str:
        """Function that makes probabilities or values of the outputs."""
        return self._out_activation

    @property
    def loss_(self) -> float:
        """Loss of the last epoch."""
        return self.loss_curve_[-1]

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "network_")
