"""Inference with weights rounded to bfloat16."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import deltarule as dr

sklearn_datasets = pytest.importorskip("sklearn.datasets")


@pytest.fixture(autouse=True)
def default_threads():
    yield
    dr.set_num_threads(None)


def rounded(x):
    """To nearest bfloat16, ties to even, as float64."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32).astype(np.uint64)
    kept = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return (kept << 16).astype(np.uint32).view(np.float32).astype(np.float64)


def network(*units, inputs=30, activation="relu", **settings):
    layers = [dr.Dense(n, activation) for n in units[:-1]] + [dr.Dense(units[-1])]
    return dr.Sequential(layers, **settings).build(inputs)


def rows(count, columns, seed=0):
    return np.random.default_rng(seed).standard_normal((count, columns)).astype(np.float32)


def test_a_number_is_rounded_by_up_to_one_in_256(rng):
    """Eight significant bits: half of the last one is 2^-8 of the smallest number with that exponent."""
    net = dr.Sequential([dr.Dense(2000, use_bias=False)]).build(1)
    weight = net.parameters()["dense_1.weight"]
    weight[:] = np.exp2(rng.uniform(-20, 20, 2000))
    weight[0, :2] = 1 + 2**-8, 1 - 2**-9
    error = np.abs(net.to_bfloat16().predict([[1.0]]) / weight.astype(np.float64) - 1)
    assert 0.99 * 2**-8 < error[0, 0] < 2**-8
    assert error.max() < 2**-8


@pytest.mark.parametrize("count", [1, 2, 7, 100, 300])
def test_weights_and_rows_are_rounded_and_nothing_else(count):
    net = network(33, 70, 20, inputs=31)
    x = rows(count, 31)
    expected = x.astype(np.float64)
    arrays = net.parameters()
    for i in (1, 2, 3):
        w, b = arrays[f"dense_{i}.weight"], arrays[f"dense_{i}.bias"]
        b[:] = np.linspace(-1, 1, b.size)
        # Rows of the layers behind the first are rounded after float32 sums: a tie may fall either way.
        expected = rounded(expected) @ rounded(w) + b
        if i < 3:
            expected = np.maximum(expected, 0)
        if i == 1:
            first = network(33, inputs=31)
            first.parameters()["dense_1.weight"][:] = w
            first.parameters()["dense_1.bias"][:] = b
            got = np.maximum(first.to_bfloat16().predict(x), 0)
            np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    got = net.to_bfloat16().predict(x)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-3 * np.abs(expected).max())
    assert np.abs(got - net.predict(x)).max() > 1e-4


def test_narrow_layers_are_exact():
    net = network(16, 10, inputs=8, activation="tanh")
    narrow = net.to_bfloat16()
    assert narrow.nbytes == 0
    np.testing.assert_array_equal(narrow.predict(rows(9, 8)), net.predict(rows(9, 8)))


def test_digits_are_recognised_as_well():
    images, y = sklearn_datasets.load_digits(return_X_y=True)
    x = (images / 16).astype(np.float32)
    net = dr.Sequential([dr.Dense(128, "relu"), dr.Dense(64, "relu"), dr.Dense(10, "softmax")])
    net.compile(dr.Adam(), "categorical_cross_entropy")
    net.fit(x[:1500], np.eye(10)[y[:1500]], epochs=20, batch_size=32, verbose=0)
    exact, half = net.predict(x[1500:]), net.to_bfloat16().predict(x[1500:])
    assert (exact.argmax(1) == half.argmax(1)).mean() >= 0.99
    assert np.abs(exact - half).max() < 0.05


def test_the_bits_depend_on_neither_threads_nor_rows():
    net = network(1200, 700, 30, inputs=500, activation="gelu").to_bfloat16()
    x = rows(600, 500)
    dr.set_num_threads(1)
    expected = net.predict(x)
    for threads in (1, 2, 3):
        dr.set_num_threads(threads)
        np.testing.assert_array_equal(net.predict(x), expected)
        for count in (1, 5, 130):
            np.testing.assert_array_equal(net.predict(x[:count]), expected[:count])
    with ThreadPoolExecutor(4) as pool:
        for got in pool.map(net.predict, [x] * 8):
            np.testing.assert_array_equal(got, expected)


def test_later_changes_do_not_reach_it():
    net = network(40, 20)
    x = rows(5, 30)
    half = net.to_bfloat16()
    before = half.predict(x)
    for array in net.parameters().values():
        array[:] = 0
    np.testing.assert_array_equal(half.predict(x), before)
    assert not net.to_bfloat16().predict(x).any()


def test_what_it_is_given_and_says():
    half = network(40, 20).to_bfloat16()
    assert (half.input_width, half.output_width, half.nbytes) == (30, 20, 2 * (30 * 64 + 40 * 32))
    assert repr(half) == f"<Bfloat16Network 30 -> 20, {half.nbytes} bytes of weights>"
    x = rows(5, 30)
    out = np.empty((5, 20), np.float32)
    assert half.predict(x, out=out) is out
    np.testing.assert_array_equal(half.predict(x.astype(np.float64)), out)
    np.testing.assert_array_equal(half.predict(x.tolist()), out)
    x[3, 7] = np.nan
    assert np.isnan(half.predict(x)).all(1).tolist() == [False, False, False, True, False]
    assert half.predict(x[:0]).shape == (0, 20)
    with pytest.raises(
        ValueError, match=r"Bfloat16Network.predict: X has shape \(5, 29\); allowed: \(N, 30\)"
    ):
        half.predict(rows(5, 29))
    with pytest.raises(TypeError, match=r"to_bfloat16: the network is float64; allowed: float32"):
        network(40, 20, dtype="float64").to_bfloat16()
    with pytest.raises(RuntimeError, match=r"to_bfloat16: the network is not built"):
        dr.Sequential([dr.Dense(20)]).to_bfloat16()


@pytest.mark.parametrize("duplicate", [lambda net: pickle.loads(pickle.dumps(net)), copy.deepcopy])
def test_pickles_and_copies_predict_the_same(duplicate):
    net = dr.Sequential([dr.Dense(40, "relu"), dr.BatchNorm(), dr.Dense(20)], seed=1)
    net.compile(dr.Adam(), "mse")
    net.fit(rows(64, 30), rows(64, 20, 1), epochs=2, verbose=0)
    given = net.to_bfloat16()
    twin = duplicate(given)
    assert isinstance(twin, dr.Bfloat16Network)
    assert twin.nbytes == given.nbytes
    np.testing.assert_array_equal(twin.predict(rows(9, 30, 2)), given.predict(rows(9, 30, 2)))
