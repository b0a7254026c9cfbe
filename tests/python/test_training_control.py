"""Parameter groups, penalties, constraints, mixup, averages and DP-SGD against plain NumPy."""

import pickle

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

RATE = 0.1
TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
TOLERANCE = {"float32": 2e-6, "float64": 1e-13}


def data(rng, rows=50, outputs=3):
    return rng.normal(size=(rows, 6)), rng.normal(size=(rows, outputs))


def network(optimizer="sgd", layers=None, dtype="float64", seed=4, loss="mse", **control):
    layers = layers or [dr.Dense(7, "tanh", name="first"), dr.Dense(3, name="last")]
    net = dr.Sequential(layers, seed=seed, dtype=dtype).build(6)
    net.compile(dr.SGD(RATE) if optimizer == "sgd" else optimizer, loss=loss, **control)
    return net


def gradients(net, X, y):
    """Gradients of the mean squared error by the public pieces, and the loss."""
    twin = net.copy()
    loss, slope = dr.kernels.mse(twin.forward(X), y)
    twin.backward(slope)
    return {k: g.copy() for k, g in twin.gradients().items()}, float(loss)


def row_gradients(net, X, y):
    """Gradient of every row's own loss."""
    return [gradients(net, X[i : i + 1], y[i : i + 1])[0] for i in range(len(X))]


NORMED = [dr.Dense(7, name="first"), dr.LayerNorm(name="norm"), dr.Dense(3, name="last")]


def test_groups_scale_the_rate_and_replace_the_decay(rng):
    X, y = data(rng)
    groups = [
        {"match": "first.*", "learning_rate_factor": 0.25, "weight_decay": 0.0},
        {"match": "*.bias", "weight_decay": 0.3},
        {"match": "last.weigh?", "learning_rate_factor": 3},
    ]
    net = network(dr.SGD(RATE, weight_decay=0.5), parameter_groups=groups)
    wanted = {}
    kinds = {
        "first.weight": (0.25, 0),
        "first.bias": (0.25, 0.3),
        "last.weight": (3, 0.5),
        "last.bias": (1, 0.3),
    }
    for array in net.parameters().values():
        array[...] = array + 0.1  # biases begin at zero, where a decay has no effect
    slopes, _ = gradients(net, X, y)
    for name, (factor, decay) in kinds.items():
        w = net.parameters()[name]
        wanted[name] = w - RATE * factor * (slopes[name] + decay * w)
    net.train_on_batch(X, y)
    for name, array in net.parameters().items():
        assert_near(array, wanted[name], 1e-13, name, 1)


def test_decay_exclude_leaves_biases_and_norms_alone(rng):
    X, y = data(rng)
    decayed, plain = (
        network(dr.AdamW(RATE, weight_decay=d), layers=NORMED, decay_exclude="bias_and_norm")
        for d in (0.5, 0.0)
    )
    everywhere = network(dr.AdamW(RATE, weight_decay=0.5), layers=NORMED)
    for net in (decayed, plain, everywhere):
        for array in net.parameters().values():
            array[...] = array + 0.2
        net.train_on_batch(X, y)
    for name, array in decayed.parameters().items():
        excluded = not name.endswith("weight")
        assert np.array_equal(array, plain.parameters()[name]) == excluded, name
        assert np.array_equal(array, everywhere.parameters()[name]) != excluded, name


@TYPES
@pytest.mark.parametrize(("l1", "l2"), [(0.02, 0), (0, 0.03), (0.02, 0.03)])
def test_penalties_enter_loss_and_gradient(l1, l2, dtype, rng):
    X, y = (a.astype(dtype) for a in data(rng))
    net = network(dtype=dtype, l1=l1, l2=l2)
    net.parameters()["first.weight"][0, :2] = 0  # the slope of |w| at 0 is 0
    before = {k: a.astype(float) for k, a in net.parameters().items()}
    slopes, loss = gradients(net, X, y)
    weights = [w for name, w in before.items() if name.endswith("weight")]
    penalty = sum(l1 * abs(w).sum() + l2 * (w**2).sum() for w in weights)
    assert net.evaluate(X, y)["loss"] == pytest.approx(loss + penalty, rel=1e-6)
    assert net.train_on_batch(X, y)["loss"] == pytest.approx(loss + penalty, rel=1e-6)
    for name, array in net.parameters().items():
        g = slopes[name].astype(float)
        if name.endswith("weight"):
            g = g + l1 * np.sign(before[name]) + 2 * l2 * before[name]
        assert_near(array, before[name] - RATE * g, TOLERANCE[dtype], name, 1)


def test_penalty_of_one_layer_and_history(rng):
    """The history's loss is the mean over the steps of loss and penalty."""
    X, y = data(rng, 60)
    net, by_hand = (network(parameter_groups=[{"match": "last.*", "l2": 0.1}]) for _ in range(2))
    history = net.fit(X, y, batch_size=25, shuffle=False)
    seen = [by_hand.train_on_batch(X[i : i + 25], y[i : i + 25])["loss"] for i in (0, 25, 50)]
    assert history["loss"][0] == pytest.approx(np.average(seen, weights=[25, 25, 10]), rel=1e-12)
    assert np.array_equal(net.parameters()["last.bias"], by_hand.parameters()["last.bias"])
    assert net.parameters()["last.bias"].any()


@TYPES
def test_max_norm_per_unit(dtype, rng):
    X, y = (a.astype(dtype) for a in data(rng))
    free, bound = network(dtype=dtype), network(dtype=dtype, max_norm=0.8)
    free.train_on_batch(X, y)
    bound.train_on_batch(X, y)
    shrunk = 0
    for name, array in bound.parameters().items():
        w = free.parameters()[name].astype(float)
        if name.endswith("weight"):
            norms = np.sqrt((w**2).sum(axis=0))
            shrunk += (norms > 0.8).sum()
            w = w * np.minimum(1, 0.8 / norms)
        assert_near(array, w, TOLERANCE[dtype], name, 1)
    assert 0 < shrunk < 10


@TYPES
def test_ema_follows_every_step(dtype, rng):
    X, y = (a.astype(dtype) for a in data(rng))
    for control in ({}, {"max_norm": 0.8}, {"clip_norm": 0.1}):
        net = network("adam", dtype=dtype, average=dr.EMA(0.8), **control)
        average = None
        for _ in range(6):
            net.train_on_batch(X, y)
            now = {k: a.astype(float) for k, a in net.parameters().items()}
            average = now if average is None else {k: 0.8 * average[k] + 0.2 * a for k, a in now.items()}
        for name, array in net.average_weights().items():
            assert_near(array, average[name], TOLERANCE[dtype], name, 1)
            assert not np.array_equal(array, net.parameters()[name])


def test_swa_is_the_mean_of_epochs(rng):
    X, y = data(rng)
    net = network("adam", average=dr.SWA(start_epoch=2))
    seen = []
    keep = dr.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(net.get_weights()) if epoch >= 2 else None
    )
    net.fit(X, y, epochs=2, batch_size=20)
    with pytest.raises(RuntimeError, match="nothing has been averaged yet"):
        net.average_weights()
    net.fit(X, y, epochs=3, batch_size=20, callbacks=[keep])
    for name, array in net.average_weights().items():
        assert_near(array, np.mean([w[name] for w in seen], axis=0), 1e-13, name, 1)
    own, averages = net.get_weights(), net.average_weights()
    with net.use_average():
        assert all(np.array_equal(a, averages[k]) for k, a in net.parameters().items())
    assert all(np.array_equal(a, own[k]) for k, a in net.parameters().items())


@pytest.mark.parametrize("average", [dr.EMA(0.9, use_at_end=True), dr.SWA(1, use_at_end=True)])
def test_average_at_the_end_of_fit(average, rng):
    X, y = data(rng)
    net, plain = network("adam", average=average), network("adam", average=type(average)())
    for n in (net, plain):
        n.fit(X, y, epochs=3)
    averages = net.average_weights()
    for name, array in net.parameters().items():
        assert np.array_equal(array, averages[name])
        assert not np.array_equal(array, plain.parameters()[name])


def test_mixup_mixes_inputs_and_targets_alike(rng):
    """With inputs that are their own targets a linear identity has no error, mixed or not; others have."""
    X = rng.normal(size=(64, 3))
    net = dr.Sequential([dr.Dense(3)], dtype="float64").build(3)
    net.parameters()["dense_1.weight"][:] = 2 * np.eye(3)
    net.compile(dr.SGD(0.0), loss="mse", mixup=0.4)
    assert net.train_on_batch(X, 2 * X)["loss"] < 1e-28
    spread = net.train_on_batch(X, np.zeros_like(X))["loss"]
    plain = (4 * X**2).mean()
    assert 0.3 * plain < spread < plain  # mixing takes variance away
    assert net.train_on_batch(X, np.zeros_like(X))["loss"] != spread  # other shares in every step
    assert net.evaluate(X, np.zeros_like(X))["loss"] == pytest.approx(plain, rel=1e-12)


@TYPES
@pytest.mark.parametrize("use_bias", [True, False])
def test_dp_clips_the_gradient_of_every_row(use_bias, dtype, rng):
    X, y = (a.astype(dtype) for a in data(rng, 40))
    layers = [
        dr.Dense(7, use_bias=use_bias, name="first"),
        dr.Activation("tanh"),
        dr.Dense(3, "sigmoid", use_bias=use_bias, name="last"),
    ]
    net = network(layers=layers, dtype=dtype, dp_clip_norm=0.5)
    before = net.get_weights()
    total, clipped = dict.fromkeys(before, 0.0), 0
    for own in row_gradients(net, X, y):
        norm = np.sqrt(sum((g.astype(float) ** 2).sum() for g in own.values()))
        clipped += norm > 0.5
        total = {k: total[k] + own[k] * min(1, 0.5 / norm) / len(X) for k in total}
    assert 3 < clipped < 38, "some rows must be clipped and some not"
    net.train_on_batch(X, y)
    for name, array in net.parameters().items():
        assert_near(array, before[name] - RATE * total[name], TOLERANCE[dtype], name, 1)


def test_dp_noise_is_normal_and_of_the_promised_size(rng):
    X, y = rng.normal(size=(50, 300)), rng.normal(size=(50, 200))
    steps = []
    for noise in (0.0, 1.5):
        net = dr.Sequential([dr.Dense(200)], dtype="float64", seed=3).build(300)
        net.compile(dr.SGD(1.0), loss="mse", dp_clip_norm=0.7, dp_noise_multiplier=noise)
        net.train_on_batch(X, y)
        first = net.get_weights()["dense_1.weight"]
        steps.append(first)
    z = ((steps[0] - steps[1]) / (1.5 * 0.7 / 50)).ravel()
    n = z.size
    assert abs(z.mean()) < 5 / np.sqrt(n)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / n)
    assert abs((z**4).mean() - 3) < 5 * np.sqrt(96 / n)
    assert np.unique(z).size == n


HARD = {
    "groups": {
        "decay_exclude": "bias_and_norm",
        "parameter_groups": [{"match": "dense_1.*", "learning_rate_factor": 0.1}],
        "average": dr.EMA(0.9),
    },
    "penalties": {"l1": 1e-4, "l2": 1e-3, "max_norm": 0.7, "clip_norm": 0.5, "average": dr.SWA(1)},
    "mixup": {"mixup": 0.3, "average": dr.EMA(0.9)},
    "privacy": {"dp_clip_norm": 0.1, "dp_noise_multiplier": 0.8, "l2": 1e-4},
}


def trained(control, epochs, dtype="float32"):
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(900, 40)).astype(dtype), rng.normal(size=(900, 5)).astype(dtype)
    layers = [dr.Dense(300, "relu"), dr.Dropout(0.2), dr.Dense(130, "tanh"), dr.Dense(5)]
    net = dr.Sequential(layers, seed=2, dtype=dtype)
    net.compile(dr.AdamW(0.01), loss="mse", **control)
    for n in epochs:
        history = net.fit(X, y, epochs=n, batch_size=128)
    return net, X, y, history


def all_bytes(net):
    parts = [*net.get_weights().values()]
    if net.compiled.control.average is not None:
        parts += net.average_weights().values()
    return b"".join(a.tobytes() for a in parts)


@pytest.mark.parametrize("control", HARD.values(), ids=HARD)
@TYPES
def test_same_bytes_for_any_number_of_threads(control, dtype):
    results = set()
    try:
        for threads in (1, 2, 3, 4):
            dr.set_num_threads(threads)
            net, *_, history = trained(control, [2], dtype)
            results.add(all_bytes(net) + repr(history["loss"]).encode())
    finally:
        dr.set_num_threads(None)
    assert len(results) == 1
    assert all_bytes(trained({}, [2], dtype)[0]) not in results


@pytest.mark.parametrize("control", HARD.values(), ids=HARD)
def test_goes_on_where_it_was(control, tmp_path):
    """By a second fit, a file, a copy and a pickle: the same bits as without a break."""
    whole = all_bytes(trained(control, [4])[0])
    net, X, y, _ = trained(control, [2])
    net.save(tmp_path / "net.safetensors")
    again = [dr.load(tmp_path / "net.safetensors"), net.copy(), pickle.loads(pickle.dumps(net)), net]
    for n in again:
        assert n.compiled.control == net.compiled.control
        n.fit(X, y, epochs=2, batch_size=128)
        assert all_bytes(n) == whole


@pytest.mark.parametrize("control", HARD.values(), ids=HARD)
def test_not_finite_gives_the_last_good_state(control, rng):
    """A rate that overflows: weights, averages and counts are those before the bad step."""
    X, y = rng.normal(size=(64, 4)).astype("float32"), rng.normal(size=(64, 2)).astype("float32")

    def made():
        net = dr.Sequential([dr.Dense(8, name="dense_1"), dr.Dense(2)]).build(4)
        net.compile(dr.SGD(1e18, weight_decay=1e-3), loss="mse", **{**control, "max_norm": None})
        return net

    net, by_hand = made(), made()
    with pytest.raises(dr.NonFiniteError):
        net.fit(X, y, epochs=2, batch_size=16, shuffle=False)
    assert all(np.isfinite(a).all() for a in net.get_weights().values())
    for i in range(net.step):
        by_hand.train_on_batch(X[16 * i : 16 * i + 16], y[16 * i : 16 * i + 16])
    assert net.step < 8
    for name, array in net.parameters().items():
        assert np.array_equal(array, by_hand.parameters()[name])


BAD = [
    ({"l1": -1}, "l1 = -1"),
    ({"max_norm": 0}, "max_norm = 0"),
    ({"mixup": -0.1}, "mixup = -0.1"),
    ({"decay_exclude": "bias"}, "decay_exclude = 'bias' is not allowed; allowed: 'bias_and_norm'"),
    ({"average": "ema"}, "average is 'ema'; allowed: EMA"),
    ({"parameter_groups": {"match": "*"}}, "parameter_groups is"),
    ({"parameter_groups": [{"weight_decay": 0}]}, "match = None"),
    ({"parameter_groups": [{"match": "*", "rate": 1}]}, "has the key 'rate'; allowed: match, learning_rate"),
    ({"parameter_groups": [{"match": "*", "l2": np.nan}]}, "l2"),
    ({"dp_noise_multiplier": 1.0}, "without dp_clip_norm"),
    ({"dp_clip_norm": 0.0}, "dp_clip_norm = 0"),
    ({"mixup": 0.2, "dp_clip_norm": 1.0}, "both given"),
    ({"mixup": 0.2, "loss": "sparse_softmax_cross_entropy"}, "takes class labels"),
]


@pytest.mark.parametrize(("control", "message"), BAD)
def test_bad_settings_are_refused_by_compile(control, message):
    with pytest.raises((ValueError, TypeError), match=message.replace("(", r"\(")):
        network(**control)


def test_what_does_not_fit_the_network_is_refused_before_anything_changes(rng):
    X, y = data(rng)
    for layers, control, message in (
        (
            None,
            {"parameter_groups": [{"match": "frist.*", "l2": 1}]},
            "'frist.\\*' matches no parameter; there are",
        ),
        (None, {"parameter_groups": [{"match": "*.bias", "max_norm": 1}]}, "matches no weight matrix"),
        (NORMED, {"dp_clip_norm": 1.0}, "layer 'norm' .* has no gradient norm per row"),
        ([dr.BatchNorm(), dr.Dense(3)], {"dp_clip_norm": 1.0}, "batch_norm"),
    ):
        net = network(layers=layers, **control)
        before = net.get_weights()
        with pytest.raises(ValueError, match=message):
            net.fit(X, y)
        assert all(np.array_equal(a, before[k]) for k, a in net.get_weights().items())
    for control in ({"mixup": 0.2}, {"dp_clip_norm": 1.0}):
        net = network(**control)
        with pytest.raises(ValueError, match="sample_weight or class_weight is given"):
            net.fit(X, y, sample_weight=np.ones(50))
        with pytest.raises(ValueError, match="weights of rows are given"):
            net.train_on_batch(X, y, np.ones(50))


def test_average_needs_to_be_asked_for(rng):
    with pytest.raises(RuntimeError, match="no average is kept"):
        network().average_weights()
    for bad in (lambda: dr.EMA(1.0), lambda: dr.EMA(-0.1), lambda: dr.SWA(-1), lambda: dr.SWA(0.5)):
        with pytest.raises((ValueError, TypeError), match="allowed"):
            bad()


@pytest.mark.parametrize("name", sorted(set(dr.optimizers.__all__) - {"LBFGS", "Optimizer"}))
def test_a_rate_of_zero_freezes(rng, name):
    X, y = data(rng)
    if name == "DeltaRule":
        layers, loss, frozen = [dr.Dense(3, name="last")], "quadratic", "last.bias"
    else:
        layers, loss, frozen = None, "mse", "first.*"
    net = network(
        getattr(dr, name)(),
        layers,
        loss=loss,
        max_norm=0.1,
        parameter_groups=[{"match": frozen, "learning_rate_factor": 0}],
    )
    before = net.get_weights()
    net.fit(X, y, epochs=3, batch_size=10, verbose=0)
    after = net.get_weights()
    for array, start in before.items():
        same = np.array_equal(start, after[array])
        assert same == (array.startswith("first") or array == frozen), array
