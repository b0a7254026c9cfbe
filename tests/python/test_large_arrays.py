"""Results too large for the caches are written past them, with the bits of small arrays, in every layout."""

import numpy as np
import pytest

import deltarule as dr

BYTES = 1 << 24
"""From here on results go past the caches."""


def floats(rng, *shape):
    return rng.standard_normal(shape, np.float32)


@pytest.mark.parametrize("first", [0, 1, 5])
def test_activation(first, rng):
    """`first` moves the arrays against the cache lines."""
    n = BYTES // 4 + 37
    x, dy = floats(rng, 2, n + first)[:, first:]
    out = np.full(n + first + 3, 7, np.float32)
    view = out[first : first + n]
    assert dr.kernels.tanh(x, out=view) is view
    assert (np.delete(out, np.s_[first : first + n]) == 7).all(), "a neighbour was written over"
    parts = [dr.kernels.tanh(x[i : i + 5000]) for i in range(0, n, 5000)]
    assert np.array_equal(view, np.concatenate(parts))
    wanted = [dr.kernels.sigmoid_backward(x[i : i + 5000], None, dy[i : i + 5000]) for i in range(0, n, 5000)]
    assert np.array_equal(dr.kernels.sigmoid_backward(x, None, dy), np.concatenate(wanted))
    assert np.array_equal(dr.kernels.tanh(x, out=x), view), "in place"


def test_unaligned_bytes(rng):
    """An array may begin between two multiples of its numbers' size."""
    n = BYTES // 4 + 5
    x = floats(rng, n)
    out = np.empty(4 * n + 64, np.uint8)[1 : 1 + 4 * n].view(np.float32)
    assert np.array_equal(dr.kernels.relu(x, out=out), np.maximum(x, 0))


@pytest.mark.parametrize("columns", [10, 1000, 5000])
def test_rows(columns, rng):
    rows = BYTES // 4 // columns + 3
    x = floats(rng, rows, columns)
    y = dr.kernels.softmax(x)
    dx = dr.kernels.softmax_backward(None, y, x)
    value, gradient = dr.kernels.mse(x, y, reduction="sum")
    gain, shift = np.ones((2, columns), np.float32)
    normal = dr.kernels.layer_norm_forward(x, gain, shift)[0]
    for at in (0, rows // 2, rows - 2):
        part = slice(at, at + 2)
        assert np.array_equal(dr.kernels.softmax(x[part]), y[part])
        assert np.array_equal(dr.kernels.softmax_backward(None, y[part], x[part]), dx[part])
        assert np.array_equal(dr.kernels.mse(x[part], y[part], reduction="sum")[1], gradient[part])
        assert np.array_equal(dr.kernels.layer_norm_forward(x[part], gain, shift)[0], normal[part])
    assert value == pytest.approx(float(((x - y).astype(np.float64) ** 2).mean(axis=1).sum()), rel=1e-5)
    assert np.array_equal(dr.kernels.layer_norm_forward(x, gain, shift, out=x)[0], normal), "in place"
