"""Activations whose parameters train, and WeightNorm, beyond value and gradient (see test_gradients.py)."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near
from reference.layers import weight_norm, weight_norm_backward

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
LEARNED = [
    dr.PReLU(),
    dr.PReLU(shared=True),
    dr.AdaptiveReLU(),
    dr.LearnedSwish(),
    dr.LearnedSwish(shared=True),
]


def built(layers, width, dtype="float64", seed=3):
    return dr.Sequential(layers, seed=seed, dtype=dtype).build(width)


@TYPES
@pytest.mark.parametrize(
    ("layer", "plain"),
    [
        (dr.PReLU(), {"name": "leaky_relu", "alpha": 0.25}),
        (dr.PReLU(-0.5, shared=True), {"name": "leaky_relu", "alpha": -0.5}),
        (dr.AdaptiveReLU(), {"name": "leaky_relu", "alpha": 0.25}),
        (dr.AdaptiveReLU(0.9), {"name": "leaky_relu", "alpha": 0.9}),
        (dr.LearnedSwish(), "swish"),
        (dr.LearnedSwish(1.5, shared=True), {"name": "swish", "beta": 1.5}),
    ],
    ids=repr,
)
def test_they_begin_as_the_activation(layer, plain, dtype, rng):
    x = rng.normal(size=(30, 21)).astype(dtype) * 4
    net, fixed = built([layer], 21, dtype), built([dr.Activation(plain)], 21, dtype)
    for training in (False, True):
        y = net.forward(x, training)
        assert_near(y, fixed.forward(x, training), 4 * np.finfo(dtype).eps, repr(layer))


@pytest.mark.parametrize("layer", LEARNED, ids=repr)
def test_their_arrays(layer):
    arrays = built([dr.Dense(7), layer], 3).parameters()
    own = {n.partition(".")[2]: a.shape for n, a in arrays.items() if not n.startswith("dense")}
    expected = {"PReLU": ["alpha"], "AdaptiveReLU": ["steepness", "offset"], "LearnedSwish": ["beta"]}
    names = expected[type(layer).__name__]
    shape = (1,) if getattr(layer, "shared", False) else (7,)
    assert own == dict.fromkeys(names, shape)


@TYPES
@pytest.mark.parametrize("layer", LEARNED, ids=repr)
def test_any_finite_input_gives_finite_numbers(layer, dtype):
    large = np.finfo(dtype).max
    x = np.array([[0, -0.0, 1e-30, -1e-30, 50, -50, 1e4, -1e4, large, -large]], dtype)
    net = built([layer], x.shape[1], dtype)
    for scale in (1, -3, 0):
        for array in net.parameters().values():
            array[...] = scale
        y = net.forward(x, True)
        assert np.isfinite(y[:, np.abs(x[0]) < large / 3]).all()
        assert not np.isnan(y).any()
        dx = net.backward(np.ones_like(x))
        assert np.isfinite(dx).all()
        net.forward(x, True)
        net.backward(np.zeros_like(x))
        assert not any(g.any() for g in net.gradients().values())  # 0 times what overflows stays 0
    assert np.isnan(net._network.forward(np.full_like(x, np.nan), False)).all()


@pytest.mark.parametrize(
    ("layer", "name", "wanted"),
    [
        (dr.PReLU(), "prelu_1.alpha", [0.7, -0.4]),
        (dr.PReLU(shared=True), "prelu_1.alpha", [0.7]),
        (dr.LearnedSwish(), "learned_swish_1.beta", [2.5, 0.4]),
    ],
    ids=repr,
)
def test_they_learn_what_made_the_data(layer, name, wanted, rng):
    X = rng.normal(size=(500, 2))
    net = built([layer], 2)
    start = net.get_weights()
    net.set_weights({name: np.array(wanted)})
    y = net.predict(X)
    net.set_weights(start)
    net.compile(dr.Adam(0.05), "mse")
    net.fit(X, y, epochs=60, batch_size=100)
    np.testing.assert_allclose(net.parameters()[name], wanted, atol=1e-3)


def test_the_slope_of_adaptive_relu_follows_the_input(rng):
    """y = sigma(x) x for x <= 0: steepness 1 and offset 0."""
    X = rng.normal(size=(500, 1)) * 2
    y = np.where(X > 0, X, X / (1 + np.exp(-X)))
    net = built([dr.AdaptiveReLU()], 1)
    net.compile(dr.Adam(0.1), "mse")
    net.fit(X, y, epochs=1000, batch_size=None)
    assert net.parameters()["adaptive_relu_1.steepness"] == pytest.approx(1, abs=0.01)
    assert net.parameters()["adaptive_relu_1.offset"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("layer", LEARNED, ids=repr)
def test_automatic_initializers_take_them_for_rectifiers(layer):
    weight = built([dr.Dense(40), layer], 30).parameters()["dense_1.weight"]
    he = built([dr.Dense(40, initializer="he_normal")], 30).parameters()["dense_1.weight"]
    np.testing.assert_array_equal(weight, he)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: dr.Dense(3, "prelu"),
            ValueError,
            r"'prelu' is not an activation but .*; allowed: PReLU\(\) in",
        ),
        (
            lambda: dr.Activation("adaptive_relu"),
            ValueError,
            r"allowed: AdaptiveReLU\(\) in the list of layers",
        ),
        (
            lambda: dr.Activation({"name": "learned_swish"}),
            ValueError,
            r"allowed: LearnedSwish\(\) in the list",
        ),
        (lambda: dr.activations.Swish(learnable=True), TypeError, r"allowed: the layer LearnedSwish\(\)"),
        (lambda: dr.Dense(3, "dropout"), ValueError, r"allowed: Dropout\(\) in the list of layers"),
        (
            lambda: dr.AdaptiveReLU(1.0),
            ValueError,
            "alpha = 1 is not allowed; allowed: a number with 0 < alpha < 1",
        ),
        (dr.WeightNorm, TypeError, "WeightNorm: the argument layer is missing"),
        (lambda: dr.WeightNorm([dr.Dense(3)]), TypeError, "WeightNorm: layer is a list; allowed: "),
        (
            lambda: built([dr.WeightNorm(dr.Dropout())], 3),
            ValueError,
            "weight_norm: layer is a 'dropout'; allowed: a dense layer",
        ),
        (
            lambda: built([dr.WeightNorm(dr.Residual([dr.Dense(3)]))], 3),
            ValueError,
            "weight_norm: layer is a 'residual'; allowed: a dense layer",
        ),
    ],
)
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()


@TYPES
def test_weight_norm_begins_as_the_dense_layer(dtype, rng):
    x = rng.normal(size=(9, 30)).astype(dtype)
    net, plain = (
        built([dr.WeightNorm(dr.Dense(17, "tanh"))], 30, dtype),
        built([dr.Dense(17, "tanh")], 30, dtype),
    )
    v = net.parameters()["weight_norm_1.dense_1.weight"]
    np.testing.assert_array_equal(v, plain.parameters()["dense_1.weight"])
    gain = net.parameters()["weight_norm_1.gain"]
    assert_near(gain, np.linalg.norm(v.astype(np.float64), axis=0), 2 * np.finfo(dtype).eps, "gain")
    for training in (False, True):
        assert_near(
            net.forward(x, training), plain.forward(x, training), 20 * np.finfo(dtype).eps, "output", 1
        )


@TYPES
@pytest.mark.parametrize("activation", [None, "relu", "gelu", "softmax"])
@pytest.mark.parametrize("rows", [1, 3, 100, 700])
def test_weight_norm_predicts_what_it_trains(dtype, activation, rows, rng):
    """Inference scales the product, training the weights; longer directions change nothing."""
    net = built([dr.WeightNorm(dr.Dense(37, activation)), dr.WeightNorm(dr.Dense(5))], 11, dtype)
    for array in net.parameters().values():
        array[...] = rng.normal(size=array.shape)
    x = rng.normal(size=(rows, 11)).astype(dtype)
    y = net.forward(x, training=True)
    assert_near(net.predict(x), y, 200 * np.finfo(dtype).eps, "inference", np.abs(y).max())
    net.parameters()["weight_norm_1.dense_1.weight"][...] *= 4
    np.testing.assert_array_equal(net.forward(x, training=True), y)


@TYPES
@pytest.mark.parametrize(
    ("inputs", "units", "rows"), [(3, 1000, 40), (900, 700, 300), (5000, 3, 20), (1, 1, 2)]
)
def test_weight_norm_of_any_size(dtype, inputs, units, rows, rng):
    """Bands of units of every width, and products that run as tasks over the whole batch."""
    net = built([dr.WeightNorm(dr.Dense(units, name="d"))], inputs, dtype)
    for array in net.parameters().values():
        array[...] = rng.normal(size=array.shape)
    x, dy = rng.normal(size=(rows, inputs)).astype(dtype), rng.normal(size=(rows, units)).astype(dtype)
    own = {n.partition(".")[2]: a.astype(np.longdouble) for n, a in net.parameters().items()}
    expected, memory = weight_norm(
        x.astype(np.longdouble), own, {"name": "d", "units": units, "use_bias": True}
    )
    dx, gradients = weight_norm_backward(memory, dy.astype(np.longdouble))
    tolerance = 100 * np.finfo(dtype).eps
    assert_near(net.forward(x, True), expected, tolerance, "output", np.abs(expected).max())
    assert_near(net.backward(dy), dx, tolerance, "dx", np.abs(dx).max())
    for name, gradient in net.gradients().items():
        wanted = gradients[name.partition(".")[2]]
        assert_near(gradient, wanted, tolerance, name, np.abs(wanted).max() + np.abs(dy).max())


def test_directions_move_across_themselves(rng):
    """The gradient of V is orthogonal to V, so V never becomes shorter."""
    X, y = rng.normal(size=(200, 6)), rng.normal(size=(200, 4))
    net = built([dr.WeightNorm(dr.Dense(4, use_bias=False))], 6)
    net.compile(dr.SGD(0.3), "mse")
    name = "weight_norm_1.dense_1.weight"
    for _ in range(10):
        before = net.parameters()[name].copy()
        net.train_on_batch(X, y)
        moved = net.parameters()[name] - before
        size = np.linalg.norm(moved, axis=0) * np.linalg.norm(before, axis=0)
        assert (np.abs((moved * before).sum(axis=0)) <= 1e-13 * size).all()
        assert np.linalg.norm(moved) > 0


@TYPES
def test_a_direction_of_zero_stays(dtype, rng):
    net = built([dr.WeightNorm(dr.Dense(20))], 6, dtype)
    net.parameters()["weight_norm_1.dense_1.weight"][:, 3] = 0
    net.parameters()["weight_norm_1.dense_1.bias"][3] = 0.5
    x = rng.normal(size=(8, 6)).astype(dtype)
    for training in (True, False):
        np.testing.assert_array_equal(net.forward(x, training)[:, 3], np.full(8, 0.5))
    net.forward(x, True)
    assert np.isfinite(net.backward(np.ones((8, 20), dtype))).all()
    gradients = net.gradients()
    assert all(np.isfinite(g).all() for g in gradients.values())
    assert not gradients["weight_norm_1.dense_1.weight"][:, 3].any()
    assert gradients["weight_norm_1.gain"][3] == 0
    assert np.isnan(net._network.forward(np.full((1, 6), np.nan, dtype), False)).all()


@TYPES
@pytest.mark.parametrize("units", [5, 700])
def test_the_update_may_run_apart_from_the_gradient(dtype, units, rng):
    """A limit that is never reached makes the rule run afterwards: the same bits after some steps."""
    X, y = rng.normal(size=(50, 6)).astype(dtype), rng.integers(0, 3, 50)

    def trained(**control):
        layers = [dr.WeightNorm(dr.Dense(units)), dr.AdaptiveReLU(), dr.PReLU(shared=True), dr.LearnedSwish()]
        net = dr.Sequential([*layers, dr.WeightNorm(dr.Dense(3))], seed=4, dtype=dtype)
        net.compile(dr.Adam(0.01), "sparse_softmax_cross_entropy", **control)
        net.fit(X, y, epochs=3, batch_size=20)
        return net.get_weights()

    apart = trained(clip_norm=1e6)
    for name, array in trained().items():
        np.testing.assert_array_equal(array, apart[name], err_msg=name)


def test_weight_norm_is_seen_through():
    with pytest.warns(UserWarning, match="the last layer already has the activation 'softmax'"):
        dr.Sequential([dr.WeightNorm(dr.Dense(3, "softmax"))]).compile("sgd", "softmax_cross_entropy")
    net = built([dr.WeightNorm(dr.Dense(3, "binary_step"))], 2)
    net.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"layer 'weight_norm_1\.dense_1' has the activation 'binary_step'"):
        net.train_on_batch(np.ones((2, 2)), np.ones((2, 3)))
    net = built([dr.WeightNorm(dr.Dense(3))], 2)
    net.compile("sgd", "mse", dp_clip_norm=1.0, dp_noise_multiplier=1.0)
    with pytest.raises(ValueError, match="dp_clip_norm: layer 'weight_norm_1'"):
        net.train_on_batch(np.ones((2, 2)), np.ones((2, 3)))
