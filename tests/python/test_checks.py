"""Conversions: what is used in place, what is copied, what is refused."""

import numpy as np
import pytest

from deltarule import _arrays, _check


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fitting_arrays_are_not_copied(dtype, rng):
    X = rng.normal(size=(5, 3)).astype(dtype)
    assert _check.features(X, "f", "X", dtype, 3) is X
    assert _arrays.real(X, "f", "x") is X


@pytest.mark.parametrize(
    "given",
    [
        np.arange(12).reshape(4, 3),
        np.arange(12, dtype=">f4").reshape(4, 3),
        np.asfortranarray(np.arange(12.0, dtype=np.float32).reshape(4, 3)),
        np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2] / 2,
        np.arange(12, dtype=np.float32).reshape(4, 3)[::-1, ::-1][::-1, ::-1].tolist(),
        np.arange(12, dtype=np.float16).reshape(4, 3),
        np.arange(12, dtype=np.longdouble).reshape(4, 3),
    ],
    ids=["int", "big-endian", "fortran", "strided", "list", "half", "long double"],
)
def test_anything_else_is_converted(given):
    X = _check.features(given, "f", "X", np.float32, 3)
    assert X.dtype == np.float32
    assert X.dtype.isnative
    assert X.flags.c_contiguous
    np.testing.assert_array_equal(X, np.arange(12).reshape(4, 3))


def test_the_fast_test_for_finite_numbers_is_exact():
    """Sums of finite numbers may overflow: that must not be taken for a NaN."""
    large = np.full((4, 3), np.finfo(np.float32).max)
    assert _check.features(large, "f", "X", np.float32, None) is large
    opposite = np.array([[np.inf, -np.inf]], np.float32)
    with pytest.raises(ValueError, match=r"f: X\[0, 0\] is inf; 2 of 2 values are not finite"):
        _check.features(opposite, "f", "X", np.float32, None)
    assert _check.features(opposite, "f", "X", np.float32, None, finite=False) is opposite


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 3, 16, 63, 64, 65, 1000, 300_000])
def test_every_place_is_looked_at(count, dtype):
    """Of any number of values: whole registers, the rest, and pieces of several threads."""
    X = np.random.default_rng(count).standard_normal((count, 1)).astype(dtype)
    _check.features(X, "f", "X", dtype, 1)
    for place in {0, 1, count // 3, count // 2, count - 2, count - 1} & set(range(count)):
        for bad in (np.nan, np.inf, -np.inf):
            wrong = X.copy()
            wrong[place] = bad
            with pytest.raises(ValueError, match=rf"X\[{place}, 0\] is {bad}; 1 of {count} values"):
                _check.features(wrong, "f", "X", dtype, 1)


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint64, np.int64])
def test_labels_become_int32(kind):
    given = np.array([0, 1, 1, 0], kind)
    for shape in ((4,), (4, 1)):
        labels = _check.labels(given.reshape(shape), "f", "y", 2)
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, [0, 1, 1, 0])


def test_labels_that_int32_cannot_hold():
    with pytest.raises(
        ValueError, match=r"f: y\[1\] = 4294967296 is not a class of the network; allowed: 0 to 1"
    ):
        _check.labels(np.array([0, 2**32]), "f", "y", 2)
    with pytest.raises(ValueError, match=r"f: y\[0\] = 18446744073709551615 is not a class"):
        _check.labels(np.array([2**64 - 1], np.uint64), "f", "y", 2)


def test_int32_labels_are_not_copied():
    labels = np.array([0, 1], np.int32)
    assert _check.labels(labels, "f", "y", 2) is labels


def test_targets_outside_the_range_of_a_loss(blobs, regressor):
    X, y = blobs
    net = regressor(outputs=1, loss="sigmoid_cross_entropy", metrics=[])
    text = r"y\[\d+, 0\] = -1 is no target of the loss 'sigmoid_cross_entropy'; allowed: at least 0 and at"
    with pytest.raises(ValueError, match=text):
        net.fit(X, np.where(y > 0, 1, -1))
    net.fit(X, y > 0)


def test_sparse_and_masked_arrays():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="f: X is a sparse matrix; allowed: dense arrays"):
        _check.features(sparse.eye(3).tocsr(), "f", "X", np.float32, None)
    masked = np.ma.masked_array(np.eye(3), mask=np.zeros((3, 3)))
    np.testing.assert_array_equal(_check.features(masked, "f", "X", np.float32, None), np.eye(3))
    masked[1, 1] = np.ma.masked
    with pytest.raises(ValueError, match="f: X has masked values; allowed: numbers everywhere"):
        _check.features(masked, "f", "X", np.float32, None)


def test_class_weights_need_classes(curve, regressor):
    X, Y = curve
    with pytest.raises(ValueError, match="class_weight is for classes, but the loss 'mse' compares values"):
        regressor().fit(X, Y, class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight is for classes"):
        regressor(outputs=1).fit(X, Y[:, 0], class_weight={0: 2.0})
    regressor(outputs=1).fit(X, Y[:, 0] > 0, class_weight={0: 2.0})


def test_class_weights_balanced():
    y = np.array([0, 0, 0, 2], np.int32)
    by_row = _check.class_weights("balanced", y, 3, "f", np.float64)
    soft = np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75], [0.0, 0.0, 0.0]])  # the last one is of no class
    by_share = _check.class_weights({0: 3.0, 2: 5.0}, soft, 3, "f", np.float64)
    np.testing.assert_allclose(by_share, [2, 0.25 + 0.75 * 5, 3], rtol=1e-15)
    counts = soft.sum(axis=0) + 1 / 3
    balanced = _check.class_weights("balanced", soft, 3, "f", np.float64)
    np.testing.assert_allclose(balanced[:2], (soft @ (1 / counts))[:2], rtol=1e-15)
    np.testing.assert_allclose(by_row, [4 / (2 * 3)] * 3 + [4 / 2])
    one_hot = np.eye(3)[y]
    np.testing.assert_array_equal(_check.class_weights("balanced", one_hot, 3, "f", np.float64), by_row)
    binary = (y == 2).astype(float)[:, None]
    np.testing.assert_array_equal(_check.class_weights({1: 3.0}, binary, 2, "f", np.float64), [1, 1, 1, 3])


@pytest.mark.parametrize(
    ("out", "kind", "text"),
    [
        ([0.0], TypeError, "f: out is a list; allowed: a NumPy array"),
        (np.zeros((2, 2), int), TypeError, "f: out has dtype int64; allowed: float32"),
        (np.zeros((2, 2)), TypeError, "f: out has dtype float64; allowed: float32"),
        (np.zeros((2, 3), np.float32), ValueError, "f: out has shape (2, 3); allowed: (2, 2)"),
        (np.zeros((2, 4), np.float32)[:, ::2], ValueError, "f: out must be C-contiguous and writable"),
    ],
)
def test_out_arrays(out, kind, text):
    with pytest.raises(kind) as caught:
        _arrays.output(out, (2, 2), np.float32, "f")
    assert text in str(caught.value)


def test_kernel_inputs(rng):
    assert _arrays.real([1, 2], "f", "x").dtype == np.float64
    assert _arrays.real(np.float16([1]), "f", "x").dtype == np.float32
    assert _arrays.real(np.zeros(2), "f", "x", np.float32).dtype == np.float32
    for bad in (np.zeros(2, complex), ["a"], [None]):
        with pytest.raises(TypeError, match=r"f: x has dtype .*; allowed: real numbers"):
            _arrays.real(bad, "f", "x")
    with pytest.raises(ValueError, match="f: x is not an array"):
        _arrays.real([[1], [1, 2]], "f", "x")
