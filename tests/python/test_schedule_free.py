"""ScheduleFreeAdamW in a network: training at y, everything else at x."""

import numpy as np
import pytest

import deltarule as dr
from reference.optimizers import schedule_free_adamw

RULE = {"learning_rate": 0.05, "beta_1": 0.8, "weight_decay": 0.01, "warmup_steps": 3}


def problem(rng):
    x = rng.normal(size=(24, 3))
    return x, x @ np.array([1.0, -2, 0.5])[:, None] + 0.1


def network(**chosen):
    net = dr.Sequential([dr.Dense(1)], seed=3, dtype="float64").build(3)
    net.compile(dr.ScheduleFreeAdamW(**RULE | chosen), loss="quadratic")
    return net


def test_the_network_holds_the_average(rng):
    x, t = problem(rng)
    net = network()
    flat = np.concatenate([a.ravel() for a in net.parameters().values()])
    rows = np.column_stack([x, np.ones(len(x))])
    net.fit(x, t, batch_size=6, epochs=5, shuffle=False, verbose=0)
    y, state = flat.copy(), {}
    settings = RULE | {"beta_2": 0.999, "epsilon": 1e-8}
    for step in range(1, 21):
        at = slice(6 * ((step - 1) % 4), 6 * ((step - 1) % 4) + 6)
        gradient = rows[at].T @ (rows[at] @ y - t[at, 0]) / 6
        y = schedule_free_adamw(y, gradient, state, step, **settings)
    got = np.concatenate([a.ravel() for a in net.parameters().values()])
    np.testing.assert_allclose(got, state["other_point"], rtol=1e-10)
    assert np.abs(got - y).max() > 1e-3, "x and y should differ here"
    np.testing.assert_allclose(net.predict(x), rows @ got[:, None], rtol=1e-12)


def weights(net):
    return [a.copy() for a in net.parameters().values()]


def test_training_goes_on_with_the_same_bits(rng, tmp_path):
    """In one go; in two; between batches; from a file; in a copy."""
    x, t = problem(rng)
    plan = {"batch_size": 6, "verbose": 0}
    whole, parts, batches = network(), network(), network()
    whole.fit(x, t, epochs=4, **plan)
    parts.fit(x, t, epochs=1, **plan)
    parts.fit(x, t, epochs=1, **plan)
    parts.save(tmp_path / "net.safetensors")
    loaded, copied = dr.load(tmp_path / "net.safetensors"), parts.copy()
    for net in (parts, loaded, copied):
        net.fit(x, t, epochs=2, **plan)
    batches.fit(x, t, epochs=4, callbacks=[dr.LambdaCallback(on_batch_end=lambda *_: None)], **plan)
    for net in (parts, loaded, copied, batches):
        for a, b in zip(weights(net), weights(whole), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_step_that_failed_leaves_the_average(rng):
    x, t = problem(rng)
    net = network()
    net.fit(x, t, batch_size=6, epochs=2, verbose=0)
    before = weights(net)
    bad = x.copy()
    bad[3] = 1e200
    with pytest.raises(dr.NonFiniteError):
        net.train_on_batch(bad, t * 1e200)
    for a, b in zip(weights(net), before, strict=True):
        np.testing.assert_array_equal(a, b)
    net.fit(x, t, batch_size=6, epochs=1, verbose=0)
    assert all(np.isfinite(a).all() for a in weights(net))
