"""What the first data teach the initial weights (lsuv), and what "auto" makes of the activation after it."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core


def before_activations(net, X):
    """Values before the activation of every dense layer of a plain stack, in NumPy."""
    made = []
    for layer, name in zip(net.config()["layers"], (e["name"] for e in net._network.layers()), strict=True):
        if layer["type"] == "standardize":
            X = (X - net.states()[f"{name}.mean"]) / net.states()[f"{name}.deviation"]
            continue
        X = X @ net.parameters()[f"{name}.weight"] + net.parameters()[f"{name}.bias"]
        made.append(X)
        X = np.tanh(X) if "tanh" in str(layer["activation"]) else np.maximum(X, 0)
    return made


def stack(*activations, dtype="float64", seed=3, **settings):
    initializer = {"name": "lsuv", **settings}
    return dr.Sequential(
        [dr.Standardize(), *(dr.Dense(24, f, initializer=initializer) for f in activations)],
        seed=seed,
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_layer_begins_with_unit_variance(rng, dtype):
    X = (rng.normal(5, 3, size=(400, 30)) @ rng.normal(size=(30, 30))).astype(dtype)
    net = stack("relu", "tanh", "relu", "relu", tolerance=1e-6, dtype=dtype).build(30)
    plain = [z.var() for z in before_activations(net, X)]
    assert max(abs(np.array(plain) - 1)) > 0.1, "nothing to do"
    net.adapt(X)
    assert [z.var() for z in before_activations(net, X.astype("float64"))] == pytest.approx([1] * 4, abs=1e-5)


def test_only_the_scale_changes(rng):
    X = rng.normal(size=(100, 30))
    net = stack("relu", "tanh", tolerance=1e-9)
    net.adapt(X)
    for number, name in enumerate(("dense_1", "dense_2")):
        rows = 30 if number == 0 else 24
        drawn = core.initialize("lsuv", {}, rows, 24, 3, 2 + 2 * number, rows * 24).reshape(rows, 24)
        ratio = net.parameters()[f"{name}.weight"] / drawn
        assert ratio == pytest.approx(np.full_like(ratio, ratio[0, 0]), rel=1e-12)


def test_the_tolerance_leaves_what_is_near(rng):
    X = rng.normal(size=(300, 24))
    for tolerance, scaled in ((0.5, False), (1e-4, True)):
        net = dr.Sequential([dr.Dense(24, initializer={"name": "lsuv", "tolerance": tolerance})]).build(24)
        before = net.get_weights()["dense_1.weight"]
        assert 1e-3 < abs((X @ before).var() - 1) < 0.5
        net.adapt(X)
        assert np.array_equal(before, net.parameters()["dense_1.weight"]) != scaled


def test_a_bias_takes_several_passes(rng):
    """The bias adds variance that scaling the weights does not touch."""
    X = rng.normal(size=(300, 24)) * 7
    spread = {"name": "uniform", "limit": 1.0}
    layer = {"name": "lsuv", "tolerance": 1e-3}
    once, often = (
        dr.Sequential([dr.Dense(24, initializer={**layer, "max_passes": n}, bias_initializer=spread)])
        for n in (1, 50)
    )
    for net in (once, often):
        net.adapt(X)
    assert abs(before_activations(once, X)[0].var() - 1) > 0.05
    assert before_activations(often, X)[0].var() == pytest.approx(1, abs=1e-3)


def test_fit_scales_once_and_never_what_has_learned(rng):
    X, y = rng.normal(size=(64, 10)) * 4, rng.normal(size=(64, 1))
    net = dr.Sequential([dr.Dense(8, "relu", initializer="lsuv"), dr.Dense(1)])
    net.compile("sgd", "mse")
    net.train_on_batch(X, y)
    learned = net.get_weights()
    net.adapt(X)
    assert all(np.array_equal(learned[name], value) for name, value in net.get_weights().items())
    fresh = dr.Sequential([dr.Dense(8, "relu", initializer="lsuv"), dr.Dense(1)])
    fresh.compile(dr.SGD(1e-9), "mse")
    fresh.fit(X, y, epochs=1, verbose=0)
    assert before_activations(fresh, X)[0].var() == pytest.approx(1, abs=1e-4)
    fresh.adapt(X * 100)
    assert before_activations(fresh, X)[0].var() == pytest.approx(1, abs=1e-4)


def test_data_of_which_nothing_comes_out_change_nothing():
    net = dr.Sequential([dr.Dense(4, initializer="lsuv")]).build(3)
    before = net.get_weights()
    net.adapt(np.zeros((5, 3)))
    assert np.array_equal(before["dense_1.weight"], net.parameters()["dense_1.weight"])


def test_layers_inside_layers(rng):
    X = rng.normal(size=(200, 36)) * 3
    block = [dr.Dense(36, "tanh", initializer={"name": "lsuv", "tolerance": 1e-6})]
    net = dr.Sequential(
        [
            dr.Reshape((6, 6, 1)),
            dr.Conv2D(
                4, 3, padding="same", activation="relu", initializer={"name": "lsuv", "tolerance": 1e-6}
            ),
            dr.Dense(36),
            dr.Residual([dr.Residual(block), dr.WeightNorm(dr.Dense(36, initializer="lsuv"))]),
        ],
        dtype="float64",
    )
    net.adapt(X)
    p = net.parameters()
    assert "conv_2d_1.weight" in p
    inner = dr.Sequential(net.layers[:3], dtype="float64").build(36)
    inner.set_weights({k: v for k, v in net.get_weights().items() if k in inner.get_weights()})
    h = inner.predict(X)
    z = h @ p["residual_1.residual_1.dense_1.weight"] + p["residual_1.residual_1.dense_1.bias"]
    assert z.var() == pytest.approx(1, abs=1e-6)
    inside = h + np.tanh(z)
    v, g = p["residual_1.weight_norm_1.dense_1.weight"], p["residual_1.weight_norm_1.gain"]
    assert np.sqrt((v**2).sum(axis=0)) == pytest.approx(g, rel=1e-12)
    assert (inside @ v).var() == pytest.approx(1, abs=0.1)


def test_only_weights_of_products():
    for layer in (dr.RBF(4, initializer="lsuv"), dr.Embedding([0], [5], initializer="lsuv")):
        with pytest.raises(
            ValueError, match=r"initializer 'lsuv', .* allowed for the weights of dense and co"
        ):
            dr.Sequential([layer]).build(1)
    with pytest.raises(ValueError, match="'lsuv'"):
        dr.Sequential([dr.Dense(4, bias_initializer="lsuv")]).build(1)


def weights(*layers, width=12, seed=0):
    return list(dr.Sequential(layers, seed=seed, dtype="float64").build(width).parameters().values())


@pytest.mark.parametrize(
    "after",
    [
        lambda name: [dr.Dense(9, {"name": "sin", "omega": 30.0}, initializer=name)],
        lambda name: [dr.Dense(9, initializer=name), dr.Activation({"name": "sin", "omega": 30.0})],
    ],
)
def test_auto_before_a_sine_is_siren(after):
    siren = {"name": "siren", "omega": 30.0}
    got = weights(*after("auto"), *after("auto"))
    wanted = weights(*after({**siren, "first": True}), *after(siren))
    assert all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=True))
    assert not np.array_equal(got[0], weights(*after(siren))[0])


def test_auto_before_a_sine_inside_others():
    sine = {"name": "sin", "omega": 2.0}

    def net(first, second, third):
        return weights(
            dr.Standardize(),
            dr.Residual([dr.Dense(12, sine, initializer=first), dr.Dense(12, sine, initializer=second)]),
            dr.Dense(3, sine, initializer=third),
        )

    siren = {"name": "siren", "omega": 2.0}
    got, wanted = net("auto", "auto", "auto"), net({**siren, "first": True}, siren, siren)
    assert all(np.array_equal(a, b) for a, b in zip(got, wanted, strict=True))
