"""The data that all networks share: converted and checked once for each way in which they are needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from deltarule import _check
from deltarule._data import Data, Task
from deltarule._types import Array, ArrayLike

_OPERATION = "fit_many"


class Shared:
    """Inputs, targets, weights and row numbers, each kept in the form in which the core takes it."""

    def __init__(self, X: ArrayLike, y: ArrayLike) -> None:
        given = _check.array(X, _OPERATION, "X")
        dtype = np.dtype(np.float64 if given.dtype == np.float64 else np.float32)
        self._X = _check.features(given, _OPERATION, "X", dtype, None)
        self._y = _check.array(y, _OPERATION, "y")
        _check.not_empty(self._X, _OPERATION, "X")
        _check.same_length(self._y, len(self._X), _OPERATION, "y", "X")
        self._inputs: dict[Any, Array] = {dtype: self._X}
        self._targets: dict[Task, Array] = {}
        self._others: dict[tuple[int, Any], tuple[Any, Array]] = {}

    @property
    def columns(self) -> int:
        """Columns of the inputs."""
        return int(self._X.shape[1])

    def data(self, task: Task, weight: ArrayLike | None) -> Data:
        """All rows as a network with this task takes them."""
        if task.dtype not in self._inputs:
            self._inputs[task.dtype] = _check.features(self._X, _OPERATION, "X", task.dtype, None)
        X = self._inputs[task.dtype]
        if task not in self._targets:
            self._targets[task] = task.data(X, self._y, None, _OPERATION).y
        if weight is not None:
            weight = self._once(
                weight,
                task.dtype,
                lambda w: _check.weights(w, _OPERATION, "sample_weight", task.dtype, len(X)),
            )
        return Data(X, self._targets[task], weight)

    def rows(self, given: Any, argument: str) -> Array | None:
        """Row numbers as the core takes them, from numbers, a mask or a slice; None for all rows."""
        if given is None:
            return None
        return self._once(given, argument, lambda rows: self._numbers(rows, argument))

    def _numbers(self, given: Any, argument: str) -> Array:
        count = len(self._X)
        if isinstance(given, slice):
            given = np.arange(count)[given]
        rows = _check.array(given, _OPERATION, argument)
        if rows.dtype == bool and rows.shape == (count,):
            rows = np.flatnonzero(rows)
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise TypeError(
                f"{argument} has dtype {rows.dtype} and shape {rows.shape}; allowed: row numbers, "
                f"a mask of shape ({count},) or a slice"
            )
        if not rows.size:
            raise ValueError(f"{argument} is empty; allowed: at least one row")
        if rows.min() < 0 or rows.max() >= count:
            wrong = int(np.argmax((rows < 0) | (rows >= count)))
            raise ValueError(f"{argument}[{wrong}] = {rows[wrong]} is no row; allowed: 0 to {count - 1}")
        return np.ascontiguousarray(rows, dtype=np.uint32)

    def _once(self, value: Any, kind: Any, convert: Any) -> Array:
        """What `convert` makes of an object, kept for the next time the same object comes."""
        found = self._others.get((id(value), kind))
        if found is None:
            found = self._others[id(value), kind] = (value, convert(value))
        return found[1]
