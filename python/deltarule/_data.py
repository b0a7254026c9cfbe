"""Prepares data sets for the core: inputs, targets and weights, checked against network and loss."""

from typing import Any, NamedTuple

import numpy as np

from . import _arrays, _check
from ._families import Loss, Metric
from ._types import Array, ArrayLike


class Data(NamedTuple):
    """Rows ready for the core."""

    X: Array
    y: Array
    weight: Array | None
    picked: Array | None = None
    """Which rows of the arrays are meant, as uint32; None for all."""

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return len(self.X if self.picked is None else self.picked)

    def rows(self, start: int, stop: int | None) -> "Data":
        """A stretch of the rows, without a copy."""
        if self.picked is not None:
            return self._replace(picked=self.picked[start:stop])
        weight = None if self.weight is None else self.weight[start:stop]
        return Data(self.X[start:stop], self.y[start:stop], weight)

    def chosen(self, array: Array) -> Array:
        """The meant rows of one of the arrays."""
        return array if self.picked is None else array[self.picked]

    def has_weight(self) -> bool:
        """Whether any row counts."""
        return self.weight is None or bool(self.chosen(self.weight).any())


class Task(NamedTuple):
    """What targets have to look like."""

    loss: Loss
    metrics: tuple[Metric, ...]
    outputs: int
    dtype: Any

    @property
    def ignored(self) -> int | None:
        """The label of rows that count as absent, if the loss has one."""
        label: int | None = self.loss._settings.get("ignore_index")
        return label

    @property
    def classes(self) -> int:
        """Number of classes; one output tells two apart."""
        return max(self.outputs, 2)

    def targets(self, value: ArrayLike, operation: str, argument: str, rows: int, other: str) -> Array:
        """Targets as the loss takes them: int32 labels (N,), or values (N, outputs)."""
        given = _check.array(value, operation, argument)
        _check.same_length(given, rows, operation, argument, other)
        kind = self.loss.entry["target"]
        if kind != "values" and self.outputs < 2:
            raise ValueError(
                f"{operation}: the loss {self.loss.entry['name']!r} needs one output per class, but "
                f"the last layer has 1 output (sigmoid_cross_entropy tells two classes apart with one)"
            )
        one_column = given.ndim == 1 or (given.ndim == 2 and given.shape[1] == 1)
        if kind == "label":
            y = _check.labels(given, operation, argument, self.outputs, self.ignored)
        elif kind == "label_or_distribution" and one_column:
            y = _arrays.one_hot(
                _check.labels(given, operation, argument, self.outputs), self.outputs, self.dtype
            )
        else:
            columns = self.outputs // self.loss.entry["outputs_per_target"]
            y = _check.values(given, operation, argument, self.dtype, columns)
            low, high = self.loss.entry["target_low"], self.loss.entry["target_high"]
            if self.loss.entry["signs"]:
                _check.signs(y, operation, argument, self.loss.entry["name"])
            _check.within(y, operation, argument, low, high, self.loss.entry["name"])
        if y.ndim == 1:
            for metric in self.metrics:
                if metric.entry["target"] == "values":
                    raise ValueError(
                        f"{operation}: the metric {metric.entry['name']!r} compares values, but the loss "
                        f"{self.loss.entry['name']!r} takes integer labels"
                    )
        return y

    def data(
        self,
        X: Array,
        y: ArrayLike,
        weight: ArrayLike | None,
        operation: str,
        names: tuple[str, str, str] = ("X", "y", "sample_weight"),
    ) -> Data:
        """Check targets and weights that belong to inputs already checked."""
        _check.not_empty(X, operation, names[0])
        goal = self.targets(y, operation, names[1], len(X), names[0])
        if weight is None:
            return Data(X, goal, None)
        return Data(X, goal, _check.weights(weight, operation, names[2], self.dtype, len(X)))

    def with_class_weight(self, data: Data, class_weight: Any, operation: str) -> Data:
        """Multiply the row weights by those of the rows' classes."""
        y = data.chosen(data.y)
        two = (-1, 1) if self.loss.entry["signs"] else (0, 1)
        if self.loss.entry["target"] == "values" and (self.outputs > 1 or not np.isin(y, two).all()):
            raise ValueError(
                f"{operation}: class_weight is for classes, but the loss {self.loss.entry['name']!r} "
                "compares values; allowed: labels, one-hot rows, or a single output with targets 0 and 1"
            )
        present = y != self.ignored if y.ndim == 1 else np.ones(len(y), dtype=bool)
        weight = np.zeros(len(y), self.dtype)
        weight[present] = _check.class_weights(class_weight, y[present], self.classes, operation, self.dtype)
        weight = weight if data.weight is None else weight * data.chosen(data.weight)
        if not weight.any():
            raise ValueError(
                f"{operation}: class_weight and sample_weight together leave no row with a weight > 0"
            )
        if data.picked is not None:
            by_row, weight = weight, np.zeros(len(data.X), self.dtype)
            weight[data.picked] = by_row
        return data._replace(weight=weight)


def split(data: Data, fraction: float, operation: str) -> tuple[Data, Data]:
    """Training rows and, as the last `fraction` of the rows, validation rows."""
    first = int(np.floor(data.row_count * (1.0 - fraction)))
    if first in (0, data.row_count):
        raise ValueError(
            f"{operation}: validation_split = {fraction:g} of {data.row_count} rows leaves one part empty; "
            "allowed: a share that leaves rows on both sides"
        )
    parts = data.rows(0, first), data.rows(first, None)
    for part, name in zip(parts, ("training", "validation"), strict=True):
        if not part.has_weight():
            raise ValueError(f"{operation}: sample_weight is zero for every {name} row")
    return parts
