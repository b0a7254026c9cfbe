"""Hessian-vector products against differences of gradients and of PyTorch; the spectrum against NumPy's."""

import numpy as np
import pytest

import deltarule as dr
from deltarule import diagnostics
from deltarule._native import core
from deltarule.diagnostics._twin import twin

ACTIVATIONS = [
    *("identity", "sigmoid", "tanh", "softplus", "swish", "elu", "relu", "leaky_relu", "softmax"),
    "log_softmax",
    *({"name": "gelu", "approximate": a} for a in ("none", "tanh", "sigmoid")),
    {"name": "sigmoid", "slope": 2.5},
    {"name": "softplus", "k": 3.0},
    {"name": "swish", "beta": 1.7},
    {"name": "elu", "alpha": 0.6},
]
LOSSES = [
    *("mse", "quadratic", "sigmoid_cross_entropy", "softmax_cross_entropy", "sparse_softmax_cross_entropy"),
    *("log_cosh", "huber"),
    {"name": "softmax_cross_entropy", "label_smoothing": 0.2},
    {"name": "sigmoid_cross_entropy", "pos_weight": 3.0},
    {"name": "sparse_softmax_cross_entropy", "ignore_index": 1},
    {"name": "focal", "gamma": 1.5},
    {"name": "alpha_loss", "alpha": 1.7},
    "gaussian_nll",
    {"name": "expectation", "probability": "sigmoid"},
]


def network(layers, loss="sparse_softmax_cross_entropy", dtype="float64"):
    net = dr.Sequential(layers, seed=5, dtype=dtype)
    net.compile(dr.SGD(0.1), loss=loss)
    return net


def moved(net, X, rng):
    """Built, with gains, shifts and biases that are all different."""
    net.build(X.shape[1])
    for name, array in net.parameters().items():
        if not name.endswith("weight"):
            array[...] += 0.3 * rng.normal(size=array.shape)
    return net


def check(net, X, y, rng, weight=None, step=1e-5):
    """H v against (8 (g(+h) - g(-h)) - (g(+2h) - g(-2h))) / 12h of the same network without dropout."""
    before = net.get_weights()
    v = {name: rng.normal(size=a.shape) for name, a in net.parameters().items()}
    product = diagnostics.hessian_vector_product(net, X, y, v, sample_weight=weight)
    assert all(np.array_equal(a, before[name]) for name, a in net.get_weights().items())
    work = twin(net, X, y, weight, "test", quiet=True)
    own = work.network.parameters()
    start = {name: a.copy() for name, a in own.items()}
    gradients = []
    for k in (1, -1, 2, -2):
        for name, array in own.items():
            array[...] = start[name] + k * step * v[name]
        gradients.append(work.gradients())
    size = max(np.abs(p).max() for p in product.values())
    assert size > 0
    for name, p in product.items():
        a, b, c, d = (g[name] for g in gradients)
        numeric = (8 * (a - b) - (c - d)) / (12 * step)
        np.testing.assert_allclose(p, numeric, rtol=0, atol=2e-8 * size, err_msg=name)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=str)
@pytest.mark.parametrize("as_layer", [False, True])
def test_activations(rng, activation, as_layer):
    X, y = rng.normal(size=(70, 4)), rng.integers(0, 3, 70)
    hidden = [dr.Dense(9), dr.Activation(activation)] if as_layer else [dr.Dense(9, activation)]
    check(moved(network([*hidden, dr.Dense(3)]), X, rng), X, y, rng)


@pytest.mark.parametrize("activation", ["glu", "swiglu", "geglu", "reglu"])
@pytest.mark.parametrize("first", [True, False])
def test_gated_units(rng, activation, first):
    """A gate that reads the network's input has no gradient to hand on."""
    X, y = rng.normal(size=(70, 6)), rng.integers(0, 3, 70)
    before = [] if first else [dr.Dense(10, "tanh"), dr.Dense(8)]
    check(moved(network([*before, dr.Activation(activation), dr.Dense(3)]), X, rng), X, y, rng)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_losses(rng, loss):
    X, y = rng.normal(size=(40, 4)), rng.integers(0, 3, 40)
    name = loss if isinstance(loss, str) else loss["name"]
    if name in ("mse", "quadratic", "log_cosh", "huber", "gaussian_nll"):
        target = rng.normal(size=(40, 3))
    else:
        target = y if name in ("sparse_softmax_cross_entropy", "focal", "alpha_loss") else np.eye(3)[y]
    outputs = 6 if name == "gaussian_nll" else 3
    net = moved(network([dr.Dense(6, "tanh"), dr.Dense(outputs)], loss), X, rng)
    check(net, X, target, rng, weight=rng.uniform(0, 2, 40))


@pytest.mark.parametrize(
    "layer",
    [
        *(dr.BatchNorm(), dr.LayerNorm(), dr.RMSNorm(), dr.Standardize(), dr.Dropout(0.5)),
        *(dr.AlphaDropout(0.5), dr.GaussianNoise(0.5)),
        *(
            dr.PReLU(),
            dr.PReLU(shared=True),
            dr.AdaptiveReLU(),
            dr.LearnedSwish(),
            dr.LearnedSwish(shared=True),
        ),
        *(dr.PeriodicEmbedding(3), dr.PeriodicEmbedding(2, columns=(2, 0))),
        *(dr.RBF(5), dr.RBF(5, width=2.0, use_bias=False)),
        dr.WeightNorm(dr.Dense(5, "tanh")),
        dr.WeightNorm(dr.Dense(5, "relu", use_bias=False)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_layers(rng, layer, place):
    """At the beginning, where no gradient of the input is wanted, inside, and at the end."""
    X, y = rng.normal(size=(70, 4)) * 2 + 1, rng.integers(0, 3, 70)
    layers = [dr.Dense(7, "tanh"), dr.Dense(3, use_bias=False)]
    layers.insert(place, layer)
    outputs = dr.Sequential(layers).build(4).predict(X[:1]).shape[1]
    loss = "sparse_softmax_cross_entropy"
    if place == 2:
        loss, y = "mse", rng.normal(size=(70, outputs))
    net = moved(network(layers, loss), X, rng)
    for name, array in net.states().items():
        array[...] = rng.normal(size=array.shape) if "mean" in name else rng.uniform(0.5, 2, array.shape)
    net._adapted = True  # Standardize has its numbers, and could not learn them everywhere
    check(net, X, y, rng)


@pytest.mark.parametrize("layer", [dr.Dropout(0.4), dr.AlphaDropout(0.4), dr.GaussianNoise(0.5)], ids=repr)
def test_random_layers_that_are_not_switched_off(rng, layer):
    """The core keeps the numbers of its one pass: differences of the gradients of first passes agree."""
    X, y = rng.normal(size=(40, 4)), rng.normal(size=(40, 3))
    layers = [dr.Dense(6, "tanh"), layer, dr.Dense(5, "tanh"), layer, dr.Dense(3)]
    net = moved(network(layers, "quadratic"), X, rng)._network
    v = rng.normal(size=net.parameter_count)
    product = core.Curvature(net, "quadratic", {}, X, y, None).times(v)
    gradients, step = [], 1e-5
    for k in (1, -1, 2, -2):
        other = net.copy()
        other.flat_parameters()[...] += k * step * v
        other.backward((other.forward(X, True) - y) / len(X))
        gradients.append(other.flat_gradients().copy())
    a, b, c, d = gradients
    numeric = (8 * (a - b) - (c - d)) / (12 * step)
    np.testing.assert_allclose(product, numeric, rtol=0, atol=2e-8 * np.abs(product).max())


COMPOSITES = {
    "residual": lambda: [dr.Residual([dr.Dense(4, "tanh")]), dr.Dense(3)],
    "residual without parameters": lambda: [dr.Dense(3), dr.Residual([dr.Activation("swish")])],
    "branches, sum": lambda: [
        dr.Branches([[dr.Dense(5, "tanh")], [dr.Dense(5), dr.BatchNorm()]]),
        dr.Dense(3),
    ],
    "branches, mean": lambda: [
        dr.Dense(3, "tanh"),
        dr.Branches([[dr.Dense(3, "gelu")], [], [dr.LayerNorm()]], "mean"),
    ],
    "branches, concat": lambda: [
        dr.Dense(3, "gelu"),
        dr.Branches([[dr.Activation("tanh")], [], [dr.Dense(2, "swish")]], "concat"),
        dr.Dense(3),
    ],
    "three deep": lambda: [
        dr.Dense(5, "swish"),
        dr.Branches(
            [
                [
                    dr.RMSNorm(),
                    dr.Residual([dr.WeightNorm(dr.Dense(7)), dr.PReLU(), dr.BatchNorm(), dr.Dense(5)]),
                ],
                [
                    dr.Dense(4),
                    dr.Branches(
                        [
                            [dr.BatchNorm(), dr.Activation("elu"), dr.Dropout(0.25)],
                            [dr.Residual([dr.Activation("tanh")]), dr.LayerNorm()],
                        ],
                        "mean",
                    ),
                ],
                [],
            ],
            "concat",
        ),
        dr.Residual([dr.Residual([dr.Residual([dr.Dense(14, "gelu")])])]),
        dr.Dense(3),
    ],
}


@pytest.mark.parametrize("layers", COMPOSITES.values(), ids=COMPOSITES.keys())
def test_layers_inside_layers(rng, layers):
    X, y = rng.normal(size=(70, 4)), rng.integers(0, 3, 70)
    check(moved(network(layers()), X, rng), X, y, rng)


@pytest.mark.parametrize("activation", ["tanh", "relu", None])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_layers_on_images(rng, activation, padding):
    X, y = rng.normal(size=(9, 60)), rng.integers(0, 3, 9)
    layers = [
        dr.Reshape((6, 5, 2)),
        dr.Conv2D(4, (2, 3), activation, padding=padding),
        dr.MaxPool2D(2, strides=1),
        dr.Conv2D(3, 2, "swish", strides=2, padding=padding, use_bias=False),
        dr.Dense(3),
    ]
    check(moved(network(layers), X, rng), X, y, rng)


@pytest.mark.parametrize("behind", [[], [dr.Dense(6, "tanh")]])
def test_tables(rng, behind):
    """Rows of the tables that no row of the batch asks for have no curvature."""
    X, y = rng.normal(size=(70, 4)), rng.integers(0, 3, 70)
    X[:, 1], X[:, 3] = rng.integers(0, 4, 70), rng.integers(0, 2, 70)
    net = moved(network([dr.Embedding([3, 1], [2, 5], dimension=3), *behind, dr.Dense(3)]), X, rng)
    check(net, X, y, rng)
    v = np.ones(sum(a.size for a in net.parameters().values()))
    table = diagnostics.hessian_vector_product(net, X, y, v)["embedding_1.table_1"]
    assert table[:4].any(axis=1).all()
    assert not table[4].any()


def test_float32_and_large_weights(rng):
    """A matrix beyond 2 MB goes by tasks over the whole batch."""
    X, y = rng.normal(size=(5, 300)), rng.integers(0, 3, 5)
    check(
        moved(network([dr.Dense(4, "tanh"), dr.Dense(1000, "tanh"), dr.Dense(300), dr.Dense(3)]), X, rng),
        X,
        y,
        rng,
    )
    check(moved(network([dr.Dense(4, "tanh"), dr.Dense(3)], dtype="float32"), X, rng), X, y, rng)


def hessian(net, X, y):
    size = sum(a.size for a in net.parameters().values())
    columns = [diagnostics.hessian_vector_product(net, X, y, e) for e in np.eye(size)]
    return np.stack([np.concatenate([a.ravel() for a in c.values()]) for c in columns], axis=1)


def test_against_torch(rng):
    """Double backward of the same network."""
    torch = pytest.importorskip("torch")
    X, y = rng.normal(size=(20, 4)), rng.integers(0, 3, 20)
    net = moved(network([dr.Dense(5, "tanh"), dr.LayerNorm(epsilon=1e-5), dr.Dense(3)]), X, rng)
    parameters = [torch.tensor(a, requires_grad=True) for a in net.parameters().values()]
    w1, b1, gain, shift, w2, b2 = parameters
    h = torch.nn.functional.layer_norm(torch.tanh(torch.tensor(X) @ w1 + b1), (5,), gain, shift, 1e-5)
    loss = torch.nn.functional.cross_entropy(h @ w2 + b2, torch.tensor(y))
    v = [rng.normal(size=tuple(p.shape)) for p in parameters]
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    inner = sum((g * torch.tensor(a)).sum() for g, a in zip(gradients, v, strict=True))
    expected = torch.autograd.grad(inner, parameters)
    product = diagnostics.hessian_vector_product(net, X, y, np.concatenate([a.ravel() for a in v]))
    for name, ours, theirs in zip(product, product.values(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10, atol=1e-13, err_msg=name)


def test_the_hessian_is_symmetric_and_its_spectrum_is_found(rng):
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 3, 30)
    net = moved(network([dr.Dense(4, "tanh"), dr.BatchNorm(), dr.Dense(3)]), X, rng)
    H = hessian(net, X, y)
    np.testing.assert_allclose(H, H.T, rtol=0, atol=1e-13 * np.abs(H).max())
    exact = np.linalg.eigvalsh(H)
    found = diagnostics.hessian_spectrum(net, X, y)
    assert found.converged
    assert found.lambda_max == pytest.approx(exact[-1], rel=1e-6)
    assert found.lambda_min == pytest.approx(exact[0], rel=1e-6, abs=1e-6 * exact[-1])
    assert found.largest_stable_rate == 2 / found.lambda_max
    assert found.condition_number == np.inf  # a saddle
    v = np.concatenate([a.ravel() for a in found.vector.values()])
    assert np.linalg.norm(H @ v - found.lambda_max * v) <= 1e-5 * found.lambda_max
    assert not diagnostics.hessian_spectrum(net, X, y, max_iterations=2).converged


def test_linear_least_squares(rng):
    """One linear layer and the quadratic cost: the Hessian is the mean of x x^T, x with its constant 1."""
    X, y = rng.normal(size=(50, 3)) * [1, 2, 3], rng.normal(size=50)
    net = network([dr.Dense(1)], "quadratic").build(3)
    extended = np.hstack([X, np.ones((50, 1))])
    exact = np.linalg.eigvalsh(extended.T @ extended / 50)
    found = diagnostics.hessian_spectrum(net, X, y)
    assert found.lambda_max == pytest.approx(exact[-1], rel=1e-9)
    assert found.lambda_min == pytest.approx(exact[0], rel=1e-9)
    assert found.condition_number == pytest.approx(exact[-1] / exact[0], rel=1e-8)
    for factor, falls in ((0.95, True), (1.05, False)):  # 2 / lambda_max separates the two
        net = network([dr.Dense(1)], "quadratic").build(3)
        net.compile(dr.SGD(factor * found.largest_stable_rate), loss="quadratic")
        losses = net.fit(X, y, batch_size=None, epochs=300, verbose=0)["loss"]
        assert (losses[-1] < losses[0]) == falls


def test_a_rate_beyond_the_limit_is_named(rng):
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    net = network([dr.Dense(1)], "quadratic").build(3)
    limit = diagnostics.hessian_spectrum(net, X, y).largest_stable_rate
    for factor, kinds in ((0.9, []), (1.1, ["learning rate"])):
        net.compile(dr.SGD(factor * limit), loss="quadratic")
        diagnosis = net.diagnose(X, y)
        assert diagnosis.kinds() == kinds
        assert diagnosis.spectrum.largest_stable_rate == pytest.approx(limit, rel=1e-3)


@pytest.mark.parametrize(
    ("vector", "text"),
    [
        (
            np.ones(3),
            "hessian_vector_product: vector has shape (3,); allowed: (4,), one number per parameter",
        ),
        ({"dense_1.weight": np.ones((3, 1))}, "unknown or missing: dense_1.bias"),
        ([1.0, np.nan, 0, 0], "hessian_vector_product: vector[1] is nan"),
    ],
)
def test_bad_vectors(rng, vector, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        diagnostics.hessian_vector_product(
            network([dr.Dense(1)], "mse").build(3), rng.normal(size=(5, 3)), rng.normal(size=5), vector
        )
    assert text in str(caught.value)
