"""scikit-learn estimators: `MLPClassifier` and `MLPRegressor` with scikit-learn's own parameters.

Changing the import is enough; scikit-learn is only needed here. Beyond scikit-learn there are `dtype`,
`class_weight` (classifier), any activation and optimizer of the catalogue, and the network as `network_`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_matrix, issparse
from scipy.special import xlogy
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from . import _check, kernels
from ._estimator import Estimator, goes_on
from ._estimator_data import Rows
from ._estimator_parameters import ATTRIBUTES, PARAMETERS
from ._types import Array, ArrayLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["MLPClassifier", "MLPRegressor"]


class MLPRegressor(RegressorMixin, Estimator):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multi-layer perceptron for regression.

    Parameters
    ----------
    loss : {{"squared_error", "poisson"}}, default "squared_error"
        Half the squared error, or half the Poisson deviance of ``exp`` of the network's outputs, for targets
        >= 0. The loss reported is a mean over the outputs for "squared_error", a sum for "poisson"; the
        gradients are those of a sum.
    {PARAMETERS}

    Attributes
    ----------
    {ATTRIBUTES}
    """

    loss: str

    def __init__(
        self,
        loss: str = "squared_error",
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
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dtype: str = "float32",
    ) -> None:
        self._keep(locals())

    _y_numeric = True

    @property
    def _loss(self) -> str:  # type: ignore[override]
        return "poisson_nll" if self.loss == "poisson" else "quadratic"

    @property
    def _out_activation(self) -> str:  # type: ignore[override]
        compiled = self.network_.compiled  # the parameter may have changed since
        poisson = compiled is not None and compiled.loss.entry["name"] == "poisson_nll"
        return "exp" if poisson else "identity"

    def _goal(self, y: Any, reset: bool) -> Array:  # noqa: ARG002
        if self.loss not in ("squared_error", "poisson"):
            raise _check.not_allowed("MLPRegressor", "loss", self.loss, "'squared_error' or 'poisson'")
        y = y.toarray() if issparse(y) else y
        goal: Array = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
        goal = _check.convert(_check.array(goal, "MLPRegressor", "y"), "MLPRegressor", "y", self._real)
        if self.loss == "poisson":
            _check.within(goal, "MLPRegressor", "y", 0, None, "poisson")
        return goal

    def _scikit_learn_loss(self, rows: Rows) -> tuple[float, float]:
        outputs = self._outputs(rows.goal)
        if self.loss == "squared_error":
            return 1 / outputs, 0.0
        y = np.asarray(rows.goal, dtype=float)
        return outputs, float(np.sum(np.average(xlogy(y, y) - y, axis=0, weights=rows.weight)))

    def _values(self, raw: Array) -> Array:
        y = np.exp(raw) if self._out_activation == "exp" else raw
        return y.ravel() if y.shape[1] == 1 else y

    def predict(self, X: ArrayLike) -> Array:
        """Values (N,), or (N, outputs) for several targets."""
        return self._values(self._raw(X))

    @available_if(goes_on)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train for one epoch on these rows, going on from what there is.

        Not there for the solver "lbfgs".
        """
        with self._unchanged_by_errors():
            return self._partial_fit(X, y, sample_weight)


class MLPClassifier(ClassifierMixin, Estimator):  # type: ignore[misc]  # noqa: D101
    __doc__ = f"""Multi-layer perceptron for two classes, several classes or several labels.

    Parameters
    ----------
    {PARAMETERS}
    class_weight : dict of {{class: weight}}, "balanced" or None, default None
        Further factor on the weights of the rows.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted.
    {ATTRIBUTES}
    """

    classes_: Array
    class_weight: Any
    _multilabel: bool
    _sparse_labels: bool

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
        verbose: bool | int = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        dtype: str = "float32",
        class_weight: Any = None,
    ) -> None:
        self._keep(locals())

    @property
    def _logistic(self) -> bool:
        return self._multilabel or len(self.classes_) <= 2

    @property
    def _loss(self) -> str:  # type: ignore[override]
        return "sigmoid_cross_entropy" if self._logistic else "sparse_softmax_cross_entropy"

    @property
    def _out_activation(self) -> str:  # type: ignore[override]
        return "logistic" if self._logistic else "softmax"

    def _goal(self, y: Any, reset: bool) -> Array:
        check_classification_targets(y)
        multilabel, sparse = type_of_target(y) == "multilabel-indicator", issparse(y)
        y = y.toarray() if sparse else y
        if not multilabel:
            y = column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
            if y.ndim != 1:
                raise ValueError(
                    f"MLPClassifier: y has shape {y.shape}; several classes per row are not supported"
                )
        if reset:
            self._multilabel, self._sparse_labels = multilabel, sparse
            self.classes_ = np.arange(y.shape[1]) if multilabel else np.unique(y)
        if multilabel != self._multilabel or (multilabel and y.shape[1] != len(self.classes_)):
            wanted = f"(N, {len(self.classes_)}), labels" if self._multilabel else "(N,), classes"
            raise ValueError(f"MLPClassifier: y has shape {y.shape}; allowed: {wanted}, as at the first fit")
        if multilabel:
            return np.asarray(y, dtype=self._real, order="C")
        labels: Array = np.searchsorted(self.classes_, y)
        unknown = labels >= len(self.classes_)
        unknown |= self.classes_[np.where(unknown, 0, labels)] != y
        if unknown.any():
            raise ValueError(
                f"MLPClassifier: y holds {y[unknown][0]}, which is not in classes_ = {self.classes_}"
            )
        return labels

    def _scikit_learn_loss(self, rows: Rows) -> tuple[float, float]:  # noqa: ARG002
        return 1.0, 0.0

    def _values(self, raw: Array) -> Array:
        if self._multilabel:
            return (raw > 0).astype(int)
        return (raw[:, 0] > 0).astype(int) if raw.shape[1] == 1 else raw.argmax(axis=1)

    def _outputs(self, goal: Array) -> int:
        return super()._outputs(goal) if self._logistic else len(self.classes_)

    @available_if(goes_on)  # type: ignore[untyped-decorator]
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on these rows; the first call names all `classes`.

        Not there for the solver "lbfgs".

        Parameters
        ----------
        X, y, sample_weight : array
            As for `fit`.
        classes : array, optional
            All classes there will be; needed by the first call, and the same in later ones if given.

        Raises
        ------
        ValueError
            As `fit`; or classes are missing, other than before, or not those of y.
        """
        known = getattr(self, "classes_", None)
        if known is None and classes is None:
            raise ValueError("MLPClassifier.partial_fit: the first call needs the argument classes")
        given = None if classes is None else np.unique(np.asarray(classes))
        if known is not None and given is not None and not np.array_equal(given, known):
            raise ValueError(
                f"MLPClassifier.partial_fit: classes = {given} is not allowed; allowed: {known}, "
                "as at the first call, or None"
            )
        with self._unchanged_by_errors():
            if given is not None and known is None:
                self.classes_ = given
                self._multilabel = type_of_target(y) == "multilabel-indicator"
                self._sparse_labels = issparse(y)
            return self._partial_fit(X, y, sample_weight)

    def predict(self, X: ArrayLike) -> Array:
        """Most probable class of every row (N,), or 0 and 1 per label (N, labels).

        After a `fit` with sparse labels these are a sparse matrix.
        """
        found = self._values(self._raw(X))
        if self._multilabel:
            return csr_matrix(found) if self._sparse_labels else found
        classes: Array = self.classes_[np.minimum(found, len(self.classes_) - 1)]
        return classes

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities (N, classes), columns in the order of `classes_`; small ones are as exact as large.

        Of a single class there are two columns, as in scikit-learn.
        """
        return self._probabilities(X, kernels.softmax, kernels.sigmoid)

    def predict_log_proba(self, X: ArrayLike) -> Array:
        """Logarithm of `predict_proba`, finite also where a probability is too small for the type."""
        return self._probabilities(X, kernels.log_softmax, kernels.log_sigmoid)

    def _probabilities(self, X: ArrayLike, of_classes: Any, of_logit: Any) -> Array:
        raw = self._raw(X)
        if not self._logistic:
            result: Array = of_classes(raw)
            return result
        p: Array = of_logit(raw)
        return p if self._multilabel else np.hstack([of_logit(-raw), p])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
