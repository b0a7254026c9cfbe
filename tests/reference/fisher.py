"""Natural gradients of dense networks with dense matrices: forward and backward by hand, in long double."""

import numpy as np

from .wide import WIDE, wide


def solve(matrix, right):
    """Gauss elimination in long double, which LAPACK has not got."""
    a, x = matrix.copy(), right.copy()
    n = len(a)
    for i in range(n):
        pivot = i + int(np.argmax(np.abs(a[i:, i])))
        a[[i, pivot]], x[[i, pivot]] = a[[pivot, i]], x[[pivot, i]]
        for j in range(i + 1, n):
            factor = a[j, i] / a[i, i]
            a[j] -= factor * a[i]
            x[j] -= factor * x[i]
    for i in reversed(range(n)):
        x[i] = (x[i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
    return x


class Tanh:
    """A stack of dense layers with tanh between them; its parameters are given as (W, b), b may be None."""

    def __init__(self, parameters):
        self.layers = [(wide(w), None if b is None else wide(b)) for w, b in parameters]

    def forward(self, x):
        """Outputs; keeps the input of every layer, with a one for the bias."""
        self.inputs, self.hidden = [], []
        h = wide(x)
        for i, (w, b) in enumerate(self.layers):
            self.inputs.append(h if b is None else np.hstack([h, np.ones((len(h), 1), WIDE)]))
            h = h @ w + (0 if b is None else b)
            if i + 1 < len(self.layers):
                h = np.tanh(h)
                self.hidden.append(h)
        return h

    def deltas(self, output_gradient):
        """Derivatives with respect to the outputs before the activation, by layer."""
        found = [wide(output_gradient)]
        for (w, _), h in zip(self.layers[:0:-1], self.hidden[::-1], strict=True):
            found.append((found[-1] @ w.T) * (1 - h * h))
        return found[::-1]


def kfac_factors(a, deltas, weight):
    """E[a a^T] and E[delta delta^T]; `deltas` is a list of passes whose second moments are added up."""
    share = (wide(weight) / wide(weight).sum())[:, None]
    return a.T @ (share * a), sum(d.T @ (share * d) for d in deltas)


def kfac(factors, gradient, damping):
    """(A + pi sqrt(l) I)^-1 V (G + sqrt(l) / pi I)^-1; V is inputs x outputs."""
    A, G = factors
    pi = np.sqrt((np.trace(A) / len(A)) / (np.trace(G) / len(G)))
    root = np.sqrt(WIDE(damping))
    left = solve(A + pi * root * np.eye(len(A), dtype=WIDE), gradient)
    return solve(G + root / pi * np.eye(len(G), dtype=WIDE), left.T).T


def unit_factors(a, deltas, weight):
    """E[delta_j^2 a a^T] for every unit j."""
    share = (wide(weight) / wide(weight).sum())[:, None]
    return [sum(a.T @ (share * d[:, [j]] ** 2 * a) for d in deltas) for j in range(deltas[0].shape[1])]


def unitwise(factors, gradient, damping):
    """(F_j + l I)^-1 v_j for every column v_j."""
    damped = [F + WIDE(damping) * np.eye(len(F), dtype=WIDE) for F in factors]
    return np.stack([solve(F, gradient[:, j]) for j, F in enumerate(damped)], axis=1)


METHODS = {"kfac": (kfac_factors, kfac), "unitwise": (unit_factors, unitwise)}


def natural_gradient(method, a, deltas, weight, gradient, damping):
    """Of one layer and one batch: the gradient (inputs x outputs) times the inverse of the Fisher matrix."""
    factors_of, solved = METHODS[method]
    return solved(factors_of(a, deltas, weight), gradient, damping)
