"""A result never lies over an input that is still read; one made number by number may replace an input."""

from __future__ import annotations

import numpy as np
import pytest

import deltarule as dr
from deltarule import kernels


def square(rng, n=64):
    return [rng.normal(size=(n, n)).astype(np.float32) for _ in range(3)]


def test_products_are_refused(rng):
    x, w, dy = square(rng)
    kept = [a.copy() for a in (x, w, dy)]
    for out in (x, w):
        with pytest.raises(ValueError, match="shares memory"):
            kernels.dense_forward(x, w, out=out)
    bias = np.empty(64, np.float32)
    for out in ((dy, w.copy(), bias), (x.copy(), w, bias), (x.copy(), dy, bias), (w, w.copy(), bias)):
        with pytest.raises(ValueError, match="shares memory"):
            kernels.dense_backward(x, w, dy, out=out)
    dw = w.copy()
    with pytest.raises(ValueError, match="shares memory"):
        kernels.dense_backward(x, w, dy, out=(x.copy(), dw, dw[3]))
    for array, before in zip((x, w, dy), kept, strict=True):
        np.testing.assert_array_equal(array, before)


def test_predict_is_refused(rng):
    X = square(rng)[0]
    net = dr.Sequential([dr.Dense(64)], seed=1)
    net.build(64)
    before = X.copy()
    with pytest.raises(ValueError, match="shares memory"):
        net.predict(X, out=X)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("name", ["tanh", "relu", "softmax", "log_softmax"])
def test_rows_and_elements_may_be_replaced_but_not_shifted(name, rng):
    kernel, backward = getattr(kernels, name), getattr(kernels, name + "_backward")
    a = rng.normal(size=(9, 16)).astype(np.float32)
    expected = kernel(a)
    x = a.copy()
    assert kernel(x, out=x) is x
    np.testing.assert_array_equal(x, expected)
    with pytest.raises(ValueError, match="shares memory"):
        kernel(a[:-1], out=a[1:])
    dy = rng.normal(size=(9, 16)).astype(np.float32)
    gradient = backward(a, expected, dy)
    with pytest.raises(ValueError, match="shares memory"):
        backward(a[1:], expected[1:], dy[1:], out=dy[:-1])
    np.testing.assert_array_equal(backward(a, expected, dy, out=dy), gradient)


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_normalisation_may_be_in_place_but_not_shifted(name, rng):
    x = rng.normal(size=(40, 8)).astype(np.float32)
    gain, shift = np.ones(8, np.float32), np.zeros(8, np.float32)
    kernel = getattr(kernels, name + "_forward")
    expected = kernel(x, gain, shift)[0]
    with pytest.raises(ValueError, match="shares memory"):
        kernel(x[:-1], gain, shift, out=x[1:])
    np.testing.assert_array_equal(kernel(x, gain, shift, out=x)[0], expected)


def test_vectors_that_serve_every_row_are_never_written_over(rng):
    x, gain = (rng.normal(size=n).astype(np.float32) for n in ((8, 8), 8))
    store = rng.normal(size=(8, 8)).astype(np.float32)
    row, zeros = store[3], np.zeros(8, np.float32)
    before = store.copy()
    calls = [
        lambda: kernels.dense_forward(x, x.copy(), row, out=store),
        lambda: kernels.batch_norm_forward(x, row, zeros, out=store),
        lambda: kernels.layer_norm_forward(x, gain, row, out=store),
        lambda: kernels.mse(x, x + 1, sample_weight=row, out=store),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="shares memory"):
            call()
    np.testing.assert_array_equal(store, before)
