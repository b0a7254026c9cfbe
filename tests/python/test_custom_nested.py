"""A custom function may use other networks and functions, custom ones as well."""

from __future__ import annotations

import itertools

import numpy as np

import deltarule as dr

ROWS = itertools.count(200, 50)
"""More each time: what the inner function needs has not been there before."""


def test_activation_that_runs_another_network(rng):
    doubled = dr.custom.activation(lambda x: 2 * x, lambda x: 0 * x + 2, name="nested_inner")
    other = dr.Sequential([dr.Dense(400, activation=doubled)], seed=1)
    other.build(4)

    def tripled(x):
        other.predict(np.ones((next(ROWS), 4), np.float32))
        return 3 * x

    outer = dr.custom.activation(tripled, lambda x: 0 * x + 3, name="nested_outer", check=False)
    net = dr.Sequential([dr.Dense(5, activation=outer), dr.Dense(3, activation=outer)], seed=2)
    net.build(4)
    X = rng.normal(size=(7, 4)).astype(np.float32)
    weights = list(net.get_weights().values())
    expected = 3 * (3 * (X @ weights[0] + weights[1]) @ weights[2] + weights[3])
    for _ in range(5):
        np.testing.assert_allclose(net.predict(X), expected, rtol=1e-5, atol=1e-6)


def test_loss_that_asks_another_loss(rng):
    def quadratic(y, t):
        return ((y - t) ** 2).sum(axis=1) / 2, y - t

    inner = dr.custom.loss(quadratic, name="nested_inner_loss")

    def asking(y, t):
        zeros = np.zeros((next(ROWS), 40), np.float32)
        assert inner(zeros, zeros) == 0
        return quadratic(y, t)

    X, y = rng.normal(size=(64, 4)).astype(np.float32), rng.normal(size=(64, 3)).astype(np.float32)
    trained = []
    for loss in (inner, dr.custom.loss(asking, name="nested_outer_loss", check=False)):
        net = dr.Sequential([dr.Dense(3)], seed=2)
        net.compile(dr.SGD(0.1), loss)
        net.fit(X, y, batch_size=16, epochs=3, verbose=0)
        trained.append(net.get_weights())
    for name, array in trained[0].items():
        np.testing.assert_array_equal(trained[1][name], array)
