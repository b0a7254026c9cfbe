"""Products and the dense kernels, of every awkward shape, against long double."""

import itertools

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SIZES = [1, 2, 3, 5, 8, 13, 16, 17, 31, 33, 64, 65, 100, 129]
LARGE = [(200, 300, 400), (257, 1000, 129), (1, 3000, 700), (700, 1, 300), (1000, 37, 1), (64, 2049, 33)]


def shapes():
    rng = np.random.default_rng(3)
    return [tuple(int(n) for n in rng.choice(SIZES, 3)) for _ in range(60)] + LARGE


def bound(a, b, dtype):
    """What rounding may amount to: |a| |b| per element, times a few units."""
    return np.abs(a).astype(float) @ np.abs(b).astype(float), 20 * np.finfo(dtype).eps


def near(got, a, b, what, dtype):
    size, tolerance = bound(a, b, dtype)
    wanted = a.astype(float) @ b.astype(float) if dtype == np.float32 else accurate(a, b)
    assert_near(got, wanted, min(tolerance, 1e-5), what, size)


def accurate(a, b):
    """Long double below a million products, float64 above: BLAS errs by few units of |a| |b|."""
    if a.shape[0] * a.shape[1] * b.shape[1] < 10**6:
        return a.astype(np.longdouble) @ b.astype(np.longdouble)
    return a @ b


@pytest.mark.parametrize(("transpose_a", "transpose_b"), list(itertools.product([False, True], repeat=2)))
@TYPES
def test_matmul(transpose_a, transpose_b, dtype, rng):
    for rows, inner, columns in shapes():
        a = rng.normal(size=(inner, rows) if transpose_a else (rows, inner)).astype(dtype)
        b = rng.normal(size=(columns, inner) if transpose_b else (inner, columns)).astype(dtype)
        got = dr.kernels.matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        left, right = a.T if transpose_a else a, b.T if transpose_b else b
        assert got.dtype == dtype
        near(got, left, right, f"{rows}x{inner}x{columns}", dtype)


@pytest.mark.parametrize("bias", [True, False])
@TYPES
def test_dense_forward_and_backward(bias, dtype, rng):
    for rows, inputs, outputs in shapes():
        x = rng.normal(size=(rows, inputs)).astype(dtype)
        w = rng.normal(size=(inputs, outputs)).astype(dtype)
        b = rng.normal(size=outputs).astype(dtype) if bias else None
        dy = rng.normal(size=(rows, outputs)).astype(dtype)
        what = f"{rows}x{inputs}x{outputs}"
        one = np.ones((rows, 1), dtype)
        wide_x, wide_w = (np.hstack([x, one]), np.vstack([w, b])) if bias else (x, w)
        near(dr.kernels.dense_forward(x, w, b), wide_x, wide_w, "forward " + what, dtype)
        dx, dw, db = dr.kernels.dense_backward(x, w, dy, use_bias=bias)
        near(dx, dy, w.T, "dx " + what, dtype)
        near(dw, x.T, dy, "dw " + what, dtype)
        if bias:
            near(db[None], one.T, dy, "db " + what, dtype)
        else:
            assert db is None
        assert dr.kernels.dense_backward(x, w, dy, input_gradient=False)[0] is None


@TYPES
def test_bits_do_not_depend_on_threads(dtype, rng):
    x, w, dy = (rng.normal(size=s).astype(dtype) for s in ((300, 400), (400, 350), (300, 350)))
    results = []
    try:
        for threads in (1, 2, 3, 4):
            dr.set_num_threads(threads)
            arrays = [dr.kernels.dense_forward(x, w), *dr.kernels.dense_backward(x, w, dy)]
            results.append(b"".join(a.tobytes() for a in arrays))
    finally:
        dr.set_num_threads(0)
    assert len(set(results)) == 1


@TYPES
def test_exact_on_small_whole_numbers(dtype, rng):
    """Sums of whole numbers have no rounding: every product and every bias must be there once."""
    for rows, inner, columns in shapes():
        a, b = rng.integers(-3, 4, (rows, inner)), rng.integers(-3, 4, (inner, columns))
        bias = rng.integers(-9, 10, columns)
        got = dr.kernels.dense_forward(a.astype(dtype), b.astype(dtype), bias.astype(dtype))
        assert np.array_equal(got, a @ b + bias), (rows, inner, columns)
        dy = rng.integers(-3, 4, (rows, columns))
        dx, dw, db = dr.kernels.dense_backward(a.astype(dtype), b.astype(dtype), dy.astype(dtype))
        assert np.array_equal(dx, dy @ b.T), (rows, inner, columns)
        assert np.array_equal(dw, a.T @ dy), (rows, inner, columns)
        assert np.array_equal(db, dy.sum(axis=0)), (rows, inner, columns)


@TYPES
def test_nan_and_infinity_stay_in_their_rows(dtype, rng):
    for rows, inner, columns in ((1, 1, 1), (5, 7, 9), (33, 65, 70), (130, 257, 40)):
        a = rng.normal(size=(rows, inner)).astype(dtype)
        b = rng.normal(size=(inner, columns)).astype(dtype)
        a[rows // 2, inner - 1] = np.nan
        bad = np.isnan(dr.kernels.matmul(a, b))
        assert bad[rows // 2].all()
        assert bad.sum() == columns
        a[rows // 2, inner - 1] = np.inf
        assert np.isinf(dr.kernels.matmul(a, b)[rows // 2]).all()


def test_empty_layout_and_out(rng):
    assert (dr.kernels.matmul(np.ones((3, 0)), np.ones((0, 4))) == 0).all()
    assert dr.kernels.matmul(np.ones((0, 3)), np.ones((3, 4))).shape == (0, 4)
    assert dr.kernels.matmul(np.ones((2, 3)), np.ones((3, 0))).shape == (2, 0)
    assert (dr.kernels.dense_forward(np.ones((2, 0)), np.ones((0, 3)), [1.0, 2, 3]) == [1, 2, 3]).all()
    dx, dw, db = dr.kernels.dense_backward(np.ones((0, 2)), np.ones((2, 3)), np.ones((0, 3)))
    assert dx.shape == (0, 2)
    assert (dw == 0).all()
    assert (db == 0).all()
    a, b = rng.normal(size=(9, 14)), rng.normal(size=(14, 6))
    y = dr.kernels.matmul(a, b)
    assert np.array_equal(dr.kernels.matmul(np.asfortranarray(a), b[::-1][::-1]), y)
    assert np.array_equal(dr.kernels.matmul(a.tolist(), b.tolist()), y)
    out = np.full_like(y, np.nan)  # whatever is there is overwritten
    assert dr.kernels.matmul(a, b, out=out) is out
    assert np.array_equal(out, y)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"matmul: shapes \(2, 3\) and \(4, 5\) do not fit together"):
        dr.kernels.matmul(np.ones((2, 3)), np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"dense_forward: shapes \(2, 3\) of x and \(4, 5\) of w do not fit"):
        dr.kernels.dense_forward(np.ones((2, 3)), np.ones((4, 5)))
    with pytest.raises(ValueError, match=r"dense_forward: b has shape \(4,\); allowed: \(5,\)"):
        dr.kernels.dense_forward(np.ones((2, 3)), np.ones((3, 5)), np.ones(4))
    with pytest.raises(ValueError, match=r"dense_backward: dy has shape \(2, 4\); allowed: \(2, 5\)"):
        dr.kernels.dense_backward(np.ones((2, 3)), np.ones((3, 5)), np.ones((2, 4)))
    with pytest.raises(ValueError, match=r"matmul: a has shape \(3,\); allowed: two dimensions"):
        dr.kernels.matmul(np.ones(3), np.ones((3, 5)))
    square = np.ones((3, 3))
    with pytest.raises(
        ValueError, match="matmul: out shares memory with a or b; allowed: an array of its own"
    ):
        dr.kernels.matmul(square, np.ones((3, 3)), out=square)
    assert (square == 1).all()
    with pytest.raises(TypeError, match=r"matmul: out has dtype float32; allowed: float64"):
        dr.kernels.matmul(np.ones((2, 3)), np.ones((3, 2)), out=np.ones((2, 2), np.float32))
