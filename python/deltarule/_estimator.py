"""What the scikit-learn estimators share: parameters, checks, attributes."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from . import _estimator_data, _estimator_loop, _estimator_network
from ._check import not_allowed
from ._estimator_arrays import Arrays
from ._estimator_data import Rows
from ._estimator_parameters import check
from ._types import Array, ArrayLike
from .optimizers import LBFGS
from .sequential import Sequential

if TYPE_CHECKING:
    from typing_extensions import Self


def goes_on(estimator: Estimator) -> bool:
    """Whether the solver has `partial_fit`, as scikit-learn's `available_if` asks."""
    return not (_estimator_network.named(estimator, "lbfgs") or isinstance(estimator.solver, LBFGS))


class Estimator(BaseEstimator, ABC):  # type: ignore[misc]
    """What classifier and regressor share."""

    hidden_layer_sizes: Any
    activation: Any
    solver: Any
    alpha: float
    batch_size: Any
    learning_rate: str
    learning_rate_init: float
    power_t: float
    max_iter: int
    shuffle: bool
    random_state: Any
    tol: float
    verbose: Any
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    beta_1: float
    beta_2: float
    epsilon: float
    n_iter_no_change: float
    max_fun: int
    dtype: str

    network_: Sequential
    loss_: float
    loss_curve_: list[float]
    validation_scores_: list[float] | None
    best_loss_: float | None
    best_validation_score_: float | None
    n_iter_: int
    t_: int
    _no_improvement_count: int
    _best_weights: dict[str, Array] | None
    _out_activation: str
    _loss: str
    _y_numeric = False

    def _keep(self, parameters: dict[str, Any]) -> None:
        """Keep the arguments of `__init__`, given as its `locals()`, under their names."""
        for name, value in parameters.items():
            if name not in ("self", "__class__"):
                setattr(self, name, value)

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows `X` (N, columns) and targets `y`; returns the estimator itself.

        Parameters
        ----------
        X : array or sparse matrix (N, columns)
            Inputs; a sparse matrix is made dense.
        y : array (N,) or (N, outputs)
            Targets; labels as a sparse matrix too.
        sample_weight : array (N,), optional
            Weights >= 0 of the rows.

        Raises
        ------
        ValueError, TypeError
            A parameter or an argument is not allowed; the estimator is as it was.
        NonFiniteError
            Loss or weights became NaN or infinite; the estimator is as it was.
        """
        with self._unchanged_by_errors():
            before = self.network_ if self.warm_start and self.__sklearn_is_fitted__() else None
            rows = self._checked(X, y, sample_weight, reset=before is None)
            self._start(rows, before)
            unfinished = _estimator_loop.fit(self, rows)
        if unfinished:
            warnings.warn(
                f"{type(self).__name__}: {unfinished} and training has not converged",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None) -> Self:
        """Train for one epoch, where the classes are known."""
        name = f"{type(self).__name__}.partial_fit"
        if self.early_stopping:
            raise not_allowed(name, "early_stopping", self.early_stopping, "False, as one epoch is trained")
        first = not self.__sklearn_is_fitted__()
        rows = self._checked(X, y, sample_weight, reset=first, find_classes=False)
        if first:
            self._start(rows, None)
        _estimator_loop.one_epoch(self, rows)
        return self

    @contextmanager
    def _unchanged_by_errors(self) -> Iterator[None]:
        before = dict(vars(self))
        curves = [v for k, v in before.items() if k.endswith("_") and isinstance(v, list)]
        lengths = [len(curve) for curve in curves]  # they only grow
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            for curve, length in zip(curves, lengths, strict=True):
                del curve[length:]
            raise

    def _start(self, rows: Rows, before: Sequential | None) -> None:
        """Make a new network, with the weights of the one before if there is one."""
        columns, outputs = rows.X.shape[1], self._outputs(rows.goal)
        self.network_ = _estimator_network.make(self, columns, outputs, before)
        watched = self.early_stopping and not _estimator_network.named(self, "lbfgs")
        if before is None:
            self.loss_curve_ = []
            self.validation_scores_ = self.best_loss_ = self.best_validation_score_ = None
            self.t_ = self._no_improvement_count = 0
            self._best_weights = None
        if watched and self.best_validation_score_ is None:
            self.validation_scores_, self.best_validation_score_ = [], -np.inf
        elif not watched and self.best_loss_ is None:
            self.best_loss_ = np.inf

    def _checked(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        reset: bool,
        find_classes: bool = True,
    ) -> Rows:
        check(self)
        return _estimator_data.training_rows(self, X, y, sample_weight, reset, find_classes)

    @abstractmethod
    def _goal(self, y: Any, reset: bool) -> Array:
        """Targets as the network takes them; with `reset`, the classes are learnt from them."""

    @abstractmethod
    def _values(self, raw: Array) -> Array:
        """Predictions out of the network's outputs: values, the class's place in `classes_`, or labels."""

    @abstractmethod
    def _scikit_learn_loss(self, rows: Rows) -> tuple[float, float]:
        """What scikit-learn's loss is by the network's: a factor, and what is added."""

    @property
    def _real(self) -> np.dtype[Any]:
        return np.dtype(self.dtype)

    def _outputs(self, goal: Array) -> int:
        return 1 if goal.ndim == 1 else int(goal.shape[1])

    def _raw(self, X: ArrayLike) -> Array:
        return _estimator_data.outputs(self, self._fitted("predict"), X)

    def _fitted(self, what: str) -> Sequential:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"{type(self).__name__}: {what} is asked before fit; call fit first")
        return self.network_

    def _arrays(self, attribute: str, suffix: str) -> Arrays:
        parameters = self._fitted(attribute).parameters()
        views = [array for name, array in parameters.items() if name.endswith(suffix)]
        return Arrays(views, type(self).__name__, attribute)

    @property
    def coefs_(self) -> list[Array]:
        """Weights of every layer, (inputs, units); assigning to the list or to an element changes them."""
        return self._arrays("coefs_", ".weight")

    @coefs_.setter
    def coefs_(self, arrays: list[ArrayLike]) -> None:
        self._arrays("coefs_", ".weight")[:] = arrays

    @property
    def intercepts_(self) -> list[Array]:
        """Biases of every layer, (units,); assigning to the list or to an element changes them."""
        return self._arrays("intercepts_", ".bias")

    @intercepts_.setter
    def intercepts_(self, arrays: list[ArrayLike]) -> None:
        self._arrays("intercepts_", ".bias")[:] = arrays

    @property
    def n_layers_(self) -> int:
        """Number of layers, counting the inputs."""
        return len(self._fitted("n_layers_").layers) + 1

    @property
    def n_outputs_(self) -> int:
        """Number of outputs."""
        return len(self._arrays("n_outputs_", ".bias")[-1])

    @property
    def out_activation_(self) -> str:
        """Function that makes probabilities or values of the outputs."""
        self._fitted("out_activation_")
        return self._out_activation

    def __sklearn_is_fitted__(self) -> bool:
        return "network_" in vars(self)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
