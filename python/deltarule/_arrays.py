"""Conversion of kernel arguments: what fits is used as it is, anything else is copied once."""

import math
from typing import Any

import numpy as np

from ._types import Array, ArrayLike

_REAL = (np.dtype(np.float32), np.dtype(np.float64))


def real(value: ArrayLike, operation: str, argument: str, dtype: Any = None) -> Array:
    """C-contiguous float32 or float64 array; `dtype` asks for one of the two.

    float32 and float16 give float32, everything else that is a number float64.
    """
    if (
        type(value) is np.ndarray
        and (value.dtype is dtype or (dtype is None and value.dtype in _REAL))
        and value.flags.c_contiguous
    ):
        return value
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{operation}: {argument} is not an array: {error}") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{operation}: {argument} has dtype {array.dtype}; allowed: real numbers")
    if dtype is None:
        dtype = np.float32 if array.dtype in (np.float32, np.float16) else np.float64
    return np.asarray(array, dtype=dtype, order="C")


def output(
    out: Array | None, shape: tuple[int, ...], dtype: Any, operation: str, argument: str = "out"
) -> Array:
    """`out`, checked, or a new array."""
    if out is None:
        return np.empty(shape, dtype)
    in_place(out, operation, argument, shape, dtype)
    return out


def in_place(
    array: Any, operation: str, argument: str, shape: tuple[int, ...] | None = None, dtype: Any = None
) -> None:
    """Refuse an array that a kernel could not write its result into."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{operation}: {argument} is a {type(array).__name__}; allowed: a NumPy array")
    if array.dtype not in _REAL or (dtype is not None and array.dtype != dtype):
        allowed = "float32 or float64" if dtype is None else str(np.dtype(dtype))
        raise TypeError(f"{operation}: {argument} has dtype {array.dtype}; allowed: {allowed}")
    if shape is not None and array.shape != shape:
        raise ValueError(f"{operation}: {argument} has shape {array.shape}; allowed: {shape}")
    if not array.flags.c_contiguous or not array.flags.writeable:
        raise ValueError(f"{operation}: {argument} must be C-contiguous and writable")


def same_shape(array: Array, shape: tuple[int, ...], operation: str, argument: str) -> None:
    """Refuse another shape than `shape`."""
    if array.shape != shape:
        raise ValueError(f"{operation}: {argument} has shape {array.shape}; allowed: {shape}")


def split_shape(shape: tuple[int, ...], parts: int, operation: str, argument: str) -> tuple[int, ...]:
    """`shape` with the last axis divided by `parts`."""
    if parts == 1:
        return shape
    if not shape or shape[-1] % parts:
        raise ValueError(
            f"{operation}: {argument} has shape {shape}; "
            "allowed: an even last axis, which is split into halves"
        )
    return (*shape[:-1], shape[-1] // parts)


def matrix(array: Array, operation: str, argument: str) -> Array:
    """Refuse anything but two dimensions."""
    if array.ndim != 2:
        raise ValueError(f"{operation}: {argument} has shape {array.shape}; allowed: two dimensions")
    return array


def rows(array: Array) -> Array:
    """View with all axes but the last merged."""
    if array.ndim == 0:
        return array.reshape(1, 1)
    return array if array.ndim == 2 else array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def one_hot(labels: Array, classes: int, dtype: Any) -> Array:
    """Rows with a one at the label and zeros elsewhere."""
    result = np.zeros((len(labels), classes), dtype)
    result[np.arange(len(labels)), labels] = 1
    return result
