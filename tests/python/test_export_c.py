"""What C files compute against the library: every activation and layer, on other machines, too."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._from_catalog import CATALOG
from reference.c_networks import layer_cases, prepared
from reference.c_programs import NATIVE, OTHERS, outputs, targets
from reference.checking import settings, ulp_errors

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
GCC = NATIVE[0]

# Units in the last place by which an activation in C may differ from the library's, wherever the exponents in
# it are within REACH. The library promises up to 4 itself, the C library about as much.
ULP = 8
REACH = {"float32": 80.0, "float64": 700.0}
ROW_ULP = 16  # of rows of 12 numbers, where sums run in another order


def single(name, chosen, dtype, width=1):
    chosen = {k: v for k, v in chosen.items() if k != "straight_through"}
    function = dr.activations.ActivationFunction.find(name)(**chosen)
    return dr.Sequential([dr.Activation(function)], dtype=dtype).build(width)


def activation_cases(dtype):
    """(label, network, inputs) for every activation and setting."""
    rng = np.random.default_rng(5)
    for entry in CATALOG["activation"]:
        for chosen in settings(entry):
            if chosen.get("straight_through"):
                continue  # the same values
            factor = max([1.0, *(abs(v) for v in chosen.values() if isinstance(v, float))])
            if entry["name"] == "celu":
                factor = max(1.0, 1 / chosen["alpha"])
            reach = min(REACH[dtype] / factor, 60.0)
            if entry["name"] == "gelu":  # e^(-x^2 / 2), or about twice that
                reach = float(np.sqrt((2.0 if chosen["approximate"] == "none" else 1.0) * REACH[dtype]))
                if chosen["approximate"] == "tanh":
                    reach = np.cbrt(REACH[dtype] / 0.0714) * 0.8
            x = np.concatenate(
                [
                    np.linspace(-reach, reach, 1500),
                    rng.normal(size=400),
                    10.0 ** rng.uniform(-9, 0, 200) * rng.choice([-1, 1], 200),
                ]
            )
            edge = [0.0, -0.0, np.nan, 0.5, -0.5, 3, -3, 6, 1, -1]
            x = np.concatenate([np.where(np.abs(x) > reach, reach, x), edge]).astype(dtype)[:, None]
            yield f"{entry['name']} {chosen}", single(entry["name"], chosen, dtype), x


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_activations(target, dtype, tmp_path):
    cases = list(activation_cases(dtype))
    results = outputs(tmp_path, target, [(net, x) for _, net, x in cases])
    wrong = []
    for (label, net, x), y in zip(cases, results, strict=True):
        expected = net.predict(x)
        errors = ulp_errors(y, expected.astype(np.longdouble))
        worst = int(errors.argmax())
        if errors[worst] > ULP:
            wrong.append(f"{label}: {errors[worst, 0]:.3g} ulp at {x[worst, 0]!r}: {y[worst, 0]!r}, library "
                         f"{expected[worst, 0]!r}")  # fmt: skip
    assert not wrong, "\n".join(wrong)


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_infinite_and_huge_numbers(target, dtype, tmp_path):
    """Beyond the reach of exponents, where digits are few: the limits are the library's."""
    most = np.finfo(dtype).max / 4
    x = np.array([np.inf, -np.inf, most, -most, 1e10, -1e10], dtype)[:, None]
    names = [e["name"] for e in CATALOG["activation"] if e["name"] != "sin"]
    cases = [(single(name, {}, dtype), x) for name in names]
    for name, (net, _), y in zip(names, cases, outputs(tmp_path, target, cases), strict=True):
        expected = net.predict(x)
        assert (ulp_errors(y, expected.astype(np.longdouble)) <= ULP).all(), (name, y[:, 0], expected[:, 0])


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE[:2]))
def test_row_operations(target, dtype, tmp_path, rng):
    x = np.concatenate([rng.normal(size=(200, 12)), 20 * rng.normal(size=(200, 12))])
    x = np.clip(x, -12, 12).astype(dtype)  # gates whose exponents are within REACH
    x[5, 3] = np.nan
    names = [e["name"] for e in CATALOG["row_op"]]
    cases = [(dr.Sequential([dr.Activation(name)], dtype=dtype).build(12), x) for name in names]
    for name, (net, _), y in zip(names, cases, outputs(tmp_path, target, cases), strict=True):
        expected = net.predict(x)
        scale = np.abs(x).max(axis=1, keepdims=True) if name == "log_softmax" else None
        errors = ulp_errors(y, expected.astype(np.longdouble), scale)
        assert errors.max() <= ROW_ULP, (name, errors.max())


def test_every_layer_has_a_case():
    assert set(layer_cases()) == {e["name"] for e in CATALOG["layer"]}


# Sums run in the same order as in the library, or one as good; what is left are roundings, in units in the
# last place of the largest output of a row (of a tenth of all rows' largest, where little is left of it).
LAYER_ULP = 24


def layer_errors(y, expected):
    largest = np.abs(expected).max(axis=1, keepdims=True)
    scale = np.broadcast_to(np.maximum(largest, 0.1 * largest.max()), expected.shape)
    return ulp_errors(y, expected.astype(np.longdouble), scale)


@TYPES
@pytest.mark.parametrize("target", targets(NATIVE))
def test_layers(target, dtype, tmp_path, rng):
    cases = [(name, *prepared(layers, dtype, rng)) for name, all_ in layer_cases().items() for layers in all_]
    results = outputs(tmp_path, target, [(net, x) for _, net, x in cases])
    for (name, net, x), y in zip(cases, results, strict=True):
        errors = layer_errors(y, net.predict(x))
        assert errors.max() <= LAYER_ULP, (name, float(errors.max()))
        assert y.any(), name


@pytest.mark.parametrize("target", targets(OTHERS))
def test_other_machines(target, tmp_path, rng):
    """A 32-bit machine and ARM: all layers and activations at once, in both types."""
    for dtype in ("float32", "float64"):
        cases = [prepared(layers, dtype, rng) for all_ in layer_cases().values() for layers in all_]
        for (net, x), y in zip(cases, outputs(tmp_path, target, cases), strict=True):
            assert layer_errors(y, net.predict(x)).max() <= LAYER_ULP
        functions = [(net, x) for _, net, x in activation_cases(dtype)]
        for (net, x), y in zip(functions, outputs(tmp_path, target, functions), strict=True):
            assert ulp_errors(y, net.predict(x).astype(np.longdouble)).max() <= ULP


def test_nan_stays_and_a_wrong_index_becomes_nan(tmp_path, rng):
    net, x = prepared([dr.Embedding((1,), (7,), dimension=3), dr.MaxPool2D(1)][:1], "float32", rng)
    x = x[:5].copy()
    x[:, 1] = [3, 7, -1, 2.5, np.nan]
    image, rows = prepared([dr.Reshape((5, 4, 2)), dr.MaxPool2D((2, 2))], "float32", rng)
    rows[0, 7] = np.nan
    table, pooled = outputs(tmp_path, GCC, [(net, x), (image, rows)])
    assert np.isnan(table[1:, -3:]).all()
    assert not np.isnan(table[0]).any()
    np.testing.assert_array_equal(np.isnan(pooled), np.isnan(image.predict(rows)))
    assert np.isnan(pooled[0]).sum() == 1
