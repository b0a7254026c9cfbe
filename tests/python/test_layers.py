"""What single layers promise beyond value and gradient."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def core_of(layers, width, dtype="float64", seed=3):
    return dr.Sequential(layers, seed=seed, dtype=dtype).build(width)._network


@TYPES
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.6])
def test_alpha_dropout_keeps_mean_and_variance(rate, dtype, rng):
    x = rng.normal(size=(400, 1000)).astype(dtype)
    y = core_of([dr.AlphaDropout(rate)], 1000, dtype).forward(x, True)
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.01
    values, counts = np.unique(y, return_counts=True)
    assert abs(counts.max() / y.size - rate) < 0.005  # what was dropped lies at one number
    kept, limit = 1 - round(rate * 65536) / 65536, -1.7580993408473766
    dropped = kept * limit / np.sqrt(kept * (1 + limit**2 * (1 - kept)))
    assert values[counts.argmax()] == pytest.approx(dropped, rel=1e-6)


@TYPES
def test_gaussian_noise_is_normal(dtype):
    from scipy import stats

    noise = core_of([dr.GaussianNoise(2.0)], 300, dtype).forward(np.zeros((300, 300), dtype), True) / 2
    assert np.isfinite(noise).all()
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(noise[:, ::2].ravel(), noise[:, 1::2].ravel())[0, 1]) < 0.015
    assert abs(np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]) < 0.015


@pytest.mark.parametrize("layer", [dr.Dropout(0.5), dr.AlphaDropout(0.5), dr.GaussianNoise(1.0)], ids=repr)
def test_random_layers_pass_through_at_inference(layer, rng):
    net = core_of([layer], 40)
    x = rng.normal(size=(7, 40))
    np.testing.assert_array_equal(net.forward(x, False), x)
    first, second = net.forward(x, True), net.forward(x, True)
    assert (first != second).any()  # each pass draws anew
    np.testing.assert_array_equal(core_of([layer], 40).forward(x, True), first)
    assert (core_of([layer], 40, seed=4).forward(x, True) != first).any()


@pytest.mark.parametrize("layer", [dr.Dropout(0.0), dr.AlphaDropout(0.0), dr.GaussianNoise(0.0)], ids=repr)
def test_rates_of_zero_change_nothing(layer, rng):
    x = rng.normal(size=(7, 40))
    np.testing.assert_array_equal(core_of([layer], 40).forward(x, True), x)


@pytest.mark.parametrize("layer", [dr.Dropout(0.5), dr.AlphaDropout(0.5)], ids=repr)
def test_what_is_dropped_leaves_no_trace(layer):
    y = core_of([layer], 200).forward(np.full((2, 200), np.nan), True)
    assert 0.3 < np.isnan(y).mean() < 0.7


@TYPES
def test_rms_norm_of_extreme_rows(dtype, rng):
    largest, tiny = np.finfo(dtype).max, np.finfo(dtype).tiny
    signs = np.where(rng.uniform(size=33) < 0.5, -1, 1)
    for size in (largest, largest / 7, largest**0.5 * 3, 1.0, 1e-3):
        y = core_of([dr.RMSNorm(epsilon=1e-30)], 33, dtype).forward((signs * size).astype(dtype)[None], False)
        assert_near(y[0], signs, 1e-6 if dtype == "float32" else 1e-13, f"rms of {size}")
    net = core_of([dr.RMSNorm()], 33, dtype)
    assert not net.forward(np.zeros((1, 33), dtype), False).any()
    assert np.isfinite(net.forward(np.full((1, 33), tiny, dtype), False)).all()
    x = np.ones((2, 33), dtype)
    x[0, 5] = np.nan
    y = net.forward(x, False)
    assert np.isnan(y[0]).all()
    assert np.isfinite(y[1]).all()


TABLES = {"columns": [3, 1], "cardinalities": [5, 70_000], "dimension": 4}


def with_indices(rng, rows, dtype="float32"):
    x = rng.normal(size=(rows, 5)).astype(dtype)
    x[:, 3], x[:, 1] = rng.integers(0, 5, rows), rng.integers(0, 70_000, rows)
    return x


def test_embedding_is_a_lookup(rng):
    net = dr.Sequential([dr.Embedding(**TABLES)]).build(5)
    x, tables = with_indices(rng, 20), net.parameters()
    wanted = np.hstack(
        [
            x[:, [0, 2, 4]],
            tables["embedding_1.table_3"][x[:, 3].astype(int)],
            tables["embedding_1.table_1"][x[:, 1].astype(int)],
        ]
    )
    np.testing.assert_array_equal(net.predict(x), wanted)
    lengths = np.linalg.norm(tables["embedding_1.table_1"].astype(float), axis=1)
    assert abs((lengths**2).mean() - 1) < 0.02


def test_embedding_trains_the_rows_it_met_and_no_other(rng):
    net = dr.Sequential([dr.Embedding(**TABLES), dr.Dense(1)]).build(5)
    net.compile(dr.SGD(0.1), "mse")
    before = {k: v.copy() for k, v in net.parameters().items()}
    x = with_indices(rng, 30)
    net.fit(x, rng.normal(size=(30, 1)).astype(np.float32), epochs=1)
    for column in (3, 1):
        name = f"embedding_1.table_{column}"
        moved = np.flatnonzero((net.parameters()[name] != before[name]).any(axis=1))
        np.testing.assert_array_equal(moved, np.unique(x[:, column]).astype(int))


def test_embedding_trains_with_the_same_bytes_for_any_number_of_threads(rng):
    x, y = with_indices(rng, 700), rng.normal(size=(700, 1)).astype(np.float32)
    results = set()
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            net = dr.Sequential(
                [dr.Embedding(**TABLES), dr.PeriodicEmbedding(8, columns=[0, 2]), dr.RBF(40), dr.Dense(1)]
            )
            net.compile("adam", "mse")
            net.fit(x, y, epochs=2, batch_size=300)
            results.add(b"".join(a.tobytes() for a in net.parameters().values()))
    finally:
        dr.set_num_threads(None)
    assert len(results) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(5, "holds 5,"), (-1, "holds -1,"), (1.5, "holds 1.5,"), (1e9, "holds 1000000000,")]
)
def test_wrong_indices_are_refused_before_anything_changes(value, text, rng):
    net = dr.Sequential([dr.Embedding(**TABLES), dr.Dense(1)]).build(5)
    net.compile("sgd", "mse")
    x, y = with_indices(rng, 9), np.zeros((9, 1), np.float32)
    before = {k: v.copy() for k, v in net.parameters().items()}
    x[7, 3] = value
    message = f"column 3 of row 7 {text} which is no index; allowed: the whole numbers 0 to 4"
    for work in (
        lambda: net.fit(x, y),
        lambda: net.train_on_batch(x, y),
        lambda: net.evaluate(x, y),
        lambda: net.predict(x),
    ):
        with pytest.raises(ValueError, match=message):
            work()
    for name, array in net.parameters().items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([dr.Dense(3), dr.Embedding([0], [3])], "must be the first layer; it is number 2"),
        ([dr.Embedding([0, 1], [3])], "2 columns and 1 cardinalities were given"),
        ([dr.Embedding([4], [3])], "columns holds 4, but the input has 4 columns; allowed: 0 to 3"),
        ([dr.Embedding([1, 1], [3, 3])], "columns holds 1 twice"),
        ([dr.PeriodicEmbedding(columns=[9])], "columns holds 9, but the input has 4 columns"),
    ],
)
def test_impossible_columns(layers, text):
    with pytest.raises(ValueError, match=text):
        dr.Sequential(layers).build(4)


@pytest.mark.parametrize(
    "layer",
    [dr.Embedding(**TABLES), dr.PeriodicEmbedding(3, columns=(4, 0)), dr.RBF(7, width=0.5)],
    ids=lambda layer: type(layer).__name__,
)
def test_lists_and_arrays_come_back_from_a_file(layer, tmp_path, rng):
    net = dr.Sequential([layer, dr.Dense(2)], seed=5).build(5)
    net.save(tmp_path / "net.safetensors")
    twin = dr.load(tmp_path / "net.safetensors")
    assert twin.layers[0].config() | {"name": None} == layer.config() | {"name": None}
    x = with_indices(rng, 9)
    np.testing.assert_array_equal(twin.predict(x), net.predict(x))


@TYPES
def test_kernels_of_far_inputs_are_zero(dtype):
    net = core_of([dr.RBF(5, use_bias=False)], 3, dtype)
    x = np.array([[1e30, -1e30, 1e10], [np.finfo(dtype).max, 0, -np.finfo(dtype).max]], dtype)
    y = net.forward(x, True)
    assert np.isfinite(y).all()
    assert not y[0].any()
    assert np.isfinite(net.backward(np.ones_like(y))).all()
    assert all(np.isfinite(g).all() for g in net.gradients().values())
    assert np.isnan(net.forward(np.full((1, 3), np.nan, dtype), False)).all()


def test_frequencies_have_the_deviation_asked_for():
    net = core_of([dr.PeriodicEmbedding(400, deviation=3.0)], 20)
    assert abs(net.parameters()["periodic_embedding_1.frequency"].std() - 3) < 0.1


def test_periodic_embedding_of_large_inputs_in_float32(rng):
    """Whole turns are taken off before they are rounded away."""
    net = core_of([dr.PeriodicEmbedding(4, deviation=1.0)], 1, "float32")
    net.parameters()["periodic_embedding_1.frequency"][...] = [[0.5, 1, 2, 4]]
    x = (rng.integers(-(2**18), 2**18, (50, 1)) / 8).astype(np.float32)
    v = 2 * np.pi * (np.float64(x) * [0.5, 1, 2, 4] % 1)
    assert_near(net.forward(x, False), np.hstack([np.sin(v), np.cos(v)]), 1e-6, "large inputs", 1)
