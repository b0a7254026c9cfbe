"""scikit-learn estimators: `MLPClassifier` and `MLPRegressor` with scikit-learn's own parameters.

Changing the import is enough; scikit-learn is only needed here. Beyond scikit-learn there are `dtype`,
`class_weight` (classifier), any activation and optimizer of the catalogue, and the network itself as `network_`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError:
    raise ImportError(
        'deltarule.MLPClassifier and MLPRegressor need scikit-learn: pip install "deltarule[sklearn]"'
    ) from None

from . import _estimator_loop
from ._types import Array, ArrayLike
from .sequential import Sequential

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MLPClassifier", "MLPRegressor"]

_PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        Units of the hidden layers.
    activation : str or ActivationFunction, default "relu"
        Activation of the hidden layers, any of the catalogue.
    solver : str or Optimizer, default "adam"
        "adam" or "sgd" with the parameters below, or any optimizer with its own ("lbfgs" does not exist).
    alpha : float, default 1e-4
        L2 penalty, divided by the batch size.
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
        Training ends after so many epochs in which the loss (or the validation score) improved by less than `tol`.
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
    loss_, best_loss_, best_validation_score_, n_iter_, t_, coefs_, intercepts_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.
"""


class _Estimator(BaseEstimator):  # type: ignore[misc]
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
            self._start(X, goal)
        iterations = _estimator_loop.fit(self, X, goal, weight)
        if iterations == self.max_iter:
            warnings.warn(
                f"{type(self).__name__}: max_iter = {self.max_iter} epochs are over and training has not converged",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def _start(self, X: Array, goal: Array) -> None:
        """Make a new network."""
        from .layers import Dense

        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        sizes = self.hidden_layer_sizes
        hidden = np.atleast_1d(np.asarray(sizes, dtype=int)).tolist() if np.size(sizes) else []
        if any(units < 1 for units in hidden):
            raise ValueError(
                f"{type(self).__name__}: hidden_layer_sizes = {sizes!r} is not allowed; allowed: sizes >= 1"
            )
        layers = [Dense(units, self.activation) for units in hidden]
        self.network_ = Sequential([*layers, Dense(self._outputs(goal))], seed=seed, dtype=self.dtype)
        self.network_.build(X.shape[1])
        self._compile(len(X))
        self.loss_curve_: list[float] = []
        self.validation_scores_: list[float] | None = [] if self.early_stopping else None
        self.best_loss_: float | None = None if self.early_stopping else np.inf
        self.best_validation_score_: float | None = -np.inf if self.early_stopping else None
        self.n_iter_, self.t_ = 0, 0

    def _compile(self, rows: int) -> None:
        self.network_.compile(_estimator_loop.optimizer(self, rows), self._loss)

    def _checked(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, reset: bool
    ) -> tuple[Array, Array, Array | None]:
        _estimator_loop.check(self)
        numeric = [np.float64, np.float32]
        X, y = validate_data(
            self, X, y, reset=reset, multi_output=True, y_numeric=self._y_numeric, dtype=numeric
        )
        weight = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        )
        return X, self._goal(y, reset), weight

    _y_numeric = False

    def _goal(self, y: Array, reset: bool) -> Array:
        raise NotImplementedError

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


class MLPRegressor(RegressorMixin, _Estimator):  # type: ignore[misc]
    __doc__ = f"""Multi-layer perceptron for regression, with half the squared error as its loss.
{_PARAMETERS}"""

    _out_activation = "identity"
    _loss = "quadratic"
    _y_numeric = True

    def _goal(self, y: Array, reset: bool) -> Array:  # noqa: ARG002
        return y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y

    def predict(self, X: ArrayLike) -> Array:
        """Values (N,), or (N, outputs) for several targets."""
        y = self._raw(X)
        return y.ravel() if y.shape[1] == 1 else y

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these rows, going on from what there is."""
        first = not hasattr(self, "network_")
        X, goal, weight = self._checked(X, y, sample_weight, reset=first)
        if first:
            self._start(X, goal)
        _estimator_loop.one_epoch(self, X, goal, weight)
        return self


class MLPClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    __doc__ = f"""Multi-layer perceptron for two classes, several classes or several labels.
{_PARAMETERS}
    classes_ : ndarray
        The classes, sorted.
"""

    classes_: Array

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
        class_weight: Any = None,
    ) -> None:
        super().__init__(
            hidden_layer_sizes,
            activation,
            solver=solver,
            alpha=alpha,
            batch_size=batch_size,
            learning_rate=learning_rate,
            learning_rate_init=learning_rate_init,
            power_t=power_t,
            max_iter=max_iter,
            shuffle=shuffle,
            random_state=random_state,
            tol=tol,
            verbose=verbose,
            warm_start=warm_start,
            momentum=momentum,
            nesterovs_momentum=nesterovs_momentum,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            n_iter_no_change=n_iter_no_change,
            max_fun=max_fun,
            dtype=dtype,
        )
        self.class_weight = class_weight

    @property
    def _loss(self) -> str:  # type: ignore[override]
        one = self._multilabel or len(self.classes_) == 2
        return "sigmoid_cross_entropy" if one else "sparse_softmax_cross_entropy"

    @property
    def _out_activation(self) -> str:  # type: ignore[override]
        return "logistic" if self._multilabel or len(self.classes_) == 2 else "softmax"

    def _goal(self, y: Array, reset: bool) -> Array:
        check_classification_targets(y)
        multilabel = type_of_target(y) == "multilabel-indicator"
        if not multilabel:
            y = y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y
            if y.ndim != 1:
                raise ValueError(
                    f"MLPClassifier: y has shape {y.shape}; several classes per row are not supported"
                )
        if reset:
            self._multilabel = multilabel
            self.classes_ = np.arange(y.shape[1]) if multilabel else np.unique(y)
            if not multilabel and len(self.classes_) < 2:
                raise ValueError(
                    f"MLPClassifier: y holds one class, {self.classes_[0]!r}; allowed: at least two"
                )
        if multilabel:
            return np.asarray(y, dtype=float)
        labels = np.searchsorted(self.classes_, y)
        unknown = labels >= len(self.classes_)
        unknown |= self.classes_[np.where(unknown, 0, labels)] != y
        if unknown.any():
            raise ValueError(
                f"MLPClassifier: y holds {y[unknown][0]!r}, which is not in classes_ = {self.classes_}"
            )
        return labels

    def _outputs(self, goal: Array) -> int:
        return super()._outputs(goal) if self._multilabel or len(self.classes_) == 2 else len(self.classes_)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these rows; the first call names all `classes`."""
        first = not hasattr(self, "network_")
        if first:
            if classes is None:
                raise ValueError("MLPClassifier.partial_fit: the first call needs the argument classes")
            self.classes_, self._multilabel = np.unique(np.asarray(classes)), np.ndim(y) == 2
        _estimator_loop.check(self)
        X, y = validate_data(self, X, y, reset=first, multi_output=True, dtype=[np.float64, np.float32])
        weight = (
            None
            if sample_weight is None
            else _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        )
        goal = self._goal(y, reset=False)
        if first:
            self._start(X, goal)
        _estimator_loop.one_epoch(self, X, goal, weight)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Most probable class of every row (N,), or 0 and 1 per label (N, labels)."""
        raw = self._raw(X)
        if self._multilabel:
            return (raw > 0).astype(int)
        return self.classes_[(raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities (N, classes), columns in the order of `classes_`."""
        from . import kernels

        raw = self._raw(X)
        if self._out_activation == "softmax":
            result: Array = kernels.softmax(raw)
            return result
        p = kernels.sigmoid(raw)
        return p if self._multilabel else np.hstack([1 - p, p])

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Logarithm of `predict_proba`."""
        return np.log(self.predict_proba(X))
