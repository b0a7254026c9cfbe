"""Oracles of the activations: name -> (f, terms of f').

Arguments are long double arrays. The derivative is given as the terms whose sum it is, because where two
terms cancel (gelu and swish have a minimum) the error that can be asked for is that of the larger term.
It is evaluated at the x and y that the kernel is given.
"""

from typing import NamedTuple

import numpy as np

from .wide import WIDE, logistic, normal_cdf, normal_pdf, softplus, times


class Activation(NamedTuple):
    forward: object  # (x, **parameters) -> y
    slopes: object  # (x, y, **parameters) -> terms of dy/dx


def identity(x):
    return x


def identity_slopes(x, y):
    return (np.ones_like(x),)


def sigmoid(x, slope):
    return logistic(slope * x)


def sigmoid_slopes(x, y, slope):
    return (slope * logistic(slope * x) * logistic(-slope * x),)


def tanh(x):
    return np.tanh(x)


def tanh_slopes(x, y):
    return ((1 - y) * (1 + y),)


def relu(x):
    return np.where(x > 0, x, np.where(np.isnan(x), x, 0))


def relu_slopes(x, y):
    return (np.where(y > 0, WIDE(1), 0),)


def leaky_relu(x, alpha):
    return np.where(x > 0, x, alpha * x)


def leaky_relu_slopes(x, y, alpha):
    return (np.where(x > 0, WIDE(1), alpha),)


def elu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def elu_slopes(x, y, alpha):
    return (np.where(x > 0, WIDE(1), alpha * np.exp(np.minimum(x, 0))),)


TANH_SCALE = 2 * np.sqrt(2 / WIDE("3.14159265358979323846264338327950288"))  # 1 + tanh u = 2 sigma(2u)
TANH_CUBE = WIDE("0.044715")
SIGMOID_SCALE = WIDE("1.702")


def gelu(x, approximate):
    if approximate == "none":
        return times(x, normal_cdf(x))
    return times(x, logistic(_gelu_argument(x, approximate)))


def gelu_slopes(x, y, approximate):
    if approximate == "none":
        return normal_cdf(x), times(x, normal_pdf(x))
    u = _gelu_argument(x, approximate)
    slope = TANH_SCALE * (1 + 3 * TANH_CUBE * x * x) if approximate == "tanh" else SIGMOID_SCALE
    s = logistic(u)
    return s, times(x * slope, s * logistic(-u))


def _gelu_argument(x, approximate):
    return TANH_SCALE * x * (1 + TANH_CUBE * x * x) if approximate == "tanh" else SIGMOID_SCALE * x


def swish(x, beta):
    return times(x, logistic(beta * x))


def swish_slopes(x, y, beta):
    s = logistic(beta * x)
    return s, times(beta * x, s * logistic(-beta * x))


def softplus_k(x, k):
    return softplus(k * x) / k


def softplus_slopes(x, y, k):
    return (logistic(k * x),)


ORACLES = {
    "identity": Activation(identity, identity_slopes),
    "sigmoid": Activation(sigmoid, sigmoid_slopes),
    "tanh": Activation(tanh, tanh_slopes),
    "relu": Activation(relu, relu_slopes),
    "leaky_relu": Activation(leaky_relu, leaky_relu_slopes),
    "elu": Activation(elu, elu_slopes),
    "gelu": Activation(gelu, gelu_slopes),
    "swish": Activation(swish, swish_slopes),
    "softplus": Activation(softplus_k, softplus_slopes),
}
