"""scikit-learn estimators: `MLPClassifier` and `MLPRegressor` with scikit-learn's own parameters.

Changing the import is enough; scikit-learn is only needed here. Beyond scikit-learn there are `dtype`,
`class_weight` (classifier), any activation and optimizer of the catalogue, and the network as `network_`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from . import _estimator_loop
from ._estimator import PARAMETERS, Estimator
from ._types import Array, ArrayLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MLPClassifier", "MLPRegressor"]


class MLPRegressor(RegressorMixin, Estimator):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multi-layer perceptron for regression, with half the squared error as its loss.
{PARAMETERS}"""

    _out_activation = "identity"
    _loss = "quadratic"
    _y_numeric = True

    def _goal(self, y: Array, reset: bool) -> Array:  # noqa: ARG002
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def predict(self, X: ArrayLike) -> Array:
        """Values (N,), or (N, outputs) for several targets."""
        y = self._raw(X)
        return y.ravel() if y.shape[1] == 1 else y

    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these rows, going on from what there is."""
        first = not hasattr(self, "network_")
        X, goal, weight = self._checked(X, y, sample_weight, reset=first)
        if first:
            self._start(X, goal, weight)
        _estimator_loop.one_epoch(self, X, goal, weight)
        return self


class MLPClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multi-layer perceptron for two classes, several classes or several labels.
{PARAMETERS}
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
            y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
            if y.ndim != 1:
                raise ValueError(
                    f"MLPClassifier: y has shape {y.shape}; several classes per row are not supported"
                )
        if reset:
            self._multilabel = multilabel
            self.classes_ = np.arange(y.shape[1]) if multilabel else np.unique(y)
            if not multilabel and len(self.classes_) < 2:
                raise ValueError(
                    f"MLPClassifier: y holds one class, {self.classes_[0]}; allowed: at least two"
                )
        if multilabel:
            return np.asarray(y, dtype=float)
        labels = np.searchsorted(self.classes_, y)
        unknown = labels >= len(self.classes_)
        unknown |= self.classes_[np.where(unknown, 0, labels)] != y
        if unknown.any():
            raise ValueError(
                f"MLPClassifier: y holds {y[unknown][0]}, which is not in classes_ = {self.classes_}"
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
        X, goal, weight = self._checked(X, y, sample_weight, reset=first, find_classes=False)
        if first:
            self._start(X, goal, weight)
        _estimator_loop.one_epoch(self, X, goal, weight)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Most probable class of every row (N,), or 0 and 1 per label (N, labels)."""
        raw = self._raw(X)
        if self._multilabel:
            return (raw > 0).astype(int)
        index = (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)
        classes: Array = self.classes_[index]
        return classes

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
        result: Array = np.log(self.predict_proba(X))
        return result
