"""Every row operation of the catalogue against its oracle: 1e-5 relative in float32, 1e-13 in float64."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near, cases, rounded
from reference.row_ops import ORACLES
from reference.wide import WIDE, wide

ENTRIES = core.catalog()["row_op"]
CASES = cases(ENTRIES)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-13}
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def functions(entry):
    return getattr(dr.kernels, entry["name"]), getattr(dr.kernels, entry["name"] + "_backward")


def parts(entry):
    """2 for the gated ones, whose output has half the width of the input."""
    return core.row_op_inputs_per_output(ENTRIES.index(entry))


def coarse(x, dtype, entry):
    """A gate below the smallest normal number has fewer digits than its partner can make visible."""
    return abs(wide(x))[..., : x.shape[-1] // 2] * np.finfo(dtype).tiny if parts(entry) == 2 else WIDE(0)


def assert_value(got, expected, dtype, what, floor=0):
    """Near the oracle, and infinite only where the exact value is too large for the type."""
    size = np.maximum(abs(expected), floor)
    with np.errstate(over="ignore"):
        rounded_to_type = expected.astype(dtype)
    too_large = np.isinf(rounded_to_type)
    assert np.array_equal(got[too_large], rounded_to_type[too_large]), what
    assert_near(got[~too_large], expected[~too_large], TOLERANCE[dtype], what, size[~too_large])


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("spread", [1e-6, 1, 20, 1e4, 1e30])
@pytest.mark.parametrize("width", [1, 2, 10, 17, 1000])
@TYPES
def test_value_and_gradient(entry, chosen, spread, width, dtype, rng):
    forward, backward = functions(entry)
    oracle = ORACLES[entry["name"]]
    x = (rng.normal(size=(20, width * parts(entry))) * spread).astype(dtype)
    y = forward(x, **chosen)
    floor = coarse(x, dtype, entry)
    assert_value(y, oracle.forward(wide(x), **rounded(chosen, dtype)), dtype, f"{entry['name']}(x)", floor)
    dy = rng.normal(size=y.shape).astype(dtype)
    dx = backward(x, y, dy, **chosen)
    expected, size = oracle.backward(wide(x), wide(y), wide(dy), **rounded(chosen, dtype))
    if parts(entry) == 2:
        size = np.maximum(size, np.concatenate([floor * 0, abs(wide(dy)) * floor], axis=-1))
    assert_near(dx, expected, TOLERANCE[dtype], f"{entry['name']}_backward", size)


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_extremes_nan_and_infinity(entry, dtype):
    forward, _ = functions(entry)
    largest = np.finfo(dtype).max
    for row in ([largest, -largest, 0], [-largest] * 3, [largest] * 3, [0, -0.0, np.finfo(dtype).tiny]):
        x = np.array([row + row[: parts(entry) - 1]], dtype)  # four numbers where halves are wanted
        assert_value(forward(x), ORACLES[entry["name"]].forward(wide(x)), dtype, f"{entry['name']}({row})")
    x = np.zeros((3, 19 * parts(entry)), dtype)
    x[1, 18] = np.nan
    y = forward(x)
    assert np.isnan(y[1] if parts(entry) == 1 else y[1, 18]).all()
    assert np.isfinite(y[[0, 2]]).all()
    assert not np.isnan(forward(np.array([[-np.inf, 0, 1, 2]], dtype))).any()


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_bits_do_not_depend_on_the_other_rows(entry, dtype, rng):
    """However many rows there are, also beside equal, infinite and missing numbers."""
    forward, backward = functions(entry)
    for width in (1, 2, 3, 7, 10, 15, 16, 17, 33):
        columns = width * parts(entry)
        x = (10 * rng.normal(size=(53, columns))).astype(dtype)
        x[3] = x[3, 0]
        x[5], x[5, 0] = 0, -0.0
        x[7], x[7, 0] = -np.inf, 1
        x[9, columns // 2], x[11, -1] = np.inf, np.nan
        y = forward(x)
        dy = rng.normal(size=y.shape).astype(dtype)
        dx = backward(x, y, dy)
        for i in range(len(x)):
            alone = forward(x[i])
            assert np.array_equal(np.isnan(alone), np.isnan(y[i]))
            assert (
                np.where(np.isnan(alone), 0, alone).tobytes() == np.where(np.isnan(y[i]), 0, y[i]).tobytes()
            )
        for i in range(12, 52, 7):
            assert backward(x[i : i + 2], y[i : i + 2], dy[i : i + 2]).tobytes() == dx[i : i + 2].tobytes()


@pytest.mark.parametrize("entry", BY_NAME)
def test_layouts_shapes_and_out(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=(4, 5, 6))
    y = forward(x)
    assert y.shape == (4, 5, 6 // parts(entry))
    assert np.array_equal(forward(x.reshape(20, 6)).reshape(y.shape), y)
    assert np.array_equal(forward(np.asfortranarray(x)), y)
    assert np.array_equal(forward(x.tolist()), y)
    assert np.array_equal(forward(x[0, 0]), y[0, 0])
    for shape in ((0, 4), (3, 0), (0,)):
        empty = forward(np.zeros(shape))
        assert empty.shape == (*shape[:-1], shape[-1] // parts(entry))
        assert backward(np.zeros(shape), empty, empty).shape == shape
    out = np.empty_like(y)
    assert forward(x, out=out) is out
    assert np.array_equal(out, y)
    dy = rng.normal(size=y.shape)
    dx = backward(x, y, dy)
    assert dx.shape == x.shape
    if parts(entry) == 1:
        own = x.copy()
        forward(own, out=own)
        assert np.array_equal(own, y)
        assert backward(x, y, dy, out=dy) is dy  # dx may be dy
        assert np.array_equal(dy, dx)
        assert forward(np.float64(3)).shape == ()
    else:
        for shape in ((), (3,), (4, 5)):
            with pytest.raises(ValueError, match=r"allowed: an even last axis, which is split into halves"):
                forward(np.zeros(shape))
    with pytest.raises(ValueError, match="out has shape"):
        forward(x, out=np.empty(3))


@pytest.mark.parametrize("entry", BY_NAME)
def test_derivative_by_central_differences(entry, rng):
    forward, backward = functions(entry)
    x = rng.normal(size=(3, 7 * parts(entry)))
    y = forward(x)
    dy = rng.normal(size=y.shape)
    dx = backward(x, y, dy)
    numeric = np.empty_like(x)
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = 1e-5
        numeric[at] = ((forward(x + step) - forward(x - step)) * dy).sum() / 2e-5
    assert_near(dx, numeric, 1e-8, entry["name"], np.abs(numeric).max())


@pytest.mark.parametrize("name", ["glu", "swiglu", "geglu", "reglu"])
def test_gated_layers(name, rng):
    """They halve the width; what cannot be halved, or has the gate inside another layer, is refused."""
    net = dr.Sequential([dr.Dense(6), dr.Activation(name), dr.Dense(1)], seed=1).build(4)
    assert [layer.shape for layer in map(np.asarray, net.parameters().values())][2] == (3, 1)
    net.compile("sgd", loss="mse")
    x = rng.normal(size=(30, 4))
    history = net.fit(x, x[:, :1], epochs=20, verbose=0).history["loss"]
    assert history[-1] < history[0]
    with pytest.raises(
        ValueError, match=rf"'{name}' splits the last axis into halves; its width 5 is not allo"
    ):
        dr.Sequential([dr.Dense(5), dr.Activation(name)]).build(4)
    with pytest.raises(
        ValueError, match=rf"dense: activation = '{name}' halves the width and is not allowed"
    ):
        dr.Sequential([dr.Dense(6, name)]).build(4)
