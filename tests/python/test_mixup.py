"""The shares that mixup draws."""

import numpy as np
import pytest

import deltarule as dr


@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0, 3.0])
def test_mixup_draws_from_beta(alpha):
    """Targets are 1 and 0 by turns, so a mixed one is a share wherever the partner is of the other kind."""
    rows = 20_000
    X = np.eye(2)[np.arange(rows) % 2]
    net = dr.Sequential([dr.Dense(1, use_bias=False)], dtype="float64").build(2)
    net.parameters()["dense_1.weight"][:] = 0
    net.compile(dr.SGD(0.0), loss="mse", mixup=alpha)
    y = X[:, :1].copy()
    seen = [net.train_on_batch(X, y)["loss"] for _ in range(6)]  # means of the squared targets
    equal = 0.5  # the partners are an even number of rows away
    other = 0.25 * (1 + 1 / (2 * alpha + 1))  # an odd number: E[s^2] of Beta(alpha, alpha)
    for value in seen:
        assert min(abs(value - equal), abs(value - other)) < 0.01
    assert any(abs(value - other) < abs(value - equal) for value in seen)
