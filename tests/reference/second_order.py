"""Oracles of the rules that look at the whole network, written with dense matrices."""

import numpy as np

from .wide import WIDE, wide


def lbfgs(gradient, pairs):
    """The direction -H g; H by the BFGS update of the inverse Hessian (Nocedal & Wright 2006, equation 7.16).

    `pairs` are (step, change of the gradient), the latest first.
    """
    g = wide(gradient)
    identity = np.eye(g.size, dtype=WIDE)
    inverse = identity
    if pairs:
        s, y = wide(pairs[0][0]), wide(pairs[0][1])
        inverse = identity * ((s @ y) / (y @ y))
    for step, change in reversed(pairs):
        s, y = wide(step), wide(change)
        left = identity - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    return -inverse @ g
