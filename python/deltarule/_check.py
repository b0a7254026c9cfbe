"""Checks and conversions of what users pass in.

Every message names the operation, the argument, what was given and what is allowed. No state changes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._native import core
from ._types import Array, ArrayLike


def not_allowed(operation: str, argument: str, given: Any, allowed: str) -> ValueError:
    """The error for a value outside its range."""
    return ValueError(f"{operation}: {argument} = {given!r} is not allowed; allowed: {allowed}")


def whole(value: Any, operation: str, argument: str, low: int = 1, also: str = "") -> int:
    """A whole number that is at least `low`."""
    allowed = f"a whole number >= {low}" + (f", or {also}" if also else "")
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{operation}: {argument} is {value!r}; allowed: {allowed}")
    if value < low:
        raise not_allowed(operation, argument, int(value), allowed)
    return int(value)


def seed(value: Any, operation: str) -> int:
    """A seed that the core can hold."""
    number = whole(value, operation, "seed", 0, "None")
    if number >= 2**64:
        raise not_allowed(operation, "seed", number, "a whole number with 0 <= seed < 2**64, or None")
    return number


def real(value: Any, operation: str, argument: str, low: float, high: float = np.inf) -> float:
    """A number with low <= value < high."""
    allowed = f"a number with {low:g} <= {argument}" + (f" < {high:g}" if high < np.inf else "")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.number, np.bool_)):
        raise TypeError(f"{operation}: {argument} is {value!r}; allowed: {allowed}")
    number = float(value)
    if not low <= number < high:
        raise not_allowed(operation, argument, number, allowed)
    return number


def flag(value: Any, operation: str, argument: str) -> bool:
    """True or False."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise TypeError(f"{operation}: {argument} is {value!r}; allowed: True or False")


def instance(value: Any, kind: type, operation: str, argument: str, allowed: str) -> None:
    """An object of class `kind`."""
    if not isinstance(value, kind):
        hint = "; write it with parentheses" if isinstance(value, type) and issubclass(value, kind) else ""
        raise TypeError(f"{operation}: {argument} is {value!r}; allowed: {allowed}{hint}")


def array(value: ArrayLike, operation: str, argument: str) -> Array:
    """Any array of real numbers, not yet converted."""
    try:
        given = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{operation}: {argument} is not an array: {error}") from None
    if given.dtype.kind in "fiub":
        if type(value).__name__ == "MaskedArray" and np.any(value.mask):
            raise ValueError(
                f"{operation}: {argument} has masked values; allowed: numbers everywhere (fill them in first)"
            )
        return given
    if hasattr(value, "toarray"):
        raise TypeError(
            f"{operation}: {argument} is a sparse matrix; allowed: dense arrays (toarray() makes one)"
        )
    if (
        given.ndim == 0
        and (hasattr(value, "__next__") or hasattr(value, "__iter__"))
        and given.dtype.kind == "O"
    ):
        remedy = "; for data that come in batches, call train_on_batch on each" * (
            operation == "Sequential.fit"
        )
        raise TypeError(
            f"{operation}: {argument} is a {type(value).__name__}; allowed: an array or nested lists{remedy}"
        )
    hint = {
        "O": " (text, missing values or mixed types? encode it as numbers first, labels by "
        "np.unique(..., return_inverse=True))",
        "U": " (encode text as numbers first, labels by np.unique(..., return_inverse=True))",
        "c": " (use real and imaginary part as two columns)",
        "M": " (dates: use the time since some day)",
    }.get(given.dtype.kind, "")
    raise TypeError(f"{operation}: {argument} has dtype {given.dtype}; allowed: real numbers{hint}")


def convert(given: Array, operation: str, argument: str, dtype: Any, finite: bool = True) -> Array:
    """C-contiguous array of `dtype`: `given` itself or a copy. Refuses what is too large for it.

    With `finite` NaN and infinity as well.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(given, dtype=dtype, order="C")
    if (not finite and given.dtype == result.dtype) or core.all_finite(result):
        return result
    bad = ~np.isfinite(result)
    if not finite:
        bad &= np.isfinite(given)
        if not bad.any():
            return result
    where = np.unravel_index(int(np.argmax(bad)), bad.shape)
    value, place = given[where], ", ".join(str(int(i)) for i in where)
    if np.isfinite(value):
        raise ValueError(
            f"{operation}: {argument}[{place}] = {value} is too large for {np.dtype(dtype).name}"
        )
    raise ValueError(
        f"{operation}: {argument}[{place}] is {value}; {int(bad.sum())} of {bad.size} values are not finite; "
        "allowed: finite numbers (fill in or drop missing values first)"
    )


def features(
    value: ArrayLike, operation: str, argument: str, dtype: Any, width: int | None, finite: bool = True
) -> Array:
    """Inputs of shape (N, width)."""
    given = array(value, operation, argument)
    wanted = "(N, columns)" if width is None else f"(N, {width})"
    if given.ndim != 2:
        hint = "; reshape(1, -1) makes one row of it" if given.ndim == 1 else ""
        raise ValueError(f"{operation}: {argument} has shape {given.shape}; allowed: {wanted}{hint}")
    if width is not None and given.shape[1] != width:
        raise ValueError(
            f"{operation}: {argument} has shape {given.shape}; allowed: {wanted}, as the network was built"
        )
    if given.shape[1] == 0:
        raise ValueError(f"{operation}: {argument} has shape {given.shape}; allowed: at least one column")
    return convert(given, operation, argument, dtype, finite)


def not_empty(X: Array, operation: str, argument: str) -> None:
    """Refuse data without rows."""
    if len(X) == 0:
        raise ValueError(f"{operation}: {argument} has shape {X.shape}; allowed: at least one row")


def same_length(given: Array, rows: int, operation: str, argument: str, other: str) -> None:
    """Refuse another number of rows than `other` has."""
    if given.ndim == 0 or len(given) != rows:
        raise ValueError(
            f"{operation}: {argument} has shape {given.shape}, but {other} has {rows} rows; allowed: as many"
        )


def labels(given: Array, operation: str, argument: str, classes: int, ignored: int | None = None) -> Array:
    """Integer labels of shape (N,) or (N, 1) as int32; the label `ignored` need not be a class."""
    if given.ndim == 2 and given.shape[1] == 1:
        given = given[:, 0]
    if given.ndim != 1:
        raise ValueError(
            f"{operation}: {argument} has shape {given.shape}; allowed: (N,) integer labels "
            '(for one-hot rows use loss="softmax_cross_entropy", or argmax(axis=1))'
        )
    if given.dtype.kind == "f":
        whole_numbers = bool((given == np.floor(given)).all()) if given.size else True
        hint = f" ({argument}.astype(int) makes integers of it)" if whole_numbers else ""
        raise TypeError(
            f"{operation}: {argument} has dtype {given.dtype}; allowed: integer class labels{hint}"
        )
    if given.size and (given.min() < 0 or given.max() >= classes):
        wrong = ((given < 0) | (given >= classes)) & (True if ignored is None else given != ignored)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(
                f"{operation}: {argument}[{row}] = {given[row]} is not a class of the network; "
                f"allowed: 0 to {classes - 1}, as its last layer has {classes} outputs"
            )
    return np.asarray(given, dtype=np.int32, order="C")


def values(given: Array, operation: str, argument: str, dtype: Any, outputs: int) -> Array:
    """Targets of shape (N, outputs), or (N,) for one output."""
    if given.ndim == 1 and outputs == 1:
        given = given[:, None]
    if given.ndim != 2 or given.shape[1] != outputs:
        wanted = f"(N, {outputs})" + (" or (N,)" if outputs == 1 else "")
        hint = ""
        if outputs > 1 and given.dtype.kind in "iub" and (given.ndim == 1 or given.shape[1] == 1):
            hint = ' (for integer labels use loss="sparse_softmax_cross_entropy")'
        raise ValueError(
            f"{operation}: {argument} has shape {given.shape}; allowed: {wanted}, "
            f"as the last layer has {outputs} output{'s' * (outputs > 1)}{hint}"
        )
    return convert(given, operation, argument, dtype)


def within(y: Array, operation: str, argument: str, low: float | None, high: float | None, loss: str) -> None:
    """Refuse targets outside the range that the loss is made for."""
    if not y.size or ((low is None or y.min() >= low) and (high is None or y.max() <= high)):
        return
    bad = ~((y >= (-np.inf if low is None else low)) & (y <= (np.inf if high is None else high)))
    where = np.unravel_index(int(np.argmax(bad)), bad.shape)
    place = ", ".join(str(int(i)) for i in where)
    allowed = " and ".join(
        f"{word} {b:g}" for word, b in (("at least", low), ("at most", high)) if b is not None
    )
    raise ValueError(
        f"{operation}: {argument}[{place}] = {y[where]:g} is no target of the loss {loss!r}; "
        f"allowed: {allowed}"
    )


def signs(y: Array, operation: str, argument: str, loss: str) -> None:
    """Refuse targets that are neither -1 nor 1."""
    bad = np.abs(y) != 1
    if bad.any():
        where = np.unravel_index(int(np.argmax(bad)), bad.shape)
        place = ", ".join(str(int(i)) for i in where)
        raise ValueError(
            f"{operation}: {argument}[{place}] = {y[where]:g} is no target of the loss {loss!r}; allowed: -1 "
            f"and 1 (2 * {argument} - 1 makes them of 0 and 1)"
        )


def weights(value: ArrayLike, operation: str, argument: str, dtype: Any, rows: int) -> Array:
    """Row weights of shape (N,): finite, not negative, not all zero."""
    given = array(value, operation, argument)
    if given.shape != (rows,):
        raise ValueError(f"{operation}: {argument} has shape {given.shape}; allowed: ({rows},), one per row")
    result = convert(given, operation, argument, dtype)
    if result.min() < 0:
        row = int(np.argmax(result < 0))
        raise not_allowed(operation, f"{argument}[{row}]", float(result[row]), "numbers >= 0")
    if not result.any():
        raise ValueError(f"{operation}: {argument} is zero for every row; allowed: at least one weight > 0")
    return result


def class_weights(
    value: Any, y: Array, classes: int, operation: str, dtype: Any, argument: str = "class_weight"
) -> Array:
    """Weight per row from a dict of weights by class, or from "balanced": N / (classes present * count).

    A row of a soft target belongs to each class by its share, in the count as well.
    """
    by_class = np.ones(classes)
    soft = y.ndim == 2 and y.shape[1] > 1
    if soft:
        total = y.sum(axis=1, dtype=float, keepdims=True)
        share = np.divide(y, total, out=np.full(y.shape, 1 / classes), where=total > 0)
        counts = share.sum(axis=0)
    else:
        row_class = y if y.ndim == 1 else (y[:, 0] > 0.5).astype(np.int32)
        counts = np.bincount(row_class, minlength=classes)
    if isinstance(value, str) and value == "balanced":
        present = counts > 0
        by_class[present] = len(y) / (present.sum() * counts[present])
    elif isinstance(value, Mapping):
        for label, weight in value.items():
            if not isinstance(label, (int, np.integer)) or not 0 <= label < classes:
                raise ValueError(
                    f"{operation}: {argument} has the key {label!r}; allowed: the classes 0 to {classes - 1}"
                )
            by_class[int(label)] = real(weight, operation, f"{argument}[{label}]", 0)
    else:
        raise TypeError(
            f'{operation}: {argument} is {value!r}; allowed: a dict of class: weight, "balanced" or None'
        )
    by_row: Array = share @ by_class if soft else by_class[row_class]
    return np.asarray(by_row, dtype=dtype)
