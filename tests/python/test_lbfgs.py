"""L-BFGS: directions, line search, convergence."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near
from reference.problems import curve, flat, linear, quadratic_problem, small, value_and_gradient
from reference.second_order import lbfgs

TYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


def pairs(net):
    """Steps and changes that the trainer keeps, the latest first; those not used yet are left out."""
    states = net._trainer.states()
    names = list(net.parameters())
    found = []
    for i in range(1, net.compiled.optimizer.history_size + 1):
        s, y = ([np.ravel(states[f"{n}.{kind}_{i}"]) for n in names] for kind in ("step", "change"))
        found.append((np.concatenate(s), np.concatenate(y)))
    return [p for p in found if p[0].any()]


def test_steps_go_along_the_oracles_direction_and_satisfy_the_strong_wolfe_conditions(rng):
    X, y = curve(rng)
    net = small(optimizer=dr.LBFGS(history_size=4)).build(3)
    for step in range(12):
        kept = [(s.copy(), c.copy()) for s, c in pairs(net)] if step else []
        before, (loss, gradient) = flat(net.parameters()).copy(), value_and_gradient(net, X, y)
        assert net.train_on_batch(X, y)["loss"] == pytest.approx(loss, rel=1e-14)
        moved = flat(net.parameters()) - before
        direction = lbfgs(gradient, kept).astype(float)
        length = np.linalg.norm(moved) / np.linalg.norm(direction)
        assert_near(moved, length * direction, 1e-9, f"step {step}", np.abs(moved).max())
        new_loss, new_gradient = value_and_gradient(net, X, y)
        slope = gradient @ direction
        assert slope < 0
        assert new_loss <= loss + 1e-4 * length * slope, step
        assert abs(new_gradient @ direction) <= 0.9 * abs(slope), step
        s, change = pairs(net)[0]
        assert_near(s, moved, 1e-15, "kept step", np.abs(moved).max())
        assert_near(change, new_gradient - gradient, 1e-12, "kept change", np.abs(gradient).max())
    assert len(pairs(net)) == 4
    assert net.step == 12


def test_stricter_curvature_is_obeyed(rng):
    X, y = curve(rng)
    net = small(optimizer=dr.LBFGS(curvature=0.01)).build(3)
    for _ in range(5):
        before, (_, gradient) = flat(net.parameters()).copy(), value_and_gradient(net, X, y)
        net.train_on_batch(X, y)
        moved = flat(net.parameters()) - before
        assert abs(value_and_gradient(net, X, y)[1] @ moved) <= 0.01 * abs(gradient @ moved)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e8])
def test_ill_conditioned_quadratics_as_fast_as_scipy(condition):
    """As many iterations to a gradient of 1e-9 as scipy's L-BFGS-B, give or take the line searches."""
    scipy_optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed: no comparison")
    X, y = quadratic_problem(condition)
    net = linear(gradient_tolerance=1e-9).build(X.shape[1])

    def loss(w):
        r = X @ w - y[:, 0]
        return 0.5 * np.mean(r * r), X.T @ r / len(X)

    start = net.get_weights()["dense_1.weight"][:, 0]
    options = {"maxcor": 10, "maxiter": 20_000, "maxfun": 40_000, "ftol": 0, "gtol": 1e-9}
    peer = scipy_optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    history = net.fit(X, y, epochs=20_000, verbose=0)
    assert "gradient_tolerance" in history.stop_reason
    w = net.get_weights()["dense_1.weight"][:, 0]
    assert np.abs(loss(w)[1]).max() <= 1.001e-9
    assert net.step <= 1.5 * peer.nit + 10, f"{net.step} steps, scipy {peer.nit}"
    assert history["loss"][-1] <= 20 * condition * 1e-18, "more than g^2 / (2 lambda) of 20 directions"


def test_a_narrow_valley_as_deep_as_scipy(rng):
    """Products of weights that have to stay in balance, inputs of unequal size; the loss can become 0."""
    scipy_optimize = pytest.importorskip("scipy.optimize", reason="scipy is not installed: no comparison")
    X = rng.normal(size=(80, 4)) * [1, 0.1, 0.01, 3]
    layers = [dr.Dense(3, "tanh"), dr.Dense(1)]
    y = dr.Sequential(layers, seed=9, dtype="float64").build(4).predict(X)
    net = small(layers=layers, optimizer=dr.LBFGS(gradient_tolerance=1e-12)).build(4)
    twin = net.copy()
    shapes = {k: v.shape for k, v in twin.get_weights().items()}

    def loss(w):
        parts = np.split(w, np.cumsum([np.prod(s) for s in shapes.values()])[:-1])
        twin.set_weights({k: p.reshape(s) for (k, s), p in zip(shapes.items(), parts, strict=True)})
        return value_and_gradient(twin, X, y)

    options = {"maxiter": 400, "maxfun": 4000, "ftol": 0, "gtol": 0}
    peer = scipy_optimize.minimize(
        loss, flat(net.get_weights()), jac=True, method="L-BFGS-B", options=options
    )
    history = net.fit(X, y, epochs=400, verbose=0)
    assert history["loss"][-1] < 1e-5 * history["loss"][0], history
    assert history["loss"][-1] < 30 * peer.fun, f"{history}, scipy {peer.fun}"


@TYPES
def test_the_loss_never_rises_and_training_ends_by_itself(rng, dtype):
    X, y = curve(rng, dtype)
    y += rng.normal(size=y.shape).astype(dtype)  # the least loss is not 0
    net = small(dtype, [dr.Dense(2, "tanh"), dr.Dense(2)], dr.LBFGS(gradient_tolerance=1e-6), metrics=["mae"])
    history = net.fit(X, y, epochs=30_000, validation_data=(X, y), verbose=0)
    slack = 1e-6 if dtype == "float32" else 1e-13  # of rounding, which the search forgives
    losses = np.array(history["loss"])
    assert (losses[1:] <= losses[:-1] * (1 + slack)).all()
    assert len(history) < 30_000
    assert history.stop_reason.startswith(("converged", "no lower loss"))
    assert history.stop_reason in repr(history)
    assert net.step == len(history) - 1, "the epoch that finds convergence makes no step"
    assert net.evaluate(X, y)["loss"] == pytest.approx(history["loss"][-1], rel=1e-5)
    assert history["val_loss"][-1] == pytest.approx(history["loss"][-1], rel=1e-5)
    assert history["val_mae"][-1] == pytest.approx(history["mae"][-1], rel=1e-5)
    weights = flat(net.get_weights())
    again = net.fit(X, y, epochs=5, verbose=0)
    assert len(again) == 1
    assert np.array_equal(weights, flat(net.get_weights()))


def test_each_tolerance_gives_its_reason():
    X, y = quadratic_problem(1e4)
    history = linear(gradient_tolerance=1e-3).fit(X, y, epochs=500, verbose=0)
    assert history.stop_reason.startswith("converged: the largest element of the gradient is")
    assert history.stop_reason.endswith("gradient_tolerance is 0.001")
    history = linear(loss_tolerance=0.99).fit(X, y, epochs=500, verbose=0)
    assert history.stop_reason == (
        "converged: each of the last 5 steps lowered the loss by no more than loss_tolerance = 0.99 of it"
    )
    y = y + np.random.default_rng(1).normal(size=y.shape)  # now the least loss is not 0
    history = linear(gradient_tolerance=0, loss_tolerance=0).fit(X, y, epochs=5000, verbose=0)
    assert history.stop_reason
    assert len(history) < 5000
    assert linear().fit(X, y, epochs=2, verbose=0).stop_reason == ""


@pytest.mark.parametrize("random", [dr.Dropout(0.4), dr.GaussianNoise(0.3), dr.AlphaDropout(0.2)])
def test_random_layers_keep_their_numbers_for_a_whole_step(rng, random):
    """The same step number gives the same mask: on it the loss has gone down."""
    X, y = curve(rng)
    net = small(layers=[dr.Dense(20, "tanh"), random, dr.Dense(2)]).build(3)
    seen = set()
    for _ in range(6):
        before = net.copy()
        loss = net.train_on_batch(X, y)["loss"]
        seen.add(loss)
        before.set_weights(net.get_weights())
        assert before.train_on_batch(X, y)["loss"] < loss
    assert len(seen) == 6


def test_batch_norm_learns_statistics_once_a_step(rng):
    X, y = curve(rng)
    net = small(layers=[dr.Dense(5), dr.BatchNorm(momentum=0.5), dr.Dense(2)]).build(3)
    net.train_on_batch(X, y)
    weights = net.get_weights()
    hidden = X @ weights["dense_1.weight"] + weights["dense_1.bias"]
    means = next(v for k, v in weights.items() if k.endswith("running_mean"))
    assert_near(means, 0.5 * hidden.mean(axis=0), 1e-12, "running mean after one step", 1)


def test_points_that_are_not_finite_are_too_far_and_nothing_else(rng):
    X, y = curve(rng)
    layers = [dr.Dense(6, "softplus"), dr.Dense(2)]
    net = small(layers=layers, optimizer=dr.LBFGS(1e60, max_evaluations=200)).build(3)
    history = net.fit(X, y, epochs=60, verbose=0)
    assert np.isfinite(flat(net.get_weights())).all()
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    net.set_weights({k: np.full_like(v, 1e200) for k, v in net.get_weights().items()})
    before = flat(net.get_weights())
    with pytest.raises(dr.NonFiniteError, match="the loss is not finite"):
        net.fit(X, y, verbose=0)
    assert np.array_equal(before, flat(net.get_weights()))


def test_bad_settings():
    with pytest.raises(ValueError, match="history_size"):
        dr.LBFGS(history_size=0)
    with pytest.raises(ValueError, match="learning_rate"):
        dr.LBFGS(0.0)
    with pytest.raises(ValueError, match="curvature"):
        dr.LBFGS(curvature=1.0)
    net = small(optimizer=dr.LBFGS(sufficient_decrease=0.3, curvature=0.2))
    text = r"optimizer 'lbfgs': sufficient_decrease = 0.3\d* is not allowed: it must be less than curvature"
    with pytest.raises(ValueError, match=text):
        net.fit(np.ones((4, 3)), np.ones((4, 2)), verbose=0)
