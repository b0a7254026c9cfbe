"""Backward of every layer, activation, loss and of whole networks: central differences and a second writing.

One helper does all of them, in float64. Where moving a number would cross a declared kink of an activation
the difference says nothing and is left out; the tolerance is the same everywhere.
"""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near, settings
from reference.networks import Reference, kinks

CATALOG = core.catalog()
STEP = 1e-4


def built(layers, width, rng, seed=3):
    """A core network with parameters and statistics that are all different from each other."""
    net = dr.Sequential(layers, seed=seed, dtype="float64").build(width)._network
    for name, array in net.parameters().items():
        if not name.endswith("weight"):
            array[...] = rng.normal(size=array.shape) * 0.5 + (1 if name.endswith("gain") else 0)
    for name, array in net.states().items():
        array[...] = rng.uniform(0.5, 2, array.shape) if "mean" not in name else rng.normal(size=array.shape)
    return net


def arrays_of(net):
    return {k: v.copy() for k, v in (net.parameters() | net.states()).items()}


def check(net, x, rng, most=60, indices=()):
    """forward and backward against the second writing; gradients against differences of forward alone.

    Terms of the size of dy, which is 1, cancel: errors are relative to that or to the largest gradient.
    Columns of x that hold `indices` cannot be moved.
    """
    y = net.copy().forward(x, True)
    dy = rng.normal(size=y.shape)
    working = net.copy()
    working.forward(x, True)
    dx = working.backward(dy)
    gradients = {k: v.copy() for k, v in working.gradients().items()}

    reference = Reference(net.description())
    expected = reference.forward(x, arrays_of(net))
    assert_near(y, expected, 1e-12, "forward", np.abs(expected).max())
    wanted_dx, wanted = reference.backward(dy)
    size = max(np.abs(g).max() for g in (dy, wanted_dx, *wanted.values()))
    assert_near(dx, wanted_dx, 1e-12, "gradient of the input", size)
    assert gradients.keys() == wanted.keys()
    for name, gradient in gradients.items():
        assert_near(gradient, wanted[name], 1e-12, f"gradient of {name}", size)

    compared = skipped = 0
    for name, gradient in {"x": dx, **gradients}.items():
        for flat in rng.permutation(gradient.size)[:most]:
            at = np.unravel_index(flat, gradient.shape)
            if name == "x" and at[1] in indices:
                continue
            numeric = difference(net, reference, x, dy, name, at)
            if numeric is None:
                skipped += 1
                continue
            compared += 1
            assert_near(gradient[at], numeric, 1e-7, f"difference in {name}[{at}]", size)
    assert skipped < compared / 2, f"{skipped} of {skipped + compared} differences crossed a kink"


def difference(net, reference, x, dy, name, at):
    """Fourth-order central difference of sum(y * dy) along one number; None when a kink lies within reach."""
    values, patterns = [], []
    for step in (STEP, -STEP, 2 * STEP, -2 * STEP):
        moved = net.copy()  # its first pass draws the mask of every other first pass
        inputs = x.copy()
        array = inputs if name == "x" else moved.parameters()[name]
        array[at] += step
        values.append((moved.forward(inputs, True) * dy).sum())
        if reference.pools or any(map(kinks, reference.layers())):
            reference.forward(inputs, arrays_of(moved))
            patterns.append(b"".join(p.tobytes() for p in reference.kinked))
    if len(set(patterns)) > 1:
        return None
    return (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * STEP)


def activation_cases():
    entries = CATALOG["activation"] + CATALOG["row_op"]
    return [
        pytest.param({"name": e["name"]} | s, id="-".join([e["name"], *(f"{k}={v}" for k, v in s.items())]))
        for e in entries
        for s in settings(e, 2)
        if not s.get("straight_through")  # not the derivative of the value; see test_activations.py
    ]


@pytest.mark.parametrize("activation", activation_cases())
@pytest.mark.parametrize("rows", [1, 5])
def test_every_activation_in_a_layer(activation, rows, rng):
    gated = activation["name"] in ("glu", "swiglu", "geglu", "reglu")
    first = [dr.Dense(8), dr.Activation(activation)] if gated else [dr.Dense(5, activation)]
    net = built([*first, dr.Activation(activation)], 3, rng)
    check(net, rng.normal(size=(rows, 3)), rng)


ON_IMAGES = ("reshape", "conv_2d", "max_pool_2d")


def one_layer(entry, chosen):
    """The layer alone, and after a dense layer so that gradients go through it."""
    name = entry["name"]
    chosen = {k: v for k, v in chosen.items() if k != "units"} | ({"units": 4} if "units" in chosen else {})
    if name == "activation":
        chosen |= {"activation": "tanh"}

    def make(width):
        inside = {
            "block": [dr.LayerNorm(), dr.Dense(width, "tanh")],
            "branches": [[dr.Dense(width, "tanh")], [], [dr.Activation("softplus")]],
            "layer": dr.Dense(4, "gelu"),
        }
        inner = {k: v for k, v in inside.items() if k == entry["inner"]["name"]}
        return getattr(dr, entry["class_name"])(**chosen, **inner)

    if name == "embedding":  # it reads the network's input
        return [[make(5)], [make(5), dr.Dense(3, "tanh")]]
    return [[make(5)], [dr.Dense(6, "tanh"), make(6), dr.Dense(3)]]


@pytest.mark.parametrize(
    ("entry", "chosen"),
    [
        pytest.param(e, s, id="-".join([e["name"], *(f"{k}={v}" for k, v in s.items())]))
        for e in CATALOG["layer"]
        if e["name"] not in ON_IMAGES
        for s in settings(e, 2)
    ],
)
@pytest.mark.parametrize("rows", [1, 2, 7])
def test_every_layer(entry, chosen, rows, rng):
    for layers in one_layer(entry, chosen):
        x, indices = rng.normal(size=(rows, 5)), ()
        if entry["name"] == "embedding":
            indices = chosen["columns"]
            x[:, indices] = rng.integers(0, chosen["cardinalities"], (rows, len(indices)))
        check(built(layers, 5, rng), x, rng, most=25, indices=indices)


SHAPES = {  # (height, width, channels)
    "reshape": [(6, 7, 2)],
    "conv_2d": [(6, 7, 1), (5, 4, 3), (5, 6, 18)],
    "max_pool_2d": [(6, 7, 1), (5, 4, 3), (5, 6, 18)],
}


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        pytest.param(n, s, id="-".join([n, *(f"{k}={v}" for k, v in s.items())]))
        for n, cases in {
            "reshape": [{}],
            "conv_2d": [
                {"filters": f, "kernel_size": k, "strides": s, "padding": p, "use_bias": b}
                for f, k, s, p, b in [
                    (1, (3,), (1,), "valid", True),
                    (8, (3, 2), (1,), "valid", False),
                    (17, (2, 4), (1,), "same", True),
                    (5, (1,), (1,), "same", True),
                    (3, (4, 3), (2, 1), "same", True),
                    (4, (2,), (1, 3), "valid", True),
                    (2, (5, 4), (1,), "valid", True),
                    (3, (1,), (2,), "valid", True),
                ]
            ],
            "max_pool_2d": [
                {"pool_size": k, "strides": s, "padding": p}
                for k, s, p in [
                    ((2,), (), "valid"),
                    ((3, 2), (), "same"),
                    ((3,), (1,), "same"),
                    ((2, 3), (3, 1), "valid"),
                    ((1,), (3,), "same"),
                ]
            ],
        }.items()
        for s in cases
    ],
)
@pytest.mark.parametrize("rows", [1, 5])
def test_layers_on_images(name, chosen, rows, rng):
    """Alone, and inside a network; several images are multiplied together, and one."""
    make = getattr(dr, next(e["class_name"] for e in CATALOG["layer"] if e["name"] == name))
    for shape in SHAPES[name]:
        layer = [] if name == "reshape" else [make(**chosen)]
        width = int(np.prod(shape))
        x = rng.normal(size=(rows, width))
        check(built([dr.Reshape(shape), *layer], width, rng), x, rng, most=20)
        before = dr.Conv2D(3, kernel_size=(2,), activation="tanh", padding="same")
        after = [dr.BatchNorm(), dr.Activation("swish"), dr.Dense(2)]
        check(built([dr.Reshape(shape), before, *layer, *after], width, rng), x, rng, most=6)


def passing():
    """Layers that change nothing."""
    return [dr.Activation("identity"), dr.Dropout(0.0)]


NETWORKS = {
    "perceptron": lambda: [dr.Dense(1, "sigmoid")],
    "classic": lambda: [dr.Dense(7, "tanh"), dr.Dense(3)],
    "relu": lambda: [dr.Dense(9, "relu"), dr.Dense(5, "relu"), dr.Dense(2)],
    "standardised": lambda: [dr.Standardize(), dr.Dense(6, "gelu"), dr.Dense(2, "softmax")],
    "batch norm": lambda: [dr.Dense(6), dr.BatchNorm(), dr.Activation("relu"), dr.Dense(3)],
    "two batch norms": lambda: [dr.BatchNorm(), dr.Dense(6, "swish"), dr.BatchNorm(), dr.Dense(3)],
    "layer norm": lambda: [dr.LayerNorm(), dr.Dense(17, "swish"), dr.LayerNorm(), dr.Dense(3)],
    "dropout": lambda: [dr.Dropout(0.2), dr.Dense(20, "elu"), dr.Dropout(0.5), dr.Dense(3)],
    "wide dropout": lambda: [dr.Dense(140, "tanh"), dr.Dropout(0.3), dr.Dense(2)],
    "self-normalising": lambda: [dr.Dense(140, "elu"), dr.AlphaDropout(0.3), dr.RMSNorm(), dr.Dense(2)],
    "noise": lambda: [dr.GaussianNoise(0.3), dr.Dense(70, "tanh"), dr.GaussianNoise(1.5), dr.Dense(2)],
    "kernels": lambda: [dr.RBF(40, width=2), dr.LayerNorm(), dr.RBF(3, use_bias=False)],
    "periods": lambda: [dr.PeriodicEmbedding(5, deviation=0.3, columns=[2, 0]), dr.Dense(3, "tanh")],
    "depth 6": lambda: [*(dr.Dense(n, "tanh") for n in (8, 7, 6, 5, 4)), dr.Dense(2)],
    "residual": lambda: [dr.Residual([dr.Dense(4, "tanh")]), dr.Dense(3)],
    "residual without parameters": lambda: [dr.Residual([dr.Activation("swish")]), dr.Residual(passing())],
    "residual on images": lambda: [
        dr.Reshape((2, 2, 1)),
        dr.Residual([dr.Conv2D(1, 2, "tanh", padding="same"), dr.BatchNorm()]),
        dr.Conv2D(3, 2, padding="same"),
        dr.Residual([dr.MaxPool2D(2, strides=1, padding="same"), dr.Conv2D(3, 1, "swish")]),
        dr.Dense(2),
    ],
    "residual of residuals": lambda: [
        dr.Dense(6, "gelu"),
        dr.Residual([dr.BatchNorm(), dr.Activation("tanh"), dr.Residual([dr.Dropout(0.3), dr.Dense(6)])]),
        dr.Activation("tanh"),
        dr.Residual([dr.Residual([dr.Dropout(0.4)]), dr.Dense(6, "softmax")]),
    ],
    "branches in place": lambda: [
        dr.Branches([[dr.BatchNorm()], [dr.Activation("tanh"), dr.Dropout(0.2)], [dr.Standardize()], []]),
        dr.Dense(5, "elu"),
        dr.Branches([[dr.Activation("gelu")], [dr.BatchNorm()], passing(), [], []], "mean"),
    ],
    "three deep": lambda: [
        dr.Dense(5, "swish"),
        dr.Branches(
            [
                [dr.LayerNorm(), dr.Residual([dr.Dense(7, "relu"), dr.BatchNorm(), dr.Dense(5)])],
                [
                    dr.Dense(4),
                    dr.Branches(
                        [
                            [dr.BatchNorm(), dr.Activation("leaky_relu"), dr.Dropout(0.25)],
                            [dr.Residual([dr.Activation("tanh"), dr.Dropout(0.5)]), dr.LayerNorm()],
                        ],
                        "mean",
                    ),
                ],
                [],
            ],
            "concat",
        ),
        dr.Residual([dr.Dropout(0.2), dr.Residual([dr.Residual([dr.Dense(14, "gelu")])])]),
        dr.Dense(3, "softmax"),
    ],
    "learned activations": lambda: [
        dr.Dense(9),
        dr.PReLU(),
        dr.Dense(140),
        dr.AdaptiveReLU(0.4),
        dr.LearnedSwish(shared=True),
        dr.Dense(3),
        dr.PReLU(shared=True),
    ],
    "lengths and directions": lambda: [
        dr.WeightNorm(dr.Dense(21, "relu")),
        dr.WeightNorm(dr.Dense(5, "swish", use_bias=False)),
        dr.WeightNorm(dr.Dense(2)),
    ],
    "learned layers three deep": lambda: [
        dr.WeightNorm(dr.Dense(6, "tanh")),
        dr.Residual(
            [
                dr.PReLU(),
                dr.Branches(
                    [
                        [dr.WeightNorm(dr.Dense(4)), dr.AdaptiveReLU()],
                        [dr.Residual([dr.LearnedSwish(2.0), dr.WeightNorm(dr.Dense(6, "elu"))])],
                    ],
                    "concat",
                ),
                dr.Dense(6),
            ]
        ),
        dr.PReLU(),
    ],
    "softmax inside": lambda: [dr.Dense(6, "softmax"), dr.Dense(4, "leaky_relu"), dr.Dense(2, "softplus")],
    "everything": lambda: [
        dr.Standardize(),
        dr.Dense(12, "gelu"),
        dr.BatchNorm(epsilon=1e-3),
        dr.Dropout(0.25),
        dr.Dense(10, use_bias=False),
        dr.LayerNorm(),
        dr.Activation("leaky_relu"),
        dr.BatchNorm(),
        dr.Dense(3, "softmax"),
    ],
}


@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("rows", [1, 3, 33])
def test_whole_networks(layers, rows, rng):
    check(built(layers(), 4, rng), rng.normal(size=(rows, 4)), rng, most=12)


OF_PROBABILITIES = ("binary_cross_entropy", "categorical_cross_entropy", "log_likelihood")


@pytest.mark.parametrize("rows", [1, 6, 65])
def test_every_loss_behind_a_network(rows, rng):
    """An SGD step of rate 1 moves the weights by the gradient, found by differences of `evaluate`."""
    for entry in CATALOG["loss"]:
        if not entry["trainable"]:
            continue
        wide = 3 * entry["outputs_per_target"]
        last = "softmax" if entry["name"] in OF_PROBABILITIES else "identity"
        net = dr.Sequential([dr.Dense(6, "tanh"), dr.Dense(wide, last)], seed=2, dtype="float64").build(4)
        net.compile(dr.SGD(learning_rate=1.0), loss=entry["name"])
        x, weight = rng.normal(size=(rows, 4)), rng.uniform(0.5, 2, rows)
        y = rng.integers(0, 3, rows) if entry["target"] == "label" else rng.dirichlet(np.ones(3), rows)
        if entry["signs"]:
            y = rng.choice([-1.0, 1.0], (rows, 3))
        before = {k: v.copy() for k, v in net.parameters().items()}
        numeric = {}
        for name, array in net.parameters().items():
            numeric[name] = np.empty_like(array)
            for at in np.ndindex(array.shape):
                values = []
                for step in (STEP, -STEP, 2 * STEP, -2 * STEP):
                    array[at] = before[name][at] + step
                    values.append(net.evaluate(x, y, sample_weight=weight)["loss"])
                array[at] = before[name][at]
                numeric[name][at] = (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * STEP)
        net.train_on_batch(x, y, sample_weight=weight)
        for name, array in net.parameters().items():
            moved = before[name] - array
            assert_near(moved, numeric[name], 1e-8, f"{entry['name']}: {name}", np.abs(moved).max() + 1e-3)


def test_the_yardstick_sees_a_wrong_gradient(rng):
    """A gradient that is off by 1e-6 of its size, or a bias without one, must not pass."""
    net = built([dr.Dense(3, "tanh")], 2, rng)
    x, dy = rng.normal(size=(4, 2)), rng.normal(size=(4, 3))
    reference = Reference(net.description())
    working = net.copy()
    working.forward(x, True)
    working.backward(dy)
    gradient = working.gradients()["dense_1.bias"]
    right = difference(net, reference, x, dy, "dense_1.bias", (1,))
    assert_near(gradient[1], right, 1e-7, "bias", np.abs(gradient).max())
    with pytest.raises(AssertionError):
        assert_near(gradient[1] * (1 + 1e-6), right, 1e-7, "bias")
    relu = built([dr.Dense(3, "relu")], 2, rng)
    relu.parameters()["dense_1.weight"][...] = 1
    relu.parameters()["dense_1.bias"][...] = 0
    on_the_kink = np.array([[1e-5, 0.0]])
    assert difference(relu, Reference(relu.description()), on_the_kink, np.ones((1, 3)), "x", (0, 0)) is None
