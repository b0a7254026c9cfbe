"""Batch and layer normalisation against long double."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near
from reference.layers import normalise, normalise_backward

NORMS = pytest.mark.parametrize(("layer", "axis"), [("batch_norm", 0), ("layer_norm", 1)])
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SHAPES = [
    (1, 1),
    (1, 20),
    (2, 3),
    (7, 17),
    (20, 1),
    (64, 33),
    (300, 100),
    (1000, 5),
    (3, 1000),
    (60_000, 3),
    (3, 60_000),
]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}


def functions(layer):
    return getattr(dr.kernels, layer + "_forward"), getattr(dr.kernels, layer + "_backward")


def check(layer, axis, x, gain, shift, dy, epsilon, noise=0.0):
    """`noise` is what the rounding of a large mean to its type does to the normalised values."""
    forward, backward = functions(layer)
    tolerance = TOLERANCE[x.dtype.type] + noise
    y, mean, inverse = forward(x, gain, shift, epsilon=epsilon)
    hat, m, inv = normalise(x, axis, epsilon)
    what = f"{layer} {x.shape}"
    largest = np.abs(hat).max() + 1
    assert_near(mean, m, TOLERANCE[x.dtype.type], what + " mean", np.abs(x).max() + 1e-30)
    assert_near(inverse, inv, tolerance, what + " inverse deviation")
    assert_near(y, hat * gain + shift, tolerance, what, np.abs(gain) * largest + np.abs(shift))
    dx, dgain, dshift = backward(x, gain, mean, inverse, dy)
    wanted, wanted_gain, wanted_shift = normalise_backward(hat, inv, axis, gain, dy)
    scale = np.abs(dy).max() * np.abs(gain).max() * largest**2
    assert_near(dx, wanted, tolerance, what + " dx", inv.max() * scale)
    assert_near(dgain, wanted_gain, tolerance, what + " dgain", (np.abs(dy) * largest).sum(axis=0))
    assert_near(dshift, wanted_shift, tolerance, what + " dshift", np.abs(dy).sum(axis=0))


@NORMS
@TYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_is_the_oracles(layer, axis, dtype, shape, rng):
    x, dy = rng.normal(size=(2, *shape)).astype(dtype)
    gain, shift = rng.normal(size=(2, shape[1])).astype(dtype)
    check(layer, axis, x, gain, shift, dy, 1e-5)
    check(layer, axis, x * 1000, gain, shift, dy, 0.1)
    check(layer, axis, (3 + x / 10).astype(dtype), gain, shift, dy, 1e-3)


@NORMS
@TYPES
@pytest.mark.parametrize("mean", [1e2, -1e3, 1e4])
def test_large_mean_small_deviation(layer, axis, dtype, mean, rng):
    """The variance is summed about the mean. What is left is that the mean is kept in the array's type."""
    x = (mean + rng.normal(size=(200, 150))).astype(dtype)
    gain, shift = np.ones((2, 150), dtype)
    dy = rng.normal(size=x.shape).astype(dtype)
    check(layer, axis, x, gain, shift, dy, 1e-5, noise=np.finfo(dtype).eps * abs(mean))


@NORMS
@TYPES
def test_constant_columns_and_rows(layer, axis, dtype):
    for constant in (0, 1, -7.3, 1e8):
        x = np.full((9, 12), constant, dtype)
        y, mean, inverse = functions(layer)[0](x, np.full(12, 2, dtype), np.full(12, 3, dtype), epsilon=1e-5)
        assert (y == 3).all(), "a constant normalises to zero"
        assert (mean == x[0, 0]).all()
        assert_near(inverse, np.full(inverse.shape, 1e-5**-0.5), 1e-6, "inverse deviation")


@NORMS
def test_derivative_by_central_differences(layer, axis, rng):
    forward, backward = functions(layer)
    x, dy = rng.normal(size=(2, 5, 4))
    gain, shift = rng.normal(size=(2, 4))
    _, mean, inverse = forward(x, gain, shift)
    arrays = [x, gain, shift]
    for number, gradient in enumerate(backward(x, gain, mean, inverse, dy)):
        numeric = np.empty_like(gradient)
        for at in np.ndindex(gradient.shape):
            values = []
            for step in (1e-6, -1e-6):
                moved = [a.copy() for a in arrays]
                moved[number][at] += step
                values.append((forward(*moved)[0] * dy).sum())
            numeric[at] = (values[0] - values[1]) / 2e-6
        assert_near(gradient, numeric, 1e-7, f"{layer} argument {number}", np.abs(numeric).max())


@NORMS
def test_nan_layouts_and_errors(layer, axis, rng):
    forward, backward = functions(layer)
    x = rng.normal(size=(6, 5))
    gain, shift = rng.normal(size=(2, 5))
    y, mean, inverse = forward(x, gain, shift)
    assert np.array_equal(forward(np.asfortranarray(x), gain.tolist(), shift)[0], y)
    out = np.empty_like(x)
    assert forward(x, gain, shift, out=out)[0] is out
    assert np.array_equal(out, y)
    dy = rng.normal(size=x.shape)
    wanted = backward(x, gain, mean, inverse, dy)
    results = tuple(np.empty_like(v) for v in wanted)
    given = backward(x, gain, mean, inverse, dy, out=results)
    for got, own, expected in zip(given, results, wanted, strict=True):
        assert got is own
        assert np.array_equal(got, expected)
    assert np.array_equal(backward(x, gain, mean, inverse, dy, out=(dy, *results[1:]))[0], wanted[0])
    with pytest.raises(ValueError, match=rf"{layer}_backward: out\[1\] has shape \(4,\); allowed: \(5,\)"):
        backward(x, gain, mean, inverse, x, out=(results[0], results[1][:4], results[2]))
    broken = x.copy()
    broken[2, 3] = np.nan
    bad = np.isnan(forward(broken, gain, shift)[0])
    assert bad.sum() == x.shape[axis]
    assert (bad[:, 3] if axis == 0 else bad[2]).all()
    with pytest.raises(ValueError, match=rf"{layer}_forward: x has shape \(5,\); allowed: two dimensions"):
        forward(x[0], gain, shift)
    with pytest.raises(ValueError, match=rf"{layer}_forward: gain has shape \(4,\); allowed: \(5,\)"):
        forward(x, gain[:4], shift)
    with pytest.raises(
        ValueError, match=rf"{layer}_forward: epsilon = -1 is not allowed; allowed: a number >= 0"
    ):
        forward(x, gain, shift, epsilon=-1)
    with pytest.raises(ValueError, match=rf"{layer}_backward: dy has shape \(6, 4\); allowed: \(6, 5\)"):
        backward(x, gain, mean, inverse, x[:, :4])


@NORMS
def test_bits_do_not_depend_on_threads(layer, axis, rng):
    forward, backward = functions(layer)
    x, dy = rng.normal(size=(2, 1000, 70)).astype(np.float32)
    gain, shift = rng.normal(size=(2, 70)).astype(np.float32)
    found = []
    try:
        for count in (1, 3):
            dr.set_num_threads(count)
            y, mean, inverse = forward(x, gain, shift)
            results = (y, mean, inverse, *backward(x, gain, mean, inverse, dy))
            found.append(b"".join(v.tobytes() for v in results))
    finally:
        dr.set_num_threads(0)
    assert found[0] == found[1]


@NORMS
@TYPES
def test_the_mean_and_deviation_of_the_result(layer, axis, dtype, rng):
    """Without any oracle: normalised values have mean 0 and variance 1."""
    x = (rng.normal(size=(400, 300)) * 5 + 2).astype(dtype)
    y, _, _ = functions(layer)[0](x, np.ones(300), np.zeros(300), epsilon=1e-12)
    assert np.abs(y.astype(float).mean(axis=axis)).max() < TOLERANCE[dtype]
    assert np.abs(y.astype(float).var(axis=axis) - 1).max() < TOLERANCE[dtype]
