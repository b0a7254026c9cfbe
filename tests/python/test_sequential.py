"""The network as a function: construction, inference, gradients, arrays, descriptions."""

import copy
import pickle

import numpy as np
import pytest

import deltarule as dr
from deltarule._from_catalog import CATALOG


def by_hand(net, X):
    """relu(X W + b) V + c in float64."""
    p = {k: v.astype(np.float64) for k, v in net.parameters().items()}
    hidden = np.maximum(X.astype(np.float64) @ p["dense_1.weight"] + p["dense_1.bias"], 0)
    return hidden @ p["dense_2.weight"] + p["dense_2.bias"]


def test_build_makes_named_parameters():
    net = dr.Sequential([dr.Dense(4, "relu", name="hidden"), dr.Dense(2)])
    assert not net.built
    assert net.build(3) is net
    assert net.built
    shapes = {name: array.shape for name, array in net.parameters().items()}
    second = next(n for n in shapes if n.endswith(".weight") and not n.startswith("hidden")).removesuffix(
        ".weight"
    )
    assert shapes == {
        "hidden.weight": (3, 4),
        "hidden.bias": (4,),
        f"{second}.weight": (4, 2),
        f"{second}.bias": (2,),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predict_is_the_network_written_out(dtype, rng):
    net = dr.Sequential([dr.Dense(5, "relu"), dr.Dense(3)], seed=4, dtype=dtype).build(7)
    X = rng.normal(size=(33, 7)).astype(dtype)
    y = net.predict(X)
    assert y.dtype == np.dtype(dtype)
    np.testing.assert_allclose(y, by_hand(net, X), rtol=0, atol=1e-5 if dtype == "float32" else 1e-14)


def test_parameters_are_views(rng):
    net = dr.Sequential([dr.Dense(2)]).build(3)
    X = rng.normal(size=(4, 3)).astype(np.float32)
    for array in net.parameters().values():
        array[...] = 0
    net.parameters()["dense_1.bias"][...] = [1, 2]
    np.testing.assert_array_equal(net.predict(X), np.tile(np.float32([1, 2]), (4, 1)))


def test_one_row_equals_the_row_of_a_batch(rng):
    net = dr.Sequential([dr.Dense(20, "tanh"), dr.Dense(4), dr.Activation("softmax")]).build(6)
    X = rng.normal(size=(50, 6)).astype(np.float32)
    batch = net.predict(X)
    np.testing.assert_array_equal(np.concatenate([net.predict(X[i : i + 1]) for i in range(50)]), batch)


def test_predict_takes_anything_array_like(rng):
    pandas = pytest.importorskip("pandas")
    net = dr.Sequential([dr.Dense(2, "relu")]).build(3)
    X = rng.normal(size=(8, 3)).astype(np.float32)
    expected = net.predict(X)
    wide = np.zeros((16, 6), np.float32)
    wide[::2, ::2] = X
    for same in (X.tolist(), X.astype(np.float64), np.asfortranarray(X), wide[::2, ::2], pandas.DataFrame(X)):
        np.testing.assert_array_equal(net.predict(same), expected)
    whole = rng.integers(-3, 3, (5, 3))
    np.testing.assert_array_equal(net.predict(whole), net.predict(whole.astype(np.float32)))
    np.testing.assert_array_equal(net.predict(whole > 0), net.predict((whole > 0).astype(np.float32)))


def test_predict_out_and_no_rows(rng):
    net = dr.Sequential([dr.Dense(2)]).build(3)
    X = rng.normal(size=(8, 3)).astype(np.float32)
    out = np.full((8, 2), np.nan, np.float32)
    assert net.predict(X, out=out) is out
    np.testing.assert_array_equal(out, net.predict(X))
    assert net.predict(X[:0]).shape == (0, 2)


def test_nan_stays_in_its_row(rng):
    net = dr.Sequential([dr.Dense(4, "relu"), dr.Dense(2)]).build(3)
    X = rng.normal(size=(6, 3)).astype(np.float32)
    expected = net.predict(X)
    X[2, 1] = np.nan
    y = net.predict(X)
    assert np.isnan(y[2]).all()
    np.testing.assert_array_equal(np.delete(y, 2, 0), np.delete(expected, 2, 0))


def test_forward_and_backward_agree_with_differences(rng):
    net = dr.Sequential([dr.Dense(4, "tanh"), dr.LayerNorm(), dr.Dense(2, "sigmoid")], dtype="float64").build(
        3
    )
    X, dY = rng.normal(size=(5, 3)), rng.normal(size=(5, 2))

    def value():
        return float((net.forward(X) * dY).sum())

    value()
    dX = net.backward(dY)
    gradients = {name: array.copy() for name, array in net.gradients().items()}
    h = 1e-6
    for array, gradient in [(X, dX), *((net.parameters()[n], g) for n, g in gradients.items())]:
        for i in np.ndindex(array.shape):
            kept = array[i]
            array[i] = kept + h
            up = value()
            array[i] = kept - h
            down = value()
            array[i] = kept
            assert (up - down) / (2 * h) == pytest.approx(gradient[i], rel=1e-6, abs=1e-8)


def test_forward_is_predict_and_training_drops(rng):
    net = dr.Sequential([dr.Dense(64, "relu"), dr.Dropout(0.5)], seed=1).build(4)
    X = rng.normal(size=(10, 4)).astype(np.float32)
    np.testing.assert_array_equal(net.forward(X, training=False), net.predict(X))
    dropped, kept = net.forward(X), net.predict(X)
    share = (dropped[kept > 0] == 0).mean()
    assert 0.3 < share < 0.7
    np.testing.assert_allclose(dropped[dropped > 0], 2 * kept[dropped > 0], rtol=1e-6)


def test_standardize_learns_from_adapt(rng):
    net = dr.Sequential([dr.Standardize()])
    X = (5 + 3 * rng.normal(size=(400, 4))).astype(np.float32)
    net.adapt(X)
    y = net.predict(X)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axis=0), 1, atol=1e-4)


def test_get_and_set_weights(rng):
    first = dr.Sequential([dr.Dense(4), dr.BatchNorm()], seed=1).build(3)
    second = dr.Sequential([dr.Dense(4), dr.BatchNorm()], seed=2).build(3)
    X = rng.normal(size=(6, 3)).astype(np.float32)
    assert not np.array_equal(first.predict(X), second.predict(X))
    kept = first.get_weights()
    second.set_weights(kept)
    np.testing.assert_array_equal(first.predict(X), second.predict(X))
    next(iter(first.parameters().values()))[...] = 0
    assert next(iter(kept.values())).any()  # a copy


def test_seed_decides_weights():
    def weights(seed):
        return dr.Sequential([dr.Dense(8)], seed=seed).build(5).parameters()["dense_1.weight"].copy()

    np.testing.assert_array_equal(weights(3), weights(3))
    assert not np.array_equal(weights(3), weights(4))
    drawn = dr.Sequential([dr.Dense(8)], seed=None)
    np.testing.assert_array_equal(drawn.build(5).parameters()["dense_1.weight"], weights(drawn.seed))


def test_config_round_trip(rng):
    net = dr.Sequential(
        [
            dr.Standardize(),
            dr.Dense(8, dr.activations.LeakyRelu(alpha=0.2), initializer="he_uniform", name="first"),
            dr.BatchNorm(momentum=0.8),
            dr.Dropout(0.1),
            dr.Dense(2, use_bias=False),
            dr.Activation("softmax"),
        ],
        seed=9,
        dtype="float64",
        name="mixed",
    )
    twin = dr.Sequential.from_config(net.config())
    assert twin.config() == net.config()
    assert twin.layers == net.layers
    X = rng.normal(size=(4, 3))
    np.testing.assert_array_equal(net.build(3).predict(X), twin.build(3).predict(X))
    assert (
        eval(repr(net), {"Sequential": dr.Sequential, **vars(dr), **vars(dr.activations)}).config()
        == net.config()
    )


def test_summary_counts_parameters():
    net = dr.Sequential([dr.Dense(10, "relu"), dr.Dense(2)], name="small")
    assert "not built" in net.summary()
    net.build(3)
    text = net.summary()
    assert "small: 3 inputs, float32, seed 0" in text
    assert "62 parameters" in text
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("dense_")] == ["40", "22"]
    assert "<table>" in net._repr_html_()
    assert net._repr_html_().count("<tr>") == 3


def test_copy_is_independent(blobs, classifier, weight_bytes):
    X, y = blobs
    net = classifier()
    net.fit(X, y, epochs=2)
    twin = net.copy()
    before = weight_bytes(net)
    assert weight_bytes(twin) == before
    twin.fit(X, y, epochs=2)
    assert weight_bytes(net) == before
    net.fit(X, y, epochs=2)  # the optimizer state was copied as well
    assert weight_bytes(net) == weight_bytes(twin)
    assert (net.step, net.epoch) == (twin.step, twin.epoch) == (32, 4)


def test_copies_have_their_own_metadata():
    net = dr.Sequential([dr.Dense(1)])
    net.metadata = {"tags": ["first"]}
    net.compile("sgd", loss="mse")
    results = dr.fit_many(np.ones((4, 2)), np.ones(4), [{"model": net}, {"build": lambda: net}])
    twins = [net.copy(), copy.copy(net), copy.deepcopy(net), *(r.model for r in results)]
    for twin in twins:
        twin.metadata["tags"].append("second")
        assert twin.metadata == {"tags": ["first", "second"]}
    assert net.metadata == {"tags": ["first"]}


def test_pickle_goes_on_where_it_was(blobs, classifier, weight_bytes):
    X, y = blobs
    net = classifier(optimizer=dr.SGD(0.05, momentum=0.9, schedule=dr.Cosine(100)))
    net.fit(X, y, epochs=2)
    twin = pickle.loads(pickle.dumps(net))
    net.fit(X, y, epochs=2)
    twin.fit(X, y, epochs=2)
    assert weight_bytes(net) == weight_bytes(twin)
    assert twin.epoch == net.epoch
    net.learning_rate = 0.5
    assert net.learning_rate < 0.5  # where the schedule has got to
    assert pickle.loads(pickle.dumps(net)).learning_rate == net.copy().learning_rate == net.learning_rate
    unbuilt = pickle.loads(pickle.dumps(dr.Sequential([dr.Dense(2)])))
    assert not unbuilt.built


def test_probabilities_and_classes(blobs, classifier, regressor):
    X, y = blobs
    net = classifier()
    net.fit(X, y, epochs=20)
    probability = net.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(net.predict_classes(X), net.predict(X).argmax(axis=1))
    assert (net.predict_classes(X) == y).mean() == pytest.approx(net.evaluate(X, y)["accuracy"])
    binary = regressor(outputs=1, loss="sigmoid_cross_entropy", metrics=["accuracy"])
    goal = (y > 0).astype(int)
    binary.fit(X, goal, epochs=20)
    logits = binary.predict(X)
    np.testing.assert_allclose(binary.predict_proba(X), 1 / (1 + np.exp(-logits.astype(float))), rtol=1e-5)
    assert (binary.predict_classes(X) == goal).mean() == pytest.approx(binary.evaluate(X, goal)["accuracy"])


MARGINS = {
    "hinge", "squared_hinge", "cubed_hinge", "half_margin_hinge", "multiclass_hinge", "perceptron",
    "smooth_zero_one",
}  # fmt: skip


@pytest.mark.parametrize("entry", [e for e in CATALOG["loss"] if e["from_logits"]], ids=lambda e: e["name"])
def test_probabilities_are_those_of_the_loss(entry, rng):
    """A margin is no logit: nothing says that its sigmoid is a probability."""
    X = rng.normal(size=(20, 4)).astype(np.float32)
    chosen = any(p["name"] == "probability" for p in entry["parameters"])
    for settings in [{}, {"probability": "sigmoid"}] if chosen else [{}]:
        net = dr.Sequential([dr.Dense(3)]).build(4)
        net.compile("sgd", loss=dr.losses.Loss.find(entry["name"])(**settings))
        np.testing.assert_array_equal(net.predict_classes(X), net.predict(X).argmax(axis=1))
        if entry["name"] in MARGINS:
            with pytest.raises(ValueError, match=f"the loss '{entry['name']}' is of margins, ") as caught:
                net.predict_proba(X)
            named = str(caught.value).rpartition(": ")[2].split(", ")
            assert {"sigmoid_cross_entropy", "softmax_cross_entropy"} <= set(named)
            assert not MARGINS.intersection(named)
            continue
        p = net.predict_proba(X)
        assert ((p > 0) & (p < 1)).all()
        independent = settings or entry["target"] == "values"
        assert independent != np.allclose(p.sum(axis=1), 1, atol=1e-5)


def test_the_class_of_a_margin():
    net = dr.Sequential([dr.Dense(1, use_bias=False, initializer="ones")]).build(1)
    sides = {"hinge": [0, 0, 1, 1], "mse": [0, 0, 0, 1], "sigmoid_cross_entropy": [0, 0, 1, 1]}
    for loss, classes in sides.items():
        net.compile("sgd", loss=loss)
        np.testing.assert_array_equal(net.predict_classes([[-1], [0], [1e-9], [0.6]]), classes)


def test_explain_plan(blobs, classifier):
    net = classifier()
    net.build(6)
    text = net.explain_plan(32)
    assert "dense_1" in text
    assert "byte" in text.lower() or "KB" in text or "KiB" in text
