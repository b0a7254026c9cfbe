"""Natural gradients: both methods against dense matrices, exact cases, ill-conditioned problems, training."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near
from reference.fisher import METHODS, Tanh
from reference.problems import curve, flat, quadratic_problem, value_and_gradient

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
BOTH = pytest.mark.parametrize("method", METHODS)


def network(layers=None, dtype="float64", loss="mse", inputs=3, schedule=None, **settings):
    net = dr.Sequential(layers or [dr.Dense(5, "tanh"), dr.Dense(2)], seed=4, dtype=dtype)
    control = {k: settings.pop(k) for k in ("clip_norm", "l2", "max_norm", "average") if k in settings}
    rule = dr.NaturalGradient(schedule=schedule, **{"kl_clip": 0.0, **settings})
    net.compile(rule, loss, **control)
    return net.build(inputs)


def parameters(net):
    arrays = net.parameters()
    names = dict.fromkeys(k.rpartition(".")[0] for k in arrays)
    return [
        (arrays[n + ".weight"].copy(), np.copy(arrays[n + ".bias"]) if n + ".bias" in arrays else None)
        for n in names
    ]


def loss_roots(loss, prediction, target):
    """Passes of output gradients whose second moments make the Hessian of the loss, and its gradient."""
    n, outputs = prediction.shape
    unit = np.eye(outputs)
    if loss == "mse":
        return [np.sqrt(2 / outputs) * np.tile(e, (n, 1)) for e in unit], 2 / outputs * (prediction - target)
    z = np.exp(prediction - prediction.max(axis=1, keepdims=True))
    p = z / z.sum(axis=1, keepdims=True)
    passes = [np.sqrt(p[:, [c]]) * (unit[c] - p) for c in range(outputs)]  # H = sum p_c (e_c - p)(e_c - p)^T
    return passes, p - unit[target]


@BOTH
@pytest.mark.parametrize("fisher", ["exact", "empirical"])
@pytest.mark.parametrize("loss", ["mse", "sparse_softmax_cross_entropy"])
@pytest.mark.parametrize("bias", [True, False])
def test_steps_are_the_oracles(rng, method, fisher, loss, bias):
    """Several steps with batches of their own: running means, renewal at intervals, weights of rows."""
    settings = {"damping": 0.01, "factor_decay": 0.6, "update_interval": 2, "learning_rate": 0.05}
    layers = [dr.Dense(5, "tanh", use_bias=bias), dr.Dense(4, "tanh"), dr.Dense(3, use_bias=bias)]
    net = network(layers, loss=loss, method=method, fisher=fisher, **settings)
    factors_of, solved = METHODS[method]
    means, renewals = None, 0
    for step in range(6):
        n = (30, 17)[step % 2]
        X, weight = rng.normal(size=(n, 3)), rng.uniform(0, 2, n)
        y = rng.normal(size=(n, 3)) if loss == "mse" else rng.integers(0, 3, n)
        before = parameters(net)
        oracle = Tanh(before)
        passes, slope = loss_roots(loss, oracle.forward(X), y)
        share = (weight / weight.sum())[:, None]
        gradients = [a.T @ (share * d) for a, d in zip(oracle.inputs, oracle.deltas(slope), strict=True)]
        if step < 2 or step % 2 == 0:
            deltas = [oracle.deltas(p) for p in ([slope] if fisher == "empirical" else passes)]
            new = [factors_of(a, [d[i] for d in deltas], weight) for i, a in enumerate(oracle.inputs)]
            keep = min(0.6, renewals / (renewals + 1))
            means = (
                new
                if means is None
                else [
                    [keep * m + (1 - keep) * f for m, f in zip(old, fresh, strict=True)]
                    for old, fresh in zip(means, new, strict=True)
                ]
            )
            renewals += 1
        net.train_on_batch(X, y, weight)
        for i, ((w, b), (old_w, old_b)) in enumerate(zip(parameters(net), before, strict=True)):
            expected = solved(means[i], gradients[i], 0.01)
            got = (old_w - w) / 0.05 if b is None else np.vstack([old_w - w, old_b - b]) / 0.05
            assert_near(got, expected, 1e-9, f"step {step}, layer {i}", np.abs(expected).max())


@BOTH
def test_sampled_expectation_tends_to_the_exact_one(rng, method):
    """With 20,000 rows the mean over one draw each is the expectation to about one per cent."""
    X, y = rng.normal(size=(20_000, 3)), rng.integers(0, 4, 20_000)
    steps = []
    for fisher in ("exact", "sampled"):
        net = network(
            [dr.Dense(4, "tanh"), dr.Dense(4)],
            loss="sparse_softmax_cross_entropy",
            method=method,
            fisher=fisher,
        )
        before = flat(net.get_weights())
        net.train_on_batch(X, y)
        steps.append(flat(net.get_weights()) - before)
    assert 0 < np.linalg.norm(steps[1] - steps[0]) < 0.1 * np.linalg.norm(steps[0])


@BOTH
@pytest.mark.parametrize("fisher", ["sampled", "exact"])
def test_one_layer_is_newtons_method(method, fisher):
    """For one linear unit each block is the whole Hessian: a step of length 1 solves least squares."""
    X, y = quadratic_problem(1e8)
    y = y + np.random.default_rng(0).normal(size=y.shape)
    net = network(
        [dr.Dense(1)],
        loss="quadratic",
        inputs=20,
        method=method,
        fisher=fisher,
        learning_rate=1.0,
        damping=1e-28,
    )
    net.train_on_batch(X, y)
    ones = np.hstack([X, np.ones((len(X), 1))])
    best = np.mean((ones @ np.linalg.lstsq(ones, y, rcond=None)[0] - y) ** 2) / 2
    assert net.evaluate(X, y)["loss"] == pytest.approx(best, rel=1e-9)


@BOTH
def test_far_ahead_of_gradient_descent_on_ill_conditioned_problems(method):
    """Inputs of sizes from 0.01 to 3: SGD and Adam at their best rates are left behind."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(300, 4))
    X, y = inputs * [3, 1, 0.1, 0.01], np.sin(inputs @ rng.normal(size=(4, 1)))

    def loss_after(optimizer):
        net = dr.Sequential([dr.Dense(12, "tanh"), dr.Dense(1)], seed=2, dtype="float64")
        net.compile(optimizer, "mse")
        try:
            return net.fit(X, y, epochs=300, batch_size=None, verbose=0)["loss"][-1]
        except dr.NonFiniteError:
            return np.inf

    ours = loss_after(dr.NaturalGradient(0.3, method=method, damping=1e-6, update_interval=1))
    sgd = min(loss_after(dr.SGD(rate, momentum=0.9)) for rate in 10.0 ** np.arange(-4, 2))
    adam = min(loss_after(dr.Adam(rate)) for rate in 10.0 ** np.arange(-4, 1))
    assert ours < 0.2 * min(sgd, adam), (ours, sgd, adam)


@BOTH
@TYPES
def test_same_bits_for_any_number_of_threads(rng, dtype, method):
    X, y = rng.normal(size=(700, 30)).astype(dtype), rng.integers(0, 5, 700)
    results = set()
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            layers = [dr.Dense(80, "relu"), dr.Dropout(0.1), dr.Dense(70, "relu"), dr.Dense(5)]
            net = network(layers, dtype, "sparse_softmax_cross_entropy", 30, method=method, damping=0.1)
            net.fit(X, y, epochs=2, batch_size=300, verbose=0)
            results.add(flat(net.get_weights()).tobytes() + flat(net._trainer.states()).tobytes())
    finally:
        dr.set_num_threads(0)
    assert len(results) == 1


@BOTH
@TYPES
def test_goes_on_from_a_file_as_if_nothing_had_happened(rng, tmp_path, dtype, method):
    """Between two renewals as well: what is solved with comes from the saved means."""
    X, y = curve(rng, dtype)
    net = network(dtype=dtype, method=method, update_interval=4, momentum=0.5, fisher="sampled")
    for _ in range(6):
        net.train_on_batch(X, y)
    net.save(tmp_path / "model.safetensors")
    loaded, copied = dr.load(tmp_path / "model.safetensors"), net.copy()
    shapes = {k: a.shape for k, a in net._trainer.states().items() if "factor" in k}
    assert (
        shapes
        == {
            "kfac": {
                "dense_1.input_factor": (4, 4),
                "dense_1.output_factor": (5, 5),
                "dense_2.input_factor": (6, 6),
                "dense_2.output_factor": (2, 2),
            },
            "unitwise": {"dense_1.unit_factors": (5, 4, 4), "dense_2.unit_factors": (2, 6, 6)},
        }[method]
    )
    for _ in range(7):
        for each in (net, loaded, copied):
            each.train_on_batch(X, y)
        for each in (loaded, copied):
            assert np.array_equal(flat(net.get_weights()), flat(each.get_weights()))


def test_momentum_and_schedule(rng):
    X, y = curve(rng)
    plain, heavy = network(learning_rate=0.1), network(learning_rate=0.1, momentum=0.9)
    start = flat(plain.get_weights())
    for net in (plain, heavy):
        net.train_on_batch(X, y)
    first = flat(plain.get_weights()) - start
    assert np.array_equal(flat(plain.get_weights()), flat(heavy.get_weights()))
    plain.set_weights(heavy.get_weights())
    before = flat(heavy.get_weights())
    for net in (plain, heavy):
        net.train_on_batch(X, y)
    expected = flat(plain.get_weights()) - before + 0.9 * first
    assert_near(flat(heavy.get_weights()) - before, expected, 1e-12, "second step", np.abs(expected).max())
    halved = network(learning_rate=0.1, schedule=dr.Exponential(0.5, decay_steps=1))
    halved.train_on_batch(X, y)
    assert halved.learning_rate == pytest.approx(0.05)


def test_penalty_and_clipping_act_before(rng):
    """The gradient of the penalty goes through the inverse too; a clipped gradient only gets shorter."""
    X, y = curve(rng)
    choices = ({}, {"clip_norm": 1e-3}, {"l2": 1e-3}, {"l2": 2e-3})
    free, clipped, decayed, twice = (network(**c) for c in choices)
    start = flat(free.get_weights())
    norm = np.linalg.norm(value_and_gradient(free, X, y)[1])
    steps = []
    for net in (free, clipped, decayed, twice):
        net.train_on_batch(X, y)
        steps.append(flat(net.get_weights()) - start)
    size = np.abs(steps[0]).max()
    assert_near(steps[1], steps[0] * 1e-3 / norm, 1e-11, "clipped", size / norm)
    assert np.abs(steps[2] - steps[0]).max() > 1e-4 * size
    assert_near(steps[3] - steps[0], 2 * (steps[2] - steps[0]), 1e-9, "penalty", size)


@BOTH
def test_kl_clip_bounds_the_divergence_of_a_step(rng, method):
    """s^T F s = rate^2 g^T F^-1 g."""
    X, y = curve(rng)
    free = network(method=method, learning_rate=0.7)
    start, gradient = flat(free.get_weights()), value_and_gradient(free, X, y)[1]
    free.train_on_batch(X, y)
    step = flat(free.get_weights()) - start
    divergence = -0.7 * gradient @ step
    assert divergence > 1e-3
    for limit, factor in ((1e-4, np.sqrt(1e-4 / divergence)), (2 * divergence, 1.0)):
        net = network(method=method, learning_rate=0.7, kl_clip=limit)
        net.train_on_batch(X, y)
        assert_near(flat(net.get_weights()) - start, factor * step, 1e-9, "step", np.abs(step).max())


def test_layers_without_parameters_and_nested_ones(rng):
    X, y = curve(rng)
    layers = [
        dr.Standardize(),
        dr.Residual([dr.Dense(3, "tanh")]),
        dr.Dropout(0.2),
        dr.Activation("tanh"),
        dr.Dense(2),
    ]
    net = network(layers, damping=1e-2)
    history = net.fit(X, y, epochs=40, batch_size=None, verbose=0)
    assert history["loss"][-1] < history["loss"][0]
    assert "residual_1.dense_1.input_factor" in net._trainer.states()


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (
            [dr.Dense(4), dr.LayerNorm(), dr.Dense(2)],
            "layer 'layer_norm_1' has the parameter 'layer_norm_1.gain', for which",
        ),
        (
            [dr.Dense(4), dr.BatchNorm(), dr.Dense(2)],
            r"layer 'batch_norm_1' \(batch_norm 4\) looks at all rows",
        ),
        ([dr.RBF(4), dr.Dense(2)], "layer 'rbf_1' has the parameter 'rbf_1"),
    ],
)
def test_layers_that_are_not_covered(rng, layers, text):
    X, y = curve(rng)
    net = network(layers)
    before = flat(net.get_weights())
    with pytest.raises(ValueError, match=f"optimizer 'natural_gradient': {text}"):
        net.fit(X, y, verbose=0)
    assert np.array_equal(before, flat(net.get_weights()))


def test_losses_and_sizes_that_are_not_covered(rng):
    X, y = curve(rng)
    text = "loss 'mae' has no second derivatives .*; allowed: fisher='empirical'"
    with pytest.raises(ValueError, match=text):
        network(loss="mae").fit(X, y, verbose=0)
    net = network(loss="mae", fisher="empirical", damping=1.0)
    assert np.isfinite(net.fit(X, y, verbose=0)["loss"][-1])
    wide = network([dr.Dense(300, "tanh"), dr.Dense(800)], method="unitwise", inputs=3)
    with pytest.raises(ValueError, match=r"layer 'dense_2' .* is too large: .*; allowed: method='kfac'"):
        wide.fit(X, rng.normal(size=(60, 800)), verbose=0)
    many = network([dr.Dense(300)], loss="sparse_softmax_cross_entropy")
    with pytest.raises(ValueError, match="with 300 outputs would take too long: there may be 256"):
        many.fit(X, np.zeros(60, int), verbose=0)
    net = dr.Sequential([dr.Dense(2)], dtype="float64")
    net.compile(dr.NaturalGradient(), "mse", dp_clip_norm=1.0)
    with pytest.raises(ValueError, match="optimizer 'natural_gradient': dp_clip_norm is not allowed"):
        net.fit(X, y, verbose=0)


def test_a_step_that_is_not_finite_is_undone(rng):
    X, y = (a.astype("float32") for a in curve(rng))
    net = network(dtype="float32", damping=1e-30, fisher="empirical", learning_rate=1e38)
    with pytest.raises(dr.NonFiniteError, match="The weights are those of the last finite step"):
        net.fit(X, y, epochs=20, batch_size=20, verbose=0)
    assert np.isfinite(flat(net.get_weights())).all()
    assert all(np.isfinite(a).all() for a in net._trainer.states().values())


def test_bad_settings():
    for name, value in {
        "damping": 0.0,
        "factor_decay": 1.0,
        "update_interval": 0,
        "method": "block",
        "fisher": "true",
    }.items():
        with pytest.raises(ValueError, match=name):
            dr.NaturalGradient(**{name: value})
