"""One step of the trainer is forward, loss, backward and update; large layers included."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._families import Optimizer
from deltarule._native import core
from reference.checking import assert_near, cases
from reference.networks import Reference

OPTIMIZERS = cases([e for e in core.catalog()["optimizer"] if e["reach"] == "element"], most=2)
TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def network(dtype, width=11, **compiled):
    layers = [
        dr.Standardize(),
        dr.Dense(37, "relu"),
        dr.BatchNorm(),
        dr.Dropout(0.25),
        dr.Dense(19, "tanh"),
        dr.LayerNorm(),
        dr.Dense(5),
    ]
    net = dr.Sequential(layers, seed=9, dtype=dtype).build(width)
    net.states()["standardize_1.mean"][:] = 0.25
    net.compile(**compiled)
    return net


def step_by_hand(net, rule, chosen, kept, x, y, weight, step):
    """The same step out of the public pieces."""
    prediction = net.forward(x)
    loss, slope = dr.kernels.sparse_softmax_cross_entropy(prediction, y, weight)
    net.backward(slope)
    gradients = net.gradients()
    for name, array in net.parameters().items():
        rule(array, gradients[name], *kept[name], step=step, **chosen)
    return loss


# The delta rule is for one linear layer; a schedule-free rule keeps its training weights apart between calls.
# Both have tests of their own.
ANY_NETWORK = [p for p in OPTIMIZERS if p.values[0]["name"] not in ("delta_rule", "schedule_free_adamw")]


@pytest.mark.parametrize(("entry", "chosen"), ANY_NETWORK)
@TYPES
def test_fused_step_is_forward_backward_update(entry, chosen, dtype, rng):
    """Bit for bit, weights and optimizer state, over steps with another number of rows each."""
    config = {"optimizer": Optimizer.from_config({"name": entry["name"]} | chosen)}
    fused = network(dtype, loss="sparse_softmax_cross_entropy", **config)
    by_hand = network(dtype, loss="sparse_softmax_cross_entropy", **config)
    rule = getattr(dr.kernels, entry["name"] + "_update")
    used = core.states_used(core.find("optimizer", entry["name"]), chosen)
    kept = {k: np.zeros((used, *a.shape), a.dtype) for k, a in by_hand.parameters().items()}
    for step, rows in enumerate((32, 32, 7, 1, 65), start=1):
        x = rng.normal(size=(rows, 11)).astype(dtype)
        y, weight = rng.integers(0, 5, rows), rng.uniform(0.5, 2, rows).astype(dtype)
        figures = fused.train_on_batch(x, y, sample_weight=weight)
        loss = step_by_hand(by_hand, rule, chosen, kept, x, y, weight, step)
        assert figures["loss"] == pytest.approx(loss, rel=1e-6)
        for name, array in by_hand.parameters().items():
            other = fused.parameters()[name]
            assert np.array_equal(other, array), (
                f"step {step}, {name}: {np.abs(other - array).max():.3g} apart, "
                f"weights up to {np.abs(array).max():.3g}"
            )


@pytest.mark.parametrize("clip", [{"clip_norm": 0.05}, {"clip_value": 0.003}, {"clip_norm": 1e9}])
@TYPES
def test_clipping(clip, dtype, rng):
    """A step of plain SGD with rate 1 is the clipped gradient."""
    net = network(dtype, loss="sparse_softmax_cross_entropy", optimizer=dr.SGD(1.0), **clip)
    x, y = rng.normal(size=(40, 11)).astype(dtype), rng.integers(0, 5, 40)
    before = {k: a.astype(float) for k, a in net.parameters().items()}
    other = network(dtype, loss="mse")
    other.backward(dr.kernels.sparse_softmax_cross_entropy(other.forward(x), y)[1])
    gradients = {k: a.astype(float) for k, a in other.gradients().items()}
    norm = np.sqrt(sum((g**2).sum() for g in gradients.values()))
    if "clip_value" in clip:
        gradients = {k: np.clip(g, -clip["clip_value"], clip["clip_value"]) for k, g in gradients.items()}
        assert norm > 10 * clip["clip_value"], "the test must clip"
    elif norm > clip["clip_norm"]:
        gradients = {k: g * clip["clip_norm"] / norm for k, g in gradients.items()}
    net.train_on_batch(x, y)
    for name, array in net.parameters().items():
        moved = before[name] - array
        tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
        assert_near(
            moved,
            gradients[name],
            tolerance,
            name,
            np.abs(gradients[name]).max() + np.abs(before[name]).max(),
        )


@pytest.mark.parametrize(
    ("dtype", "inputs", "widths", "rows"),
    [
        ("float32", 800, (800, 800, 3), 300),
        ("float32", 800, (800, 800, 3), 1),
        ("float32", 1000, (801, 777), 129),
        ("float32", 3000, (300, 2), 64),
        ("float64", 600, (600, 601, 3), 100),
    ],
)
def test_large_layers(dtype, inputs, widths, rows, rng):
    """Weights beyond the cache (over 2 MB) run layer by layer on 2-D tiles: the numbers must not change."""
    layers = [*(dr.Dense(n, "tanh") for n in widths[:-1]), dr.Dense(widths[-1])]
    net = dr.Sequential(layers, seed=1, dtype=dtype).build(inputs)
    x = rng.normal(size=(rows, inputs)).astype(dtype)
    dy = rng.normal(size=(rows, widths[-1])).astype(dtype)
    arrays = {k: a.astype(float) for k, a in net.parameters().items()}
    a, memory = x.astype(float), []
    for i in range(1, len(widths) + 1):
        z = a @ arrays[f"dense_{i}.weight"] + arrays[f"dense_{i}.bias"]
        memory.append((a, z))
        a = np.tanh(z) if i < len(widths) else z
    tolerance = {"float32": 1e-5, "float64": 1e-13}[dtype]
    y = net.forward(x)
    assert_near(y, a, tolerance, "forward", np.abs(a).max())
    assert_near(net.predict(x), a, tolerance, "predict", np.abs(a).max())
    net.forward(x)
    dx = net.backward(dy)
    g = dy.astype(float)
    for i in range(len(widths), 0, -1):
        a, z = memory[i - 1]
        g = g if i == len(widths) else g / np.cosh(z) ** 2
        for name, wanted in ((f"dense_{i}.weight", a.T @ g), (f"dense_{i}.bias", g.sum(axis=0))):
            assert_near(net.gradients()[name], wanted, tolerance, name, np.abs(wanted).max())
        g = g @ arrays[f"dense_{i}.weight"].T
    assert_near(dx, g, tolerance, "dx", np.abs(g).max())


@pytest.mark.parametrize("loss", ["mse", "sparse_softmax_cross_entropy"])
def test_large_layers_train_like_the_public_pieces(loss, rng):
    """Fused updates of large layers: float32, three Adam steps against float64 pieces."""
    net = dr.Sequential([dr.Dense(800, "relu"), dr.Dense(700, "tanh"), dr.Dense(4)], seed=1).build(820)
    net.compile(dr.SGD(0.1), loss=loss)
    x = rng.normal(size=(150, 820)).astype(np.float32)
    y = rng.integers(0, 4, 150) if "sparse" in loss else rng.normal(size=(150, 4)).astype(np.float32)
    other = dr.Sequential([dr.Dense(800, "relu"), dr.Dense(700, "tanh"), dr.Dense(4)], seed=1).build(820)
    for _ in range(3):
        net.train_on_batch(x, y)
        other.backward(getattr(dr.kernels, loss)(other.forward(x), y)[1])
        for name, array in other.parameters().items():
            dr.kernels.sgd_update(array, other.gradients()[name], step=1, learning_rate=0.1)
    for name, array in other.parameters().items():
        assert np.array_equal(net.parameters()[name], array), name


def test_running_statistics_follow_the_batches(rng):
    """r <- momentum r + (1 - momentum) batch; the unbiased form divides by N - 1."""
    for unbiased in (False, True):
        net = dr.Sequential([dr.BatchNorm(momentum=0.8, unbiased=unbiased)], dtype="float64").build(3)
        mean, variance = np.zeros(3), np.ones(3)
        for rows in (5, 9, 300, 2):
            x = 3 + 2 * rng.normal(size=(rows, 3))
            net.backward(net.forward(x))  # the statistics move with the step, not with forward alone
            mean = 0.8 * mean + 0.2 * x.mean(axis=0)
            variance = 0.8 * variance + 0.2 * x.var(axis=0, ddof=int(unbiased))
        states = net._network.states()
        assert_near(states["batch_norm_1.running_mean"], mean, 1e-13, "running mean")
        assert_near(states["batch_norm_1.running_variance"], variance, 1e-13, "running variance")
        gain, shift = net.parameters()["batch_norm_1.gain"], net.parameters()["batch_norm_1.shift"]
        wanted = (x - mean) / np.sqrt(variance + 1e-5) * gain + shift
        assert_near(net.predict(x), wanted, 1e-12, "inference", np.abs(wanted).max())


def test_unbiased_variance_of_one_row_is_finite():
    net = dr.Sequential([dr.BatchNorm(unbiased=True)], dtype="float64").build(2)
    net.backward(net.forward(np.ones((1, 2))))
    assert np.isfinite(net._network.states()["batch_norm_1.running_variance"]).all()


@pytest.mark.parametrize("width", [1, 17, 128, 300])
@TYPES
def test_dropout_draws_the_declared_numbers(width, dtype, rng):
    """Philox by row and column, a new mask at every pass, and a share of zeros that is the rate."""
    net = dr.Sequential([dr.Dropout(0.3)], seed=5, dtype=dtype).build(width)
    x = rng.uniform(1, 2, (40, width)).astype(dtype)
    reference = Reference(net._network.description())
    for step in range(3):
        y = net.forward(x)
        assert_near(y, reference.forward(x, {}, step), 1e-6 if dtype == "float32" else 1e-15, f"pass {step}")
    assert (y == 0).mean() == pytest.approx(0.3, abs=5 * 0.46 / np.sqrt(x.size))
    assert np.array_equal(net.predict(x), x)
    x[0, 0] = np.nan
    assert np.isnan(net.predict(x)[0, 0])


def test_standardize_learns_from_data(rng):
    """Constant columns become zero; a large mean costs no digits of the deviation."""
    x = np.stack([np.full(500, 7.0), 1e6 + rng.normal(size=500), rng.normal(size=500) * 1e-8], axis=1)
    net = dr.Sequential([dr.Standardize()], dtype="float64").build(3)
    net.adapt(x)
    y = net.predict(x)
    assert (y[:, 0] == 0).all()
    assert_near(y[:, 1:].std(axis=0), [1, 1], 1e-9, "deviation")
    assert_near(y[:, 1:].mean(axis=0), [0, 0], 1e-8, "mean", 1)
