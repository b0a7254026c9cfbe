"""The kernels of whole layers: products, dense, batch and layer normalisation."""

from collections.abc import Callable
from typing import cast

import numpy as np

from . import _arrays
from ._from_catalog import CATALOG
from ._native import core
from ._types import Array, ArrayLike

__all__ = [
    "batch_norm_backward",
    "batch_norm_forward",
    "dense_backward",
    "dense_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "matmul",
]


def matmul(
    a: ArrayLike,
    b: ArrayLike,
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    out: Array | None = None,
) -> Array:
    """Matrix product ``a @ b``.

    Parameters
    ----------
    a, b : array
        (M, K) and (K, N); of one dtype, that of `a`.
    transpose_a, transpose_b : bool, default False
        Take the transpose: `a` is then (K, M), `b` (N, K).
    out : ndarray, optional
        (M, N), C-contiguous, for the result.

    Returns
    -------
    ndarray (M, N)
    """
    if core.matmul(a, b, out, transpose_a, transpose_b):
        return cast(Array, out)
    a = _arrays.matrix(_arrays.real(a, "matmul", "a"), "matmul", "a")
    b = _arrays.matrix(_arrays.real(b, "matmul", "b", a.dtype), "matmul", "b")
    rows, inner = a.shape[::-1] if transpose_a else a.shape
    columns = b.shape[0] if transpose_b else b.shape[1]
    if inner != b.shape[1 if transpose_b else 0]:
        raise ValueError(f"matmul: shapes {a.shape} and {b.shape} do not fit together")
    y = _arrays.output(out, (rows, columns), a.dtype, "matmul")
    if not core.matmul(a, b, y, bool(transpose_a), bool(transpose_b)):
        raise ValueError("matmul: out shares memory with a or b; allowed: an array of its own")
    return y


def dense_forward(
    x: ArrayLike, w: ArrayLike, b: ArrayLike | None = None, *, out: Array | None = None
) -> Array:
    """Dense layer without activation, ``x @ w + b``.

    Parameters
    ----------
    x : array
        (N, M) inputs; its dtype decides.
    w : array
        (M, K) weights.
    b : array, optional
        (K,) bias.
    out : ndarray, optional
        (N, K), C-contiguous, for the result.

    Returns
    -------
    ndarray (N, K)
    """
    name = "dense_forward"
    x, w = _product(x, w, name)
    if b is not None:
        b = _arrays.real(b, name, "b", x.dtype)
        _arrays.same_shape(b, w.shape[1:], name, "b")
    y = _arrays.output(out, (x.shape[0], w.shape[1]), x.dtype, name)
    core.dense_forward(x, w, b, y)
    return y


def dense_backward(
    x: ArrayLike,
    w: ArrayLike,
    dy: ArrayLike,
    *,
    input_gradient: bool = True,
    use_bias: bool = True,
    out: tuple[Array | None, Array, Array | None] | None = None,
) -> tuple[Array | None, Array, Array | None]:
    """Gradients of a dense layer: ``dy @ w.T``, ``x.T @ dy`` and the column sums of ``dy``.

    Parameters
    ----------
    x, w : array
        (N, M) inputs and (M, K) weights of the forward pass.
    dy : array
        (N, K) gradient of the output.
    input_gradient, use_bias : bool, default True
        Whether dx and db are wanted; None takes their place otherwise.
    out : (dx, dw, db), optional
        C-contiguous arrays for the results.

    Returns
    -------
    dx : ndarray (N, M) or None
    dw : ndarray (M, K)
    db : ndarray (K,) or None
    """
    name = "dense_backward"
    x, w = _product(x, w, name)
    dy = _arrays.real(dy, name, "dy", x.dtype)
    _arrays.same_shape(dy, (x.shape[0], w.shape[1]), name, "dy")
    given = out or (None, None, None)
    dx = _arrays.output(given[0], x.shape, x.dtype, name, "out[0]") if input_gradient else None
    dw = _arrays.output(given[1], w.shape, x.dtype, name, "out[1]")
    db = _arrays.output(given[2], w.shape[1:], x.dtype, name, "out[2]") if use_bias else None
    core.dense_backward(x, w, dy, dx, dw, db)
    return dx, dw, db


def batch_norm_forward(
    x: ArrayLike, gain: ArrayLike, shift: ArrayLike, *, epsilon: float | None = None, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """Normalise every column over the batch, then scale and shift it (training mode).

    Parameters
    ----------
    x : array
        (N, M) inputs; its dtype decides.
    gain, shift : array
        (M,) learned factor and offset.
    epsilon : float, optional
        Added to the variance; by default that of the layer `BatchNorm`.
    out : ndarray, optional
        (N, M), C-contiguous, for y.

    Returns
    -------
    y : ndarray (N, M)
    mean, inverse_deviation : ndarray (M,)
        Batch mean and 1 / sqrt(variance + epsilon), for the backward pass.
    """
    return _normalise(core.batch_norm_forward, "batch_norm", 1, x, gain, shift, epsilon, out)


def layer_norm_forward(
    x: ArrayLike, gain: ArrayLike, shift: ArrayLike, *, epsilon: float | None = None, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """Normalise every row, then scale and shift its columns.

    Parameters
    ----------
    x : array
        (N, M) inputs; its dtype decides.
    gain, shift : array
        (M,) learned factor and offset.
    epsilon : float, optional
        Added to the variance; by default that of the layer `LayerNorm`.
    out : ndarray, optional
        (N, M), C-contiguous, for y.

    Returns
    -------
    y : ndarray (N, M)
    mean, inverse_deviation : ndarray (N,)
        Row mean and 1 / sqrt(variance + epsilon), for the backward pass.
    """
    return _normalise(core.layer_norm_forward, "layer_norm", 0, x, gain, shift, epsilon, out)


def batch_norm_backward(
    x: ArrayLike,
    gain: ArrayLike,
    mean: ArrayLike,
    inverse_deviation: ArrayLike,
    dy: ArrayLike,
    *,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm_forward`, with the mean and deviation it gave.

    Parameters
    ----------
    x : array
        (N, M) inputs of the forward pass; its dtype decides.
    gain : array
        (M,) learned factor.
    mean, inverse_deviation : array
        (M,) what the forward pass gave besides y.
    dy : array
        (N, M) gradient of y.
    out : (dx, dgain, dshift), optional
        C-contiguous arrays for the results.

    Returns
    -------
    dx : ndarray (N, M)
    dgain, dshift : ndarray (M,)
    """
    return _denormalise(core.batch_norm_backward, "batch_norm", 1, x, gain, mean, inverse_deviation, dy, out)


def layer_norm_backward(
    x: ArrayLike,
    gain: ArrayLike,
    mean: ArrayLike,
    inverse_deviation: ArrayLike,
    dy: ArrayLike,
    *,
    out: tuple[Array, Array, Array] | None = None,
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm_forward`, with the mean and deviation it gave.

    Parameters
    ----------
    x : array
        (N, M) inputs of the forward pass; its dtype decides.
    gain : array
        (M,) learned factor.
    mean, inverse_deviation : array
        (N,) what the forward pass gave besides y.
    dy : array
        (N, M) gradient of y.
    out : (dx, dgain, dshift), optional
        C-contiguous arrays for the results.

    Returns
    -------
    dx : ndarray (N, M)
    dgain, dshift : ndarray (M,)
    """
    return _denormalise(core.layer_norm_backward, "layer_norm", 0, x, gain, mean, inverse_deviation, dy, out)


def _product(x: ArrayLike, w: ArrayLike, name: str) -> tuple[Array, Array]:
    x = _arrays.matrix(_arrays.real(x, name, "x"), name, "x")
    w = _arrays.matrix(_arrays.real(w, name, "w", x.dtype), name, "w")
    if x.shape[1] != w.shape[0]:
        raise ValueError(f"{name}: shapes {x.shape} of x and {w.shape} of w do not fit together")
    return x, w


def _normalise(
    run: Callable[..., None],
    layer: str,
    axis: int,
    x: ArrayLike,
    gain: ArrayLike,
    shift: ArrayLike,
    epsilon: float | None,
    out: Array | None,
) -> tuple[Array, Array, Array]:
    name = layer + "_forward"
    x = _arrays.matrix(_arrays.real(x, name, "x"), name, "x")
    gain, shift = _columns(x, name, gain=gain, shift=shift)
    if epsilon is None:
        epsilon = _epsilon(layer)
    if not epsilon >= 0:
        raise ValueError(f"{name}: epsilon = {epsilon!r} is not allowed; allowed: a number >= 0")
    y = _arrays.output(out, x.shape, x.dtype, name)
    mean, inverse = np.empty((2, x.shape[axis]), x.dtype)
    run(x, gain, shift, float(epsilon), y, mean, inverse)
    return y, mean, inverse


def _denormalise(
    run: Callable[..., None],
    layer: str,
    axis: int,
    x: ArrayLike,
    gain: ArrayLike,
    mean: ArrayLike,
    inverse_deviation: ArrayLike,
    dy: ArrayLike,
    out: tuple[Array, Array, Array] | None,
) -> tuple[Array, Array, Array]:
    name = layer + "_backward"
    x = _arrays.matrix(_arrays.real(x, name, "x"), name, "x")
    (gain,) = _columns(x, name, gain=gain)
    statistics = []
    for argument, value in (("mean", mean), ("inverse_deviation", inverse_deviation)):
        statistics.append(_arrays.real(value, name, argument, x.dtype))
        _arrays.same_shape(statistics[-1], (x.shape[axis],), name, argument)
    dy = _arrays.real(dy, name, "dy", x.dtype)
    _arrays.same_shape(dy, x.shape, name, "dy")
    given = out or (None, None, None)
    dx = _arrays.output(given[0], x.shape, x.dtype, name, "out[0]")
    dgain = _arrays.output(given[1], gain.shape, x.dtype, name, "out[1]")
    dshift = _arrays.output(given[2], gain.shape, x.dtype, name, "out[2]")
    run(x, gain, *statistics, dy, dx, dgain, dshift)
    return dx, dgain, dshift


def _columns(x: Array, name: str, **vectors: ArrayLike) -> list[Array]:
    arrays = []
    for argument, value in vectors.items():
        arrays.append(_arrays.real(value, name, argument, x.dtype))
        _arrays.same_shape(arrays[-1], x.shape[1:], name, argument)
    return arrays


def _epsilon(layer: str) -> float:
    entry = next(e for e in CATALOG["layer"] if e["name"] == layer)
    value: float = next(p["default"] for p in entry["parameters"] if p["name"] == "epsilon")
    return value
