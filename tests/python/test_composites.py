"""Layers with others inside: names, widths, inference, learning from data, copies and files.

Their gradients are checked in test_gradients.py, their bytes on several threads in test_threads.py.
"""

import pickle

import numpy as np
import pytest

import deltarule as dr
from deltarule import diagnostics


def deep():
    """Nested three deep, without what differs between training and inference."""
    return [
        dr.Dense(6, "gelu"),
        dr.Branches(
            [
                [dr.Activation("tanh"), dr.Residual([dr.LayerNorm(), dr.Dense(6, "relu")])],
                [],
                [
                    dr.Standardize(),
                    dr.Activation("swish"),
                    dr.Branches([[dr.Activation("relu")], []], "mean"),
                ],
            ],
            merge="concat",
        ),
        dr.Residual([dr.Residual([dr.Residual([dr.Activation("softplus")])]), dr.Dense(18)]),
        dr.Residual([dr.Activation("elu")]),
        dr.Activation("tanh"),
    ]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rows", [1, 2, 100, 700])
def test_inference_in_place_is_the_training_pass(dtype, rows, rng):
    """No branch may write over what the others still read, nor over the caller's data."""
    for layers in (deep(), deep()[1:]):
        net = dr.Sequential(layers, seed=4, dtype=dtype).build(6)
        x = rng.normal(size=(rows, 6)).astype(dtype)
        for name, array in net.states().items():
            array[...] = 0.5 if name.endswith(".mean") else 2
        before = x.copy()
        np.testing.assert_array_equal(net.predict(x), net.forward(x, training=True))
        np.testing.assert_array_equal(x, before)


def test_names_of_arrays():
    net = dr.Sequential(
        [
            dr.Dense(3),
            dr.Residual([dr.Dense(4), dr.Dense(3, name="last"), dr.Residual([dr.Dense(3)])]),
            dr.Branches([[dr.Dense(2), dr.BatchNorm()], [dr.Dense(2)]], name="fan"),
            dr.Residual([dr.Dense(2, use_bias=False)]),
        ]
    ).build(3)
    weights = [n for n in net.parameters() if not n.endswith((".bias", ".shift"))]
    assert weights == [
        "dense_1.weight",
        "residual_1.dense_1.weight",
        "residual_1.last.weight",
        "residual_1.residual_1.dense_1.weight",
        "fan.dense_1.weight",
        "fan.batch_norm_1.gain",
        "fan.dense_2.weight",
        "residual_2.dense_1.weight",
    ]
    assert list(net.states()) == ["fan.batch_norm_1.running_mean", "fan.batch_norm_1.running_variance"]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: dr.Residual([]), ValueError, "Residual: block is empty; allowed: at least one"),
        (dr.Residual, TypeError, "Residual: the argument block is missing"),
        (lambda: dr.Residual(dr.Dense(3)), TypeError, r"block is Dense\(3\); allowed: a list of layers"),
        (lambda: dr.Residual(["dens"]), ValueError, r"Residual: block\[0\]: .*did you mean 'dense'"),
        (lambda: dr.Residual([3]), TypeError, r"Residual: block\[0\] is a int"),
        (lambda: dr.Branches([dr.Dense(3)]), TypeError, r"branches\[0\] is Dense\(3\); allowed: a list of"),
        (lambda: dr.Branches([]), ValueError, "Branches: branches is empty; allowed: at least one"),
        (lambda: dr.Branches([[]], merge="add"), ValueError, "merge = 'add' is not allowed; .*'concat'"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (dr.Residual([dr.Dense(3)]), "'residual_1' makes 3 outputs of 4 inputs; allowed: as many outputs as"),
        (dr.Branches([[dr.Dense(3)], []]), "'branches_1' have 3 and 4 outputs; allowed: the same number"),
        (dr.Branches([[], [dr.Dense(3)]], "mean"), "'branches_1' have 4 and 3 outputs; .*merge = 'concat'"),
        (dr.Residual([dr.Dense(4, name="a"), dr.Dense(4, name="a")]), "two layers are called 'a'"),
        (dr.Residual([dr.Residual([dr.Dense(4, name="a.b")])]), "'a.b' must not contain a dot"),
    ],
)
def test_what_does_not_fit_is_refused_by_build(layer, message):
    net = dr.Sequential([layer])
    with pytest.raises(ValueError, match=f"Sequential.build: .*{message}"):
        net.build(4)
    assert not net.built


def test_standardize_inside_learns_from_the_inputs(rng):
    X = rng.normal(3, 5, size=(200, 4))
    net = dr.Sequential(
        [
            dr.Dropout(0.1),
            dr.Branches([[dr.Standardize(), dr.Dense(4)], [dr.Residual([dr.Standardize()])], []]),
        ],
        dtype="float64",
    )
    net.adapt(X)
    for name in ("branches_1.standardize_1", "branches_1.residual_1.standardize_1"):
        np.testing.assert_allclose(net.states()[f"{name}.mean"], X.mean(axis=0), rtol=1e-13)
        np.testing.assert_allclose(net.states()[f"{name}.deviation"], X.std(axis=0), rtol=1e-13)


@pytest.mark.parametrize("before", [dr.Dense(4, name="first"), dr.Residual([dr.Dense(4)], name="first")])
def test_standardize_that_cannot_see_the_inputs_is_refused(before, rng):
    net = dr.Sequential([dr.Standardize(), before, dr.Residual([dr.Standardize()], name="second")]).build(4)
    net.compile("sgd", "mse")
    weights, history = net.get_weights(), net.history
    X = rng.normal(3, 5, size=(20, 4))
    for act in (lambda: net.adapt(X), lambda: net.fit(X, X)):
        with pytest.raises(
            ValueError,
            match=r"adapt: layer 'second.standardize_1' \(standardize\) .* but 'first' before it changes "
            "them; allowed: standardize before every other layer",
        ):
            act()
    assert net.history is history
    for name, array in net.get_weights().items():
        np.testing.assert_array_equal(array, weights[name])


def test_a_standardize_behind_another_stays_as_it_is(rng):
    net = dr.Sequential([dr.Standardize(), dr.Residual([dr.Standardize()])], dtype="float64")
    net.adapt(rng.normal(3, 5, size=(20, 4)))
    np.testing.assert_array_equal(net.states()["residual_1.standardize_1.mean"], np.zeros(4))
    np.testing.assert_array_equal(net.states()["residual_1.standardize_1.deviation"], np.ones(4))


def test_a_flat_activation_inside_is_refused():
    """What passes it by learns; what stands before it inside does not."""
    step = dr.Activation("binary_step")
    for layers, text in (
        ([dr.Residual([dr.Dense(4), step])], r"layer 'residual_1\.activation_1' has the activation"),
        ([dr.Branches([[], [dr.Residual([dr.Dense(4, "sign")])]])], r"'branches_1\.residual_1\.dense_1' has"),
    ):
        net = dr.Sequential(layers).build(4)
        net.compile("sgd", "mse")
        with pytest.raises(ValueError, match=text):
            net.fit(np.ones((2, 4)), np.ones((2, 4)))
    passing = dr.Sequential([dr.Dense(4), dr.Residual([step])]).build(4)
    passing.compile("sgd", "mse")
    passing.fit(np.ones((2, 4)), np.ones((2, 4)))


def test_automatic_initializers_look_at_what_follows():
    """Two layers that differ only in how their initializer is chosen get the same weights."""

    def weights(layers):
        return list(dr.Sequential(layers, seed=3).build(64).get_weights().values())

    def same(one, other):
        return all(np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))

    inside = [dr.Dense(64), dr.BatchNorm(), dr.Activation("relu"), dr.Dense(64)]
    he, glorot = (dr.Dense(64, initializer=f"{n}") for n in ("he_normal", "glorot_uniform"))
    assert same([dr.Residual(inside)], [dr.Residual([he, *inside[1:3], glorot])])
    relu = dr.Activation("relu")
    assert same([dr.Residual(inside), relu], [dr.Residual([he, *inside[1:3], he]), relu])
    assert same([dr.Dense(64), dr.Residual([relu])], [glorot, dr.Residual([relu])])


def test_copies_files_and_configs(tmp_path, rng):
    X, y = rng.normal(size=(60, 6)), rng.normal(size=(60, 18))
    layers = [*deep()[2:], dr.Residual([dr.Branches([[dr.BatchNorm()], [dr.Dropout(0.3)]], "mean")])]
    net = dr.Sequential([dr.Dense(18), *layers], seed=9, dtype="float64")
    assert eval(repr(net), {**vars(dr)}).config() == net.config()
    assert dr.Sequential.from_config(net.config()).config() == net.config()
    net.compile(dr.Adam(0.01), "mse")
    net.fit(X, y, epochs=2)
    net.save(tmp_path / "net.safetensors")
    twins = [net.copy(), pickle.loads(pickle.dumps(net)), dr.load(tmp_path / "net.safetensors")]
    net.fit(X, y, epochs=2)
    for twin in twins:
        twin.fit(X, y, epochs=2)
        assert list(twin.get_weights()) == list(net.get_weights())
        for name, array in net.get_weights().items():
            np.testing.assert_array_equal(twin.get_weights()[name], array)


def test_summary_and_plan_show_what_is_inside():
    net = dr.Sequential([dr.Residual([dr.Dense(5), dr.Branches([[dr.Dense(5)], []])]), dr.Dense(2)])
    assert "Residual(...)" in net.summary()
    net.build(5)
    lines = [line.split() for line in net.summary().splitlines()]
    assert ["residual_1", "Residual(...)", "5", "60"] in lines
    assert ["dense_1", "Dense(5)", "5", "30"] in lines
    assert ["branches_1", "Branches(...,", "merge='sum')", "5", "30"] in lines
    net.compile("sgd", "mse")
    plan = net.explain_plan(64)
    for text in (
        "forward                residual_1.branches_1.dense_1: dense 5 -> 5 + bias",
        "forward                residual_1: sum of 5 + 5",
        "backward               residual_1.branches_1: sum of 2 gradients of 5",
    ):
        assert text in plan


def test_a_bad_number_inside_is_reported_there(rng):
    net = dr.Sequential([dr.Residual([dr.Dense(4), dr.Dense(4)]), dr.Dense(1)]).build(4)
    net.parameters()["residual_1.dense_2.weight"][...] = np.float32(3e38)
    net.compile("sgd", "mse")
    with pytest.raises(dr.NonFiniteError, match=r"output of layer 'residual_1\.dense_2'"):
        net.fit(rng.normal(size=(8, 4)), rng.normal(size=8))


def test_outputs_of_layers_inside(rng):
    """In place, side by side and passed by: each against the chain on its own."""
    layers = [
        dr.Branches(
            [
                [dr.Activation("tanh"), dr.Residual([dr.Activation("swish"), dr.Dropout(0.1)])],
                [],
                [dr.WeightNorm(dr.Dense(4, "relu")), dr.Activation("elu")],
            ],
            "mean",
        ),
        dr.Dense(3),
    ]
    net = dr.Sequential(layers, dtype="float64").build(4)
    x = rng.normal(size=(300, 4))
    found = dict(diagnostics._twin.outputs(net, x))
    tanh = np.tanh(x)
    swish = tanh / (1 + np.exp(-tanh))
    fan = "branches_1"
    product = dr.Sequential([layers[0].branches[2][0]], dtype="float64").build(4)
    product.set_weights({n.partition(".")[2]: a for n, a in net.get_weights().items() if "norm" in n})
    bent = product.predict(x)
    expected = {
        fan: (tanh + swish + x + dr.kernels.elu(bent)) / 3,
        f"{fan}.activation_1": tanh,
        f"{fan}.residual_1": tanh + swish,
        f"{fan}.residual_1.activation_1": swish,
        f"{fan}.residual_1.dropout_1": swish,
        f"{fan}.weight_norm_1": bent,
        f"{fan}.weight_norm_1.dense_1": bent,
        f"{fan}.activation_2": dr.kernels.elu(bent),
        "dense_1": net.predict(x),
    }
    assert list(found) == list(expected)
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-14, err_msg=name)


def test_dead_units_inside_are_found(rng):
    layers = [dr.Residual([dr.WeightNorm(dr.Dense(4, "relu")), dr.Dense(4, "relu")]), dr.Dense(4, "relu")]
    net = dr.Sequential(layers).build(4)
    norm = "residual_1.weight_norm_1"
    net.parameters()[f"{norm}.gain"][0] = 0
    net.parameters()[f"{norm}.dense_1.bias"][...] = [-1, 9, 9, 9]
    net.parameters()["residual_1.dense_1.bias"][...] = [50, -50, 50, -50]
    net.parameters()["dense_1.bias"][...] = [-200, 200, 200, 200]
    dead = diagnostics.dead_units(net, rng.uniform(-1, 1, (50, 4)))
    assert {name: np.flatnonzero(flags).tolist() for name, flags in dead.units.items()} == {
        f"{norm}.dense_1": [0],
        "residual_1.dense_1": [1, 3],
        "dense_1": [0],
    }


def test_diagnostics_look_at_all_of_it(rng):
    X, y = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)

    def network(rate):
        block = [dr.LayerNorm(), dr.Dense(6, "tanh"), dr.Dropout(rate), dr.Residual([dr.Dense(6)])]
        net = dr.Sequential([dr.Dense(6, "relu"), dr.Residual(block), dr.Dense(3)], dtype="float64")
        net.compile("sgd", "sparse_softmax_cross_entropy")
        net.build(4)
        return net

    net = network(0.5)
    checked = diagnostics.gradient_check(net, X, y)
    assert checked.ok, checked
    flow = diagnostics.gradient_flow(net, X, y)
    inside = ["layer_norm_1", "dense_1", "dropout_1", "residual_1", "residual_1.dense_1"]
    names = ["dense_1", "residual_1", *(f"residual_1.{name}" for name in inside), "dense_2"]
    assert [row["layer"] for row in flow] == names
    gradients = [a for name, a in net.parameters().items() if name.startswith("residual_1.")]
    expected = np.sqrt(np.mean(np.concatenate([a.ravel() for a in gradients]) ** 2))
    assert list(flow)[1]["weights"] == pytest.approx(expected, rel=1e-12)
    assert set(net.diagnose(X, y).dead.units) == {"dense_1", "residual_1.dense_1"}
    v = rng.normal(size=sum(a.size for a in net.parameters().values()))
    products = diagnostics.hessian_vector_product(net, X, y, v)
    quiet = diagnostics.hessian_vector_product(network(0.0), X, y, v)
    for name, array in products.items():  # dropout inside is switched off as well
        np.testing.assert_array_equal(array, quiet[name])


def test_gradients_of_single_rows_are_clipped_through_layers_inside(rng):
    """dp_clip_norm takes the norm of a row's gradient of all layers together, wherever they stand."""
    X, y = rng.normal(size=(30, 4)), rng.normal(size=(30, 3))
    fan = dr.Branches([[dr.Dense(6)], [dr.Dense(6, "elu")], []], "mean")
    layers = [dr.Dense(6, "tanh"), dr.Residual([dr.Dense(6, "tanh"), fan]), dr.Dense(3)]
    net = dr.Sequential(layers, seed=2, dtype="float64").build(4)
    net.compile(dr.SGD(1.0), "mse", dp_clip_norm=4.0)
    wanted, clipped = net.get_weights(), 0
    for i in range(len(X)):
        prediction = net.forward(X[i : i + 1], training=True)
        net.backward(dr.kernels.mse(prediction, y[i : i + 1])[1])
        own = net.gradients()
        norm = np.sqrt(sum((g**2).sum() for g in own.values()))
        clipped += norm > 4
        for name, gradient in own.items():
            wanted[name] -= gradient * min(1, 4 / norm) / len(X)
    assert 3 < clipped < 28, "some rows must be clipped and some not"
    net.train_on_batch(X, y)
    for name, array in net.parameters().items():
        np.testing.assert_allclose(array, wanted[name], rtol=0, atol=1e-13, err_msg=name)
