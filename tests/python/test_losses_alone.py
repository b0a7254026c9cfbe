"""What single losses of the catalogue promise beside their formulas."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near


def test_sparse_is_softmax_cross_entropy_of_one_hot(rng):
    prediction = rng.normal(size=(50, 6)) * 3
    labels = rng.integers(0, 6, 50)
    for smoothing in (0, 0.2):
        sparse, a = dr.kernels.sparse_softmax_cross_entropy(prediction, labels, label_smoothing=smoothing)
        dense, b = dr.kernels.softmax_cross_entropy(prediction, np.eye(6)[labels], label_smoothing=smoothing)
        assert sparse == pytest.approx(dense, rel=1e-14)
        assert_near(a, b, 1e-14, "gradient", np.abs(a).max())


def test_alpha_loss_at_its_ends_and_near_one(rng):
    z, labels = rng.normal(size=(50, 5)) * 3, rng.integers(0, 5, 50)
    cross_entropy, slope = dr.kernels.sparse_softmax_cross_entropy(z, labels, reduction="none")
    for alpha in (1, 1 + 1e-12, 1 - 1e-12):
        loss, gradient = dr.kernels.alpha_loss(z, labels, reduction="none", alpha=alpha)
        assert_near(loss, cross_entropy, 1e-10, "loss")
        assert_near(gradient, slope, 1e-10, "gradient")
    loss, _ = dr.kernels.alpha_loss(z, labels, reduction="none", alpha=np.inf)
    assert_near(loss, -np.expm1(-cross_entropy), 1e-12, "1 - p")
    endless = dr.losses.AlphaLoss(alpha=np.inf)
    assert dr.losses.Loss.from_config(endless.config()) == endless
    net = dr.Sequential([dr.Dense(5)], seed=1).build(5)
    net.compile("sgd", loss=endless)
    assert net.evaluate(z, labels)["loss"] > 0


def test_focal_losses_without_focus_are_cross_entropies(rng):
    z, labels, t = rng.normal(size=(50, 5)) * 3, rng.integers(0, 5, 50), rng.integers(0, 2, (50, 5)) * 1.0
    for ours, theirs, factor in (
        (dr.kernels.focal(z, labels, gamma=0), dr.kernels.sparse_softmax_cross_entropy(z, labels), 1),
        (dr.kernels.binary_focal(z, t, gamma=0, alpha=0.5), dr.kernels.sigmoid_cross_entropy(z, t), 10),
    ):
        assert factor * ours[0] == pytest.approx(theirs[0], rel=1e-13)
        assert_near(factor * ours[1], theirs[1], 1e-13, "gradient", np.abs(theirs[1]).max())


def test_ignored_labels_count_as_absent(rng):
    z, labels = rng.normal(size=(6, 4)), np.array([0, -100, 3, 2, -100, 1])
    present = labels >= 0
    f = dr.kernels.sparse_softmax_cross_entropy
    for weight in (None, rng.uniform(0.5, 2, 6)):
        loss, gradient = f(z, labels, weight)
        expected, slope = f(z[present], labels[present], None if weight is None else weight[present])
        assert loss == pytest.approx(expected, rel=1e-14)
        assert_near(gradient[present], slope, 1e-14, "gradient", 1)
        assert (gradient[~present] == 0).all()
    with pytest.raises(ValueError, match=r"target\[1\] = -100 is not a class"):
        f(z, labels, ignore_index=7)
    assert f(z, np.full(6, 2), ignore_index=2)[0] == 0
    nets = [dr.Sequential([dr.Dense(4)], seed=1, dtype="float64").build(4) for _ in range(2)]
    for net, rows in zip(nets, (np.arange(6), np.flatnonzero(present)), strict=True):
        net.compile(dr.SGD(0.5), loss="sparse_softmax_cross_entropy", metrics=["accuracy", "top_k"])
        net.fit(z[rows], labels[rows], batch_size=6, epochs=3, shuffle=False, verbose=0)
    figures = [net.evaluate(z, labels) for net in nets]
    assert figures[0] == pytest.approx(figures[1], rel=1e-12)
    for a, b in zip(*(net.parameters().values() for net in nets), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def train(net, loss, x, y):
    net.compile("sgd", loss=loss)
    net.fit(x, y, verbose=0)


def test_zero_one_is_no_loss_to_train_on():
    net = dr.Sequential([dr.Dense(3)]).build(2)
    with pytest.raises(ValueError, match="loss 'zero_one' cannot be trained on: its derivative is 0"):
        train(net, "zero_one", np.zeros((4, 2)), np.zeros(4, int))
    assert dr.losses.ZeroOne()(np.eye(3), [0, 1, 0]) == pytest.approx(1 / 3)


def test_targets_of_margins_are_signs():
    net = dr.Sequential([dr.Dense(1)]).build(2)
    net.compile("sgd", loss="hinge", metrics=["accuracy"])
    text = r"y\[0, 0\] = 0 is no target of the loss 'hinge'; allowed: -1 and 1 \(2 \* y - 1 makes"
    with pytest.raises(ValueError, match=text):
        net.fit(np.ones((2, 2)), [0, 1], verbose=0)
    net.fit(np.ones((2, 2)), [-1, 1], epochs=1, class_weight={0: 2.0, 1: 1.0}, verbose=0)


def test_a_network_that_says_how_sure_it_is(rng):
    x = rng.normal(size=(4000, 1))
    y = 2 * x + 0.5 * rng.normal(size=x.shape)
    net = dr.Sequential([dr.Dense(2)], seed=1).build(1)
    net.compile(dr.Adam(0.05), loss="gaussian_nll")
    net.fit(x, y, epochs=20, batch_size=200, verbose=0)
    mean, log_variance = net.predict(x).T
    np.testing.assert_allclose(mean, 2 * x[:, 0], atol=0.1)
    np.testing.assert_allclose(np.exp(log_variance / 2), 0.5, atol=0.05)
    with pytest.raises(ValueError, match=r"y has shape \(4000, 2\)"):
        net.fit(x, np.hstack([y, y]), verbose=0)
    wrong = dr.Sequential([dr.Dense(3)]).build(1)
    with pytest.raises(ValueError, match="needs 2 outputs for each target; the network has 3"):
        train(wrong, "gaussian_nll", x, y)
