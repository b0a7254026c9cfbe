"""A dense network in plain NumPy, written for speed: arrays are made once, operations work in place."""

from itertools import pairwise

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


class NumpyMLP:
    """ReLU layers with softmax cross-entropy (integer labels) or mean squared error, trained by Adam.

    All parameters lie in one flat array, as do the gradients and Adam's two moments, so that an update is a
    few passes over one array instead of a few for each layer.
    """

    def __init__(
        self, sizes: list[int], classes: bool, batch_size: int, learning_rate: float, seed: int
    ) -> None:
        self.classes, self.rate, self.sizes = classes, learning_rate, sizes
        self.generator = np.random.default_rng(seed)
        shapes: list[tuple[int, ...]] = [shape for a, b in pairwise(sizes) for shape in ((a, b), (b,))]
        counts = [int(np.prod(shape)) for shape in shapes]
        flat = [np.zeros(sum(counts), np.float32) for _ in range(5)]
        self.parameters, self.gradients, self.first, self.second, self.scratch = flat
        ends = np.cumsum(counts)[:-1]
        views = [
            [part.reshape(shape) for part, shape in zip(np.split(array, ends), shapes, strict=True)]
            for array in (self.parameters, self.gradients)
        ]
        self.W, self.b = views[0][0::2], views[0][1::2]
        self.dW, self.db = views[1][0::2], views[1][1::2]
        for W in self.W:
            np.multiply(self.generator.standard_normal(W.shape, np.float32), (2 / len(W)) ** 0.5, out=W)
        self.y = [np.empty((batch_size, size), np.float32) for size in sizes]
        self.dy = [np.empty((batch_size, size), np.float32) for size in sizes[1:]]
        self.row = np.empty((batch_size, 1), np.float32)
        self.rows = np.arange(batch_size)
        self.step = 0

    def fit(self, X: Floats, y: npt.NDArray[np.generic], epochs: int) -> None:
        """Train over all rows in a new order each epoch; the last batch may be smaller."""
        batch = len(self.rows)
        target = np.empty((batch, *y.shape[1:]), y.dtype)
        for _ in range(epochs):
            order = self.generator.permutation(len(X))
            for start in range(0, len(X), batch):
                chosen = order[start : start + batch]
                n = len(chosen)
                np.take(X, chosen, axis=0, out=self.y[0][:n], mode="clip")
                np.take(y, chosen, axis=0, out=target[:n], mode="clip")
                self._forward(n)
                self._backward(n, target[:n])
                self._update()

    def _forward(self, n: int) -> None:
        last = len(self.W) - 1
        for layer, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            out = self.y[layer + 1][:n]
            np.matmul(self.y[layer][:n], W, out=out)
            out += b
            if layer < last:
                np.maximum(out, 0, out=out)

    def _backward(self, n: int, target: npt.NDArray[np.generic]) -> None:
        dy = self.dy[-1][:n]
        output, row = self.y[-1][:n], self.row[:n]
        if self.classes:  # softmax(output) - one_hot(target)
            np.max(output, axis=1, keepdims=True, out=row)
            np.subtract(output, row, out=dy)
            np.exp(dy, out=dy)
            np.sum(dy, axis=1, keepdims=True, out=row)
            dy /= row
            dy[self.rows[:n], target] -= 1
            dy *= np.float32(1 / n)
        else:
            np.subtract(output, target, out=dy)
            dy *= np.float32(2 / dy.size)
        for layer in range(len(self.W) - 1, -1, -1):
            x, dy = self.y[layer][:n], self.dy[layer][:n]
            np.matmul(x.T, dy, out=self.dW[layer])
            np.sum(dy, axis=0, out=self.db[layer])
            if layer:
                dx = self.dy[layer - 1][:n]
                np.matmul(dy, self.W[layer].T, out=dx)
                dx *= x > 0

    def _update(self, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        self.step += 1
        g, m, v, scratch = self.gradients, self.first, self.second, self.scratch
        m *= np.float32(beta1)
        np.multiply(g, np.float32(1 - beta1), out=scratch)
        m += scratch
        v *= np.float32(beta2)
        np.multiply(g, g, out=scratch)
        scratch *= np.float32(1 - beta2)
        v += scratch
        np.multiply(v, np.float32(1 / (1 - beta2**self.step)), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += np.float32(epsilon)
        np.divide(m, scratch, out=scratch)
        scratch *= np.float32(self.rate / (1 - beta1**self.step))
        self.parameters -= scratch

    def predict(self, X: Floats) -> Floats:
        """Return the outputs before any softmax."""
        y = X
        for layer, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            y = y @ W
            y += b
            if layer < len(self.W) - 1:
                np.maximum(y, 0, out=y)
        return y
