"""Every row operation of the catalogue against its oracle: 1e-5 relative in float32, 1e-13 in float64."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near, cases, rounded
from reference.row_ops import ORACLES
from reference.wide import wide

ENTRIES = core.catalog()["row_op"]
CASES = cases(ENTRIES)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def functions(entry):
    return getattr(dr.kernels, entry["name"]), getattr(dr.kernels, entry["name"] + "_backward")


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("spread", [1e-6, 1, 20, 1e4, 1e30])
@pytest.mark.parametrize("width", [1, 2, 10, 17, 1000])
@TYPES
def test_value_and_gradient(entry, chosen, spread, width, dtype, rng):
    forward, backward = functions(entry)
    oracle = ORACLES[entry["name"]]
    x = (rng.normal(size=(20, width)) * spread).astype(dtype)
    y = forward(x, **chosen)
    assert_near(y, oracle.forward(wide(x), **rounded(chosen, dtype)), TOLERANCE[dtype], f"{entry['name']}(x)")
    dy = rng.normal(size=x.shape).astype(dtype)
    dx = backward(x, y, dy, **chosen)
    expected, size = oracle.backward(wide(x), wide(y), wide(dy), **rounded(chosen, dtype))
    assert_near(dx, expected, TOLERANCE[dtype], f"{entry['name']}_backward", size)


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_extremes_nan_and_infinity(entry, dtype):
    forward, _ = functions(entry)
    largest = np.finfo(dtype).max
    for row in ([largest, -largest, 0], [-largest] * 3, [largest] * 3, [0, -0.0, np.finfo(dtype).tiny]):
        x = np.array([row], dtype)
        y = forward(x)
        with np.errstate(over="ignore"):
            assert_near(
                y, ORACLES[entry["name"]].forward(wide(x)), TOLERANCE[dtype], f"{entry['name']}({row})"
            )
    x = np.zeros((3, 19), dtype)
    x[1, 18] = np.nan
    y = forward(x)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()
    assert np.isfinite(forward(np.array([[-np.inf, 0, 1]], dtype))).all()


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_bits_do_not_depend_on_the_other_rows(entry, dtype, rng):
    forward, backward = functions(entry)
    for width in (1, 3, 16, 33):
        x, dy = rng.normal(size=(2, 40, width)).astype(dtype)
        y = forward(x)
        dx = backward(x, y, dy)
        for i in range(0, 40, 7):
            assert forward(x[i]).tobytes() == y[i].tobytes()
            assert backward(x[i : i + 2], y[i : i + 2], dy[i : i + 2]).tobytes() == dx[i : i + 2].tobytes()


@pytest.mark.parametrize("entry", BY_NAME)
def test_layouts_shapes_and_out(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=(4, 5, 6))
    y = forward(x)
    assert np.array_equal(forward(x.reshape(20, 6)).reshape(x.shape), y)
    assert np.array_equal(forward(np.asfortranarray(x)), y)
    assert np.array_equal(forward(x.tolist()), y)
    assert np.array_equal(forward(x[0, 0]), y[0, 0])
    assert forward(np.float64(3)).shape == ()
    for shape in ((0, 4), (3, 0), (0,)):
        assert forward(np.zeros(shape)).shape == shape
        assert backward(*np.zeros((3, *shape))).shape == shape
    out = np.empty_like(x)
    assert forward(x, out=out) is out
    assert np.array_equal(out, y)
    own = x.copy()
    forward(own, out=own)
    assert np.array_equal(own, y)
    dy = rng.normal(size=x.shape)
    dx = backward(x, y, dy)
    assert backward(x, y, dy, out=dy) is dy  # dx may be dy
    assert np.array_equal(dy, dx)
    with pytest.raises(ValueError, match="out has shape"):
        forward(x, out=np.empty(3))


@pytest.mark.parametrize("entry", BY_NAME)
def test_derivative_by_central_differences(entry, rng):
    forward, backward = functions(entry)
    x, dy = rng.normal(size=(2, 3, 7))
    y = forward(x)
    dx = backward(x, y, dy)
    numeric = np.empty_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = 1e-5
        numeric[at] = ((forward(x + step) - forward(x - step)) * dy).sum() / 2e-5
    assert_near(dx, numeric, 1e-8, entry["name"], np.abs(numeric).max())
