"""L-BFGS within `fit`: batches, callbacks, threads, files, and settings that do not go with it."""

from itertools import pairwise

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near
from reference.problems import curve, flat, linear, quadratic_problem, small

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def test_a_fit_of_one_epoch_at_a_time_is_the_same_as_one_fit(rng):
    X, y = curve(rng)
    whole, parts = small(), small()
    whole.fit(X, y, epochs=20, verbose=0)
    for _ in range(20):
        parts.fit(X, y, epochs=1, verbose=0)
    assert np.array_equal(flat(whole.get_weights()), flat(parts.get_weights()))


def test_what_changed_between_two_steps_is_noticed(rng):
    """Loss and gradient where a step begins are those of data and weights as they are, not as they were."""
    X, y = curve(rng)
    net = small().build(3)
    batch, goal, weight = X.copy(), y.copy(), np.ones(60)
    changes = [
        lambda: None,
        lambda: goal.__setitem__((3, 1), 2.0),
        lambda: batch.__setitem__((59, 2), 7.0),
        lambda: weight.__setitem__(slice(30), 2.0),
        lambda: net.set_weights({k: 0.5 * v for k, v in net.get_weights().items()}),
    ]
    for change in changes:
        for _ in range(2):
            net.train_on_batch(batch, goal, weight)
        change()
        expected = dr.kernels.mse(net.forward(batch), goal, weight)[0]
        before, direction = net.copy(), flat(net.get_weights())
        assert net.train_on_batch(batch, goal, weight)["loss"] == pytest.approx(expected, rel=1e-14)
        before.train_on_batch(batch, goal, weight)  # knows nothing of earlier evaluations
        assert np.array_equal(flat(net.get_weights()), flat(before.get_weights()))
        assert not np.array_equal(flat(net.get_weights()), direction)


@TYPES
def test_same_bits_for_any_number_of_threads(rng, dtype):
    X = rng.normal(size=(3000, 40)).astype(dtype)
    y = rng.integers(0, 5, 3000)
    results = set()
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            layers = [dr.Dense(64, "relu"), dr.Dropout(0.1), dr.Dense(5)]
            net = dr.Sequential(layers, seed=2, dtype=dtype)
            net.compile("lbfgs", "sparse_softmax_cross_entropy")
            net.fit(X, y, epochs=12, verbose=0)
            results.add(flat(net.get_weights()).tobytes() + flat(net._trainer.states()).tobytes())
    finally:
        dr.set_num_threads(0)
    assert len(results) == 1


@TYPES
def test_goes_on_from_a_file_as_if_nothing_had_happened(rng, tmp_path, dtype):
    X, y = curve(rng, dtype)
    net = small(dtype)
    net.fit(X, y, epochs=7, verbose=0)
    net.save(tmp_path / "model.safetensors")
    loaded = dr.load(tmp_path / "model.safetensors")
    copied = net.copy()
    for each in (net, loaded, copied):
        each.fit(X, y, epochs=10, verbose=0)
    assert loaded.compiled.optimizer == net.compiled.optimizer
    for each in (loaded, copied):
        assert np.array_equal(flat(net.get_weights()), flat(each.get_weights()))
        assert each.step == net.step == 17


def test_batches(rng):
    X, y = curve(rng, rows=64)
    net = small()
    net.fit(X, y, epochs=3, verbose=0)
    assert net.step == 3, "all rows are one batch by default"
    net.fit(X, y, epochs=3, batch_size=16, verbose=0)
    assert net.step == 3 + 12
    net = small()
    history = net.fit(X, y, epochs=30, batch_size=16, verbose=0)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    with pytest.raises(TypeError, match="batch_size is 'all'; allowed: a whole number"):
        net.fit(X, y, batch_size="all", verbose=0)


def test_penalties_are_part_of_the_loss():
    X, y = quadratic_problem(100)
    net = linear()
    net.compile(dr.LBFGS(gradient_tolerance=1e-12, loss_tolerance=0), "quadratic", l2=0.05)
    history = net.fit(X, y, epochs=1000, verbose=0)
    exact = np.linalg.solve(X.T @ X / len(X) + 2 * 0.05 * np.eye(20), X.T @ y / len(X))
    assert_near(net.get_weights()["dense_1.weight"], exact, 1e-9, "ridge regression", np.abs(exact).max())
    least = 0.5 * np.mean((X @ exact - y) ** 2) + 0.05 * np.sum(exact**2)
    assert history["loss"][-1] == pytest.approx(least, rel=1e-9)
    assert net.evaluate(X, y)["loss"] == pytest.approx(least, rel=1e-9)


def test_weights_of_rows(rng):
    """A row of weight 2 counts as two rows."""
    X, y = curve(rng)
    weight = np.where(np.arange(60) < 20, 2.0, 1.0)
    once, twice = small(), small()
    once.fit(X, y, epochs=6, sample_weight=weight, verbose=0)
    twice.fit(np.vstack([X, X[:20]]), np.vstack([y, y[:20]]), epochs=6, verbose=0)
    assert_near(flat(once.get_weights()), flat(twice.get_weights()), 1e-8, "weights", 1)


def test_average_of_the_weights_moves_with_the_steps(rng):
    X, y = curve(rng)
    net = small(average=dr.EMA(0.0))
    net.fit(X, y, epochs=5, verbose=0)
    assert np.array_equal(flat(net.average_weights()), flat(net.get_weights()))


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"clip_norm": 1.0}, "clip_norm or clip_value is not allowed"),
        ({"clip_value": 1.0}, "clip_norm or clip_value is not allowed"),
        ({"l1": 0.1}, r"l1 \(parameter 'dense_1.weight'\) is not allowed: .*; allowed: l2"),
        ({"max_norm": 1.0}, r"max_norm \(parameter 'dense_1.weight'\) is not allowed"),
        ({"mixup": 0.2}, "mixup is not allowed: it changes the loss from step to step"),
        ({"dp_clip_norm": 1.0}, "dp_clip_norm is not allowed"),
        (
            {"parameter_groups": [{"match": "*.bias", "learning_rate_factor": 2.0}]},
            r"learning_rate_factor \(parameter 'dense_1.bias'\) is not allowed",
        ),
    ],
)
def test_what_does_not_go_with_it(rng, setting, text):
    X, y = curve(rng)
    net = small(**setting)
    with pytest.raises(ValueError, match=f"optimizer 'lbfgs': {text}"):
        net.fit(X, y, verbose=0)


def test_callbacks_batches_and_early_stopping(rng):
    X, y = curve(rng)
    seen = []
    log = dr.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(logs["loss"]),
        on_batch_end=lambda batch, logs: seen.append(batch),
    )
    net = small()
    history = net.fit(X, y, epochs=3, callbacks=[log], verbose=0)
    assert seen == [0, history["loss"][0], 0, history["loss"][1], 0, history["loss"][2]]
    net = small()
    stop = dr.EarlyStopping("val_loss", patience=1)
    history = net.fit(X, y, epochs=5000, validation_data=(X[::-1], -y), callbacks=[stop], verbose=0)
    assert len(history) < 5000
    assert history.stop_reason == ""


def test_convergence_on_one_batch_is_not_the_end(rng):
    """A batch whose gradient is 0 makes no step, but counts as one."""
    X, y = curve(rng)
    net = small().build(3)
    y[:16] = net.predict(X[:16])
    seen = [flat(net.get_weights())]
    look = dr.LambdaCallback(on_batch_end=lambda *_: seen.append(flat(net.get_weights())))
    history = net.fit(X, y, epochs=1, batch_size=16, shuffle=False, callbacks=[look], verbose=0)
    assert history.stop_reason == ""
    assert net.step == 4
    assert [np.array_equal(a, b) for a, b in pairwise(seen)] == [True, False, False, False]
