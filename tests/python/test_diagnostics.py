"""Diagnostics: what they measure, what they find, and that the network stays as it was."""

import numpy as np
import pytest

import deltarule as dr
from deltarule import diagnostics
from deltarule._native import core

EVERYTHING = [
    dr.Standardize(),
    dr.Dense(12, "relu"),
    dr.BatchNorm(),
    dr.Dropout(0.3),
    dr.Dense(9),
    dr.LayerNorm(),
    dr.Activation("gelu"),
    dr.Dense(3),
]


def network(layers=EVERYTHING, dtype="float32", loss="sparse_softmax_cross_entropy", **compiled):
    net = dr.Sequential(layers, seed=4, dtype=dtype)
    net.compile(**({"optimizer": dr.Adam(0.01), "loss": loss} | compiled))
    return net


@pytest.fixture
def classes(rng):
    X = rng.normal(size=(150, 5)) * [1, 2, 3, 1, 1] + 1
    return X, (X[:, 0] > 1).astype(int) + (X[:, 1] > 2)


def everything_of(net):
    arrays = net.get_weights() | {"gradient " + k: v.copy() for k, v in net.gradients().items()}
    state = {} if net._trainer is None else {"state " + k: v.copy() for k, v in net._trainer.states().items()}
    counters = (net.step, net.epoch, net.learning_rate, net.config(), net.compiled, net.history, net._adapted)
    return {k: v.tobytes() for k, v in (arrays | state).items()}, counters


CALLS = {
    "gradient_check": lambda net, X, y: diagnostics.gradient_check(net, X[:8], y[:8], entries=2),
    "dead_units": lambda net, X, y: diagnostics.dead_units(net, X),
    "saturation": lambda net, X, y: diagnostics.saturation(net, X),
    "gradient_flow": diagnostics.gradient_flow,
    "lr_range_test": diagnostics.lr_range_test,
    "diagnose": lambda net, X, y: net.diagnose(X, y),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_network_is_unchanged(classes, name, dtype):
    X, y = classes
    net, other = network(dtype=dtype), network(dtype=dtype)
    for n in (net, other):
        n.fit(X, y, epochs=2, verbose=0)
    before = everything_of(net)
    CALLS[name](net, X, y)
    assert everything_of(net) == before
    net.fit(X, y, epochs=1, verbose=0)
    other.fit(X, y, epochs=1, verbose=0)
    for a, b in zip(net.get_weights().values(), other.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["gradient_check", "gradient_flow", "lr_range_test", "diagnose"])
def test_a_network_that_is_not_built_stays_so(classes, name):
    X, y = classes
    net = network()
    CALLS[name](net, X, y)
    assert not net.built
    assert net.step == 0
    assert not net._adapted


def test_layer_outputs_are_those_of_shorter_networks(classes):
    """Batches of 128 rows and a rest; layers that do nothing repeat the value before them."""
    X, y = classes
    layers = [*EVERYTHING[:4], dr.Dropout(0.0), *EVERYTHING[4:], dr.Activation("softmax")]
    net = network(layers, dtype="float64", loss="mse")
    net.fit(X, np.eye(3)[y], epochs=1, verbose=0)
    outputs = core.layer_outputs(net._network, X)
    assert len(outputs) == len(layers)
    weights = net.get_weights()
    names = [layer["name"] for layer in net._network.layers()]
    for k in range(1, len(layers) + 1):
        part = dr.Sequential(layers[:k], dtype="float64").build(5)
        part.set_weights({n: a for n, a in weights.items() if n.partition(".")[0] in names[:k]})
        np.testing.assert_array_equal(outputs[k - 1], part.predict(X), err_msg=names[k - 1])


@pytest.mark.parametrize("loss", ["sparse_softmax_cross_entropy", "mse", "sigmoid_cross_entropy"])
def test_gradients_are_confirmed(classes, rng, loss):
    X, y = classes
    target = y if loss.startswith("sparse") else np.eye(3)[y]
    net = network(loss=loss)
    net.fit(X, target, epochs=1, verbose=0)
    result = diagnostics.gradient_check(net, X[:12], target[:12], sample_weight=rng.uniform(0, 2, 12))
    assert result.ok, result
    assert result.worst <= 1e-6
    assert result.column("parameter") == list(net.parameters())
    assert "gradients are correct" in repr(result)
    assert "<table>" in result._repr_html_()


def test_a_wrong_gradient_is_seen(classes, monkeypatch):
    """Off by 1e-5 of its size in one array: that array is named, and no other."""
    from deltarule.diagnostics._twin import Twin

    right = Twin.gradients

    def wrong(self):
        gradients = right(self)
        gradients["dense_2.weight"] *= 1 + 1e-5
        return gradients

    monkeypatch.setattr(Twin, "gradients", wrong)
    X, y = classes
    result = diagnostics.gradient_check(network(), X[:8], y[:8])
    assert not result.ok
    assert [row["parameter"] for row in result if not row["ok"]] == ["dense_2.weight"]
    assert "NOT confirmed" in repr(result)


def test_kinks_are_counted_and_not_called_errors():
    net = network([dr.Dense(2, "relu"), dr.Dense(1)], loss="mse").build(1)
    net.set_weights(
        {
            "dense_1.weight": [[1.0, 1.0]],
            "dense_1.bias": [0.0, 0.5],
            "dense_2.weight": [[1.0], [1.0]],
            "dense_2.bias": [0.0],
        }
    )
    result = diagnostics.gradient_check(net, [[1e-6]], [[1.0]])
    assert result.ok is True
    by_name = {row["parameter"]: row for row in result}
    assert by_name["dense_1.bias"]["kinks"] == 1  # unit 0 stands at its kink, unit 1 does not
    assert by_name["dense_1.bias"]["compared"] == 1
    assert by_name["dense_2.bias"]["kinks"] == 0


def test_dead_units_are_those_that_never_fire(classes):
    X, _y = classes
    net = network([dr.Dense(6, "relu"), dr.Activation("tanh"), dr.Dense(3)]).build(5)
    net.parameters()["dense_1.bias"][[1, 4]] = -1000
    report = diagnostics.dead_units(net, X)
    z = X.astype(np.float32) @ net.parameters()["dense_1.weight"] + net.parameters()["dense_1.bias"]
    np.testing.assert_array_equal(report.units["dense_1"], (z <= 0).all(axis=0))
    assert report.units["dense_1"][[1, 4]].all()
    assert report.total == sum(flags.sum() for flags in report.units.values())
    assert f"{report.total} of 12 units are dead" in repr(report)


def test_saturated_units_are_those_on_the_flat_ends(classes):
    X, _y = classes
    net = network([dr.Dense(4, "sigmoid"), dr.Dense(4, "relu"), dr.Dense(3, "tanh")], loss="mse").build(5)
    net.parameters()["dense_1.weight"][...] *= 0.1
    net.parameters()["dense_1.bias"][...] = [0, 50, 0, -50]
    report = diagnostics.saturation(net, X)
    assert list(report.units) == ["dense_1", "dense_3"]  # ReLU is steep at one end
    np.testing.assert_array_equal(report.units["dense_1"], [False, True, False, True])
    y1 = dr.kernels.sigmoid(X @ net.parameters()["dense_1.weight"].astype(float) + [0, 50, 0, -50])
    strict = diagnostics.saturation(net, X, threshold=0.9, share=0.25).units["dense_1"]
    np.testing.assert_array_equal(strict, (y1 * (1 - y1) < 0.9 / 4).mean(axis=0) >= 0.25)


def test_flow_gives_the_figures_of_each_layer(classes):
    X, y = classes
    net = network([dr.Dense(7, "relu"), dr.Activation("tanh"), dr.Dense(3)], dtype="float64")
    net.build(5)
    table = diagnostics.gradient_flow(net, X, y)
    assert table.column("layer") == ["dense_1", "activation_1", "dense_2"]
    hidden = np.maximum(X @ net.parameters()["dense_1.weight"] + net.parameters()["dense_1.bias"], 0)
    first, second, last = table
    assert first["output mean"] == pytest.approx(hidden.mean(), rel=1e-12)
    assert first["output deviation"] == pytest.approx(hidden.std(), rel=1e-12)
    assert first["zeros"] == f"{(hidden == 0).mean():.0%}"
    assert second["gradient"] == second["weights"] == 0
    p = dr.kernels.softmax(
        np.tanh(hidden) @ net.parameters()["dense_2.weight"] + net.parameters()["dense_2.bias"]
    )
    delta = (p - np.eye(3)[y]) / len(X)
    gradient = np.r_[(np.tanh(hidden).T @ delta).ravel(), delta.sum(axis=0)]
    assert last["gradient"] == pytest.approx(np.sqrt(np.mean(gradient**2)), rel=1e-12)
    assert last["gradient / weights"] == pytest.approx(last["gradient"] / last["weights"])


def test_flow_over_training(classes):
    X, y = classes
    watch = diagnostics.GradientFlow(X[:32], y[:32], every=2)
    watched, alone = network(), network()
    watched.fit(X, y, epochs=5, callbacks=[watch], verbose=0)
    alone.fit(X, y, epochs=5, verbose=0)
    for a, b in zip(watched.get_weights().values(), alone.get_weights().values(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert watch.epochs == [0, 2, 4]
    assert watch.records["gradient"].keys() == {layer["name"] for layer in watched._network.layers()}
    assert len(watch.records["gradient"]["dense_1"]) == 3
    last = {row["layer"]: row["weights"] for row in diagnostics.gradient_flow(watched, X[:32], y[:32])}
    assert watch.records["weights"]["dense_2"][-1] == last["dense_2"]


def test_range_test_grows_the_rate_and_stops(classes):
    X, y = classes
    net = network(
        [dr.Standardize(), dr.Dense(16, "tanh"), dr.Dense(3)], optimizer=dr.SGD(1.0, schedule="cosine")
    )
    result = diagnostics.lr_range_test(net, X, y, lowest=1e-5, highest=1e4, steps=60)
    factors = result.rates[1:] / result.rates[:-1]
    np.testing.assert_allclose(factors, (1e9) ** (1 / 59), rtol=1e-10)
    assert len(result.losses) == len(result.rates) == len(result.smoothed) < 60
    assert result.diverged is not None
    assert result.rates[0] == pytest.approx(1e-5)
    assert result.rates[0] < result.suggestion < result.diverged
    assert f"suggestion: {result.suggestion:.3g}" in repr(result)
    short = diagnostics.lr_range_test(net, X, y, lowest=1e-5, highest=1e-3, steps=10, smoothing=0.0)
    assert len(short.rates) == 10
    assert short.diverged is None
    np.testing.assert_array_equal(short.losses, short.smoothed)
    first = np.sort(np.random.default_rng(net.seed).permutation(150)[:32])
    twin = net.copy()
    twin.adapt(X)
    assert short.losses[0] == twin.evaluate(X[first], y[first])["loss"]


def test_a_healthy_network_has_no_findings(rng):
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    net = network([dr.Dense(32, "gelu"), dr.Dense(2)])
    net.fit(X, y, epochs=3, verbose=0)
    diagnosis = net.diagnose(X, y)
    assert diagnosis.ok, diagnosis
    assert repr(diagnosis).startswith("Diagnosis: nothing wrong was found.")
    assert "Nothing wrong was found" in diagnosis._repr_html_()


def deep_sigmoid():
    layers = [*(dr.Dense(8, "sigmoid") for _ in range(8)), dr.Dense(2)]
    return network(layers)


def dying():
    net = network([dr.Dense(10, "relu"), dr.Dense(2)]).build(4)
    net.parameters()["dense_1.bias"][:5] = -100
    return net


def saturated():
    net = network([dr.Dense(10, "tanh"), dr.Dense(2)]).build(4)
    net.parameters()["dense_1.bias"][:3] = 7
    return net


def exploding():
    net = network([*(dr.Dense(8) for _ in range(8)), dr.Dense(2)]).build(4)
    for name, array in net.parameters().items():
        array[...] *= 12 if name.endswith("weight") else 1
    return net


@pytest.mark.filterwarnings("ignore:the loss .* takes logits:UserWarning")
@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (deep_sigmoid, "vanishing gradients", "in dense_1, but"),
        (dying, "dead units", "layer dense_1: 5 of 10 units are dead"),
        (saturated, "saturated units", "layer dense_1: 3 of 10 units are saturated"),
        (exploding, "exploding gradients", "in dense_1"),
        (
            lambda: network([dr.Dense(8, "gelu"), dr.Dense(2, "softmax")]),
            "logits",
            "has the activation 'softmax', and the loss 'sparse_softmax_cross_entropy' applies it again",
        ),
    ],
)
def test_what_is_wrong_is_named(rng, make, kind, text):
    X = rng.normal(size=(200, 4))
    y = (X[:, 0] > 0).astype(int)
    diagnosis = make().diagnose(X, y)
    assert diagnosis.kinds() == [kind], diagnosis
    assert text in diagnosis.findings[0].what
    assert f"1. {kind}: " in repr(diagnosis)
    assert f"<b>{kind}</b>" in diagnosis._repr_html_()


def test_unscaled_inputs_are_named(rng):
    X = rng.normal(size=(100, 4)) * [1, 1000, 1, 0] + [0, 0, 50, 3]
    y = rng.integers(0, 2, 100)
    layers = [dr.Dense(8, "gelu"), dr.Dense(2)]
    found = [f for f in network(layers).diagnose(X, y).findings if f.kind == "inputs"]
    assert found[0].what.startswith("2 input columns are not scaled (1, 2); column 1 has mean")
    assert found[1].what == "1 input column is constant (3)"
    assert "inputs" not in network([dr.Standardize(), *layers]).diagnose(X, y).kinds()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda n: diagnostics.gradient_check("net", 0, 0),
            TypeError,
            "gradient_check: net is 'net'; allowed: a deltarule",
        ),
        (lambda n: diagnostics.dead_units(n, [[0.0]]), RuntimeError, "dead_units: the network is not built"),
        (
            lambda n: diagnostics.gradient_check(n, [[0.0]], [0], step=0),
            ValueError,
            "gradient_check: step = 0.0 is not",
        ),
        (
            lambda n: diagnostics.lr_range_test(n, [[0.0]], [0], lowest=2, highest=1),
            ValueError,
            "lowest = 2.0 is not",
        ),
        (
            lambda n: diagnostics.saturation(n.build(1), [[0.0]], share=2),
            ValueError,
            "saturation: share = 2.0 is not",
        ),
        (
            lambda n: dr.Sequential([dr.Dense(1)]).diagnose([[0.0]], [0]),
            RuntimeError,
            "diagnose: the network is not comp",
        ),
        (lambda n: n.diagnose([[np.nan]], [0]), ValueError, "diagnose: X[0, 0] is nan"),
        (
            lambda n: diagnostics.GradientFlow([[0.0]], [0], every=0),
            ValueError,
            "GradientFlow: every = 0 is not allowed",
        ),
    ],
)
def test_bad_arguments(call, error, text):
    with pytest.raises(error) as caught:
        call(network())
    assert text in str(caught.value)
