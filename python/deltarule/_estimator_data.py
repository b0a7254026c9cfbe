"""Data of the scikit-learn estimators: dense arrays of their dtype, a block of rows at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import _check_sample_weight, validate_data

from . import _check
from ._types import Array, ArrayLike

if TYPE_CHECKING:
    from ._estimator import Estimator
    from .sequential import Sequential

_NUMERIC = (np.float64, np.float32)
_SPARSE = ("csr", "csc")
_BLOCK = 1 << 22  # elements of a dense block, 16 or 32 MB


class Rows(NamedTuple):
    """What `Sequential.fit` takes."""

    X: Array
    goal: Array
    weight: Array | None

    def picked(self, rows: Array) -> Rows:
        """Some of the rows."""
        return Rows(self.X[rows], self.goal[rows], None if self.weight is None else self.weight[rows])


def training_rows(
    estimator: Estimator, X: Any, y: Any, sample_weight: ArrayLike | None, reset: bool, find_classes: bool
) -> Rows:
    """Inputs, targets and weights (with those of the classes), checked by scikit-learn and by the estimator.

    Attributes of the estimator change on the way: its columns and, with `find_classes`, its classes.
    """
    e, name = estimator, type(estimator).__name__
    X, y = validate_data(
        e,
        X,
        y,
        reset=reset,
        accept_sparse=_SPARSE,
        multi_output=True,
        y_numeric=e._y_numeric,
        dtype=_NUMERIC,
    )
    weight = sample_weight
    if weight is not None:
        weight = _check_sample_weight(weight, X, ensure_non_negative=True)
    goal = e._goal(y, reset and find_classes)
    if (by_class := getattr(e, "class_weight", None)) is not None:
        of_row = compute_sample_weight(by_class, y.toarray() if issparse(y) else y)
        weight = of_row if weight is None else weight * of_row
    return Rows(_dense(X, name, e._real), goal, weight)


def outputs(estimator: Estimator, network: Sequential, X: Any) -> Array:
    """Outputs of the network; of a sparse matrix as many rows are dense at a time as fit into a block."""
    X = validate_data(estimator, X, reset=False, accept_sparse=_SPARSE, dtype=_NUMERIC)
    name, real = type(estimator).__name__, network._real
    if not issparse(X):
        return network.predict(_check.convert(X, name, "X", real))
    X = X.tocsr()
    result = np.empty((X.shape[0], estimator.n_outputs_), real)
    count = max(1, _BLOCK // X.shape[1])
    for begin in range(0, len(result), count):
        part = slice(begin, begin + count)
        network.predict(_dense(X[part], name, real), out=result[part])
    return result


def _dense(X: Any, name: str, real: Any) -> Array:
    if not issparse(X):
        return _check.convert(X, name, "X", real)
    if X.dtype != real:
        with np.errstate(over="ignore"):  # refused below
            converted = X.astype(real)
        if not np.isfinite(converted.data).all():
            _check.convert(X.toarray(), name, "X", real)
        X = converted
    dense: Array = X.toarray(order="C")
    return dense
