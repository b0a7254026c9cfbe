"""Data, settings and small networks for tests of `fit_many`."""

import numpy as np

import deltarule as dr

LOSS = "sparse_softmax_cross_entropy"
COMMON = {"loss": LOSS, "metrics": ["accuracy"], "epochs": 2, "verbose": 0}
ROWS = 90


def two_classes(rng):
    """Inputs, and the sign of the first of them."""
    X = rng.normal(size=(ROWS, 4)).astype(np.float32)
    return X, (X[:, 0] > 0).astype(int)


def build(units=5, activation="tanh"):
    return dr.Sequential([dr.Dense(units, activation), dr.Dense(2)])
