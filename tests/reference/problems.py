"""Small problems, and networks in float64 to be trained on them by rules that look at the whole network."""

import numpy as np

import deltarule as dr


def quadratic_problem(condition, columns=20, rows=200):
    """Least squares whose Hessian has eigenvalues from 1 / condition to 1, and a solution of loss 0."""
    rng = np.random.default_rng(3)
    left = np.linalg.qr(rng.normal(size=(rows, columns)))[0]
    right = np.linalg.qr(rng.normal(size=(columns, columns)))[0]
    X = left * np.sqrt(np.geomspace(1, 1 / condition, columns) * rows) @ right.T
    return X, X @ rng.normal(size=(columns, 1))


def linear(**settings):
    net = dr.Sequential([dr.Dense(1, use_bias=False)], seed=1, dtype="float64")
    net.compile(dr.LBFGS(**settings), "quadratic")
    return net


def small(dtype="float64", layers=None, optimizer=None, **compiled):
    net = dr.Sequential(layers or [dr.Dense(7, "tanh"), dr.Dense(2)], seed=4, dtype=dtype)
    net.compile(optimizer or dr.LBFGS(), "mse", **compiled)
    return net


def curve(rng, dtype="float64", rows=60):
    X = rng.normal(size=(rows, 3)).astype(dtype)
    return X, np.stack([np.sin(X.sum(axis=1)), X[:, 0] * X[:, 1]], axis=1).astype(dtype)


def flat(arrays):
    return np.concatenate([np.ravel(a) for a in arrays.values()])


def value_and_gradient(net, X, y):
    loss, slope = dr.kernels.mse(net.forward(X), y)
    net.backward(slope)
    return loss, flat(net.gradients()).copy()
