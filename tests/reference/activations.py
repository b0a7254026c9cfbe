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


def log_sigmoid(x):
    return -softplus(-x)


def log_sigmoid_slopes(x, y):
    return (logistic(-x),)


def softsign(x):
    a = np.minimum(np.abs(x), WIDE("1e400"))
    return np.copysign(a / (1 + a), x)


def softsign_slopes(x, y):
    return (1 / (1 + np.abs(x)) ** 2,)


def step(x, high, low, threshold):
    return np.where(np.isnan(x), x, np.where(x > threshold, WIDE(high), low))


def binary_step(x, threshold, straight_through):
    return step(x, 1, 0, threshold)


def sign(x, straight_through):
    return step(x, 1, -1, 0)


def step_slopes(x, y, straight_through, threshold=0):
    return (np.where(np.isnan(x), x, WIDE(1 if straight_through else 0)),)


def clamp(x, low, high):
    return np.where(x > high, high, np.where(x <= low, low, x))


def inside(x, low, high):
    """1 where low < x <= high: the left-hand branch at both ends."""
    return np.where(np.isnan(x) | ((x > low) & (x <= high)), WIDE(1), 0)


def piecewise_linear(x, slope, form):
    if form == "continuous":
        return clamp(slope * x + WIDE(0.5), 0, 1)
    return np.where(slope * x >= 0.5, WIDE(1), np.where(slope * x <= -0.5, 0, slope * x))


def piecewise_linear_slopes(x, y, slope, form):
    return (slope * inside(slope * x, WIDE(-0.5), WIDE(0.5)),)


def hard_tanh(x, min_value, max_value):
    return clamp(x, min_value, max_value)


def hard_tanh_slopes(x, y, min_value, max_value):
    return (inside(x, min_value, max_value),)


def hard_sigmoid(x):
    return clamp((x + 3) / 6, 0, 1)


def hard_sigmoid_slopes(x, y):
    return (inside(x, -3, 3) / 6,)


def relu6(x):
    return clamp(x, 0, 6)


def relu6_slopes(x, y):
    return (inside(x, 0, 6),)


def threshold_at(x, threshold, value):
    return np.where(x <= threshold, value, x)


def threshold_slopes(x, y, threshold, value):
    return (np.where(x <= threshold, WIDE(0), 1),)


def squared_relu(x):
    return relu(x) ** 2


def squared_relu_slopes(x, y):
    return (2 * relu(x),)


def celu(x, alpha):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))


def celu_slopes(x, y, alpha):
    return (np.where(x > 0, WIDE(1), np.exp(np.minimum(x, 0) / alpha)),)


SELU_LAMBDA, SELU_ALPHA = WIDE(1.0507009873554805), WIDE(1.6732632423543772)


def selu(x):
    return SELU_LAMBDA * elu(x, SELU_ALPHA)


def selu_slopes(x, y):
    return (SELU_LAMBDA * elu_slopes(x, y, SELU_ALPHA)[0],)


def mish(x):
    return times(x, np.tanh(softplus(x)))


def mish_slopes(x, y):
    t = np.tanh(softplus(x))
    return t, times(x, logistic(x) * (1 - t) * (1 + t))


def hard_swish(x):
    return np.where(x <= -3, 0, x * clamp((x + 3) / 6, 0, 1))


def hard_swish_slopes(x, y):
    return (np.where(x <= -3, WIDE(0), np.where(x > 3, WIDE(1), (2 * x + 3) / 6)),)


def tanhshrink(x):
    """Near 0 as (x cosh x - sinh x) / cosh x, a series of positive terms: nothing cancels."""
    near = np.clip(x, -1, 1)
    power = near
    total = np.zeros_like(near)
    for k in range(1, 16):
        power = power * near * near / (2 * k * (2 * k + 1))  # x^(2k+1) / (2k+1)!
        total = total + 2 * k * power
    return np.where(np.abs(x) < 1, total / np.cosh(near), x - np.tanh(x))


def tanhshrink_slopes(x, y):
    return (np.tanh(x) ** 2,)


def softshrink(x, threshold):
    size = np.maximum(np.abs(x) - threshold, 0)
    return np.where(np.isnan(x), x, np.copysign(size, x))


def hardshrink(x, threshold):
    return np.where(np.abs(x) <= threshold, 0, x)


def shrink_slopes(x, y, threshold):
    return (np.where((x > -threshold) & (x <= threshold), WIDE(0), 1),)


def product(x, omega):
    """x * omega and what its rounding dropped; both factors have the digits of a double."""
    high = x * omega
    x_upper, omega_upper = upper(x), upper(omega)
    x_low, omega_low = x - x_upper, omega - omega_upper
    low = ((x_upper * omega_upper - high) + x_upper * omega_low + x_low * omega_upper) + x_low * omega_low
    return high, np.where(np.isfinite(low), low, 0)


def upper(x):
    """The upper 26 bits of x."""
    m, e = np.frexp(x)
    return np.ldexp(np.round(np.ldexp(m, 26)), e - 26)


def sin(x, omega):
    high, low = product(x, omega)
    return np.where(x == 0, x, np.sin(high) * np.cos(low) + np.cos(high) * np.sin(low))


def sin_slopes(x, y, omega):
    high, low = product(x, omega)
    return (omega * (np.cos(high) * np.cos(low) - np.sin(high) * np.sin(low)),)


def places(name, settings):
    """Where an activation with these settings, or its derivative, is not smooth."""
    if name in ("relu", "leaky_relu", "elu", "celu", "selu", "squared_relu", "softsign", "sign"):
        return [0.0]
    if name in ("binary_step", "threshold"):
        return [settings["threshold"]]
    if name == "piecewise_linear":
        return [-0.5 / settings["slope"], 0.5 / settings["slope"]]
    if name == "hard_tanh":
        return [settings["min_value"], settings["max_value"]]
    if name in ("softshrink", "hardshrink"):
        return [-settings["threshold"], settings["threshold"]]
    return {"hard_sigmoid": [-3.0, 3.0], "hard_swish": [-3.0, 3.0], "relu6": [0.0, 6.0]}.get(name, [])


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
    "log_sigmoid": Activation(log_sigmoid, log_sigmoid_slopes),
    "softsign": Activation(softsign, softsign_slopes),
    "binary_step": Activation(binary_step, step_slopes),
    "sign": Activation(sign, step_slopes),
    "piecewise_linear": Activation(piecewise_linear, piecewise_linear_slopes),
    "hard_tanh": Activation(hard_tanh, hard_tanh_slopes),
    "hard_sigmoid": Activation(hard_sigmoid, hard_sigmoid_slopes),
    "relu6": Activation(relu6, relu6_slopes),
    "threshold": Activation(threshold_at, threshold_slopes),
    "squared_relu": Activation(squared_relu, squared_relu_slopes),
    "celu": Activation(celu, celu_slopes),
    "selu": Activation(selu, selu_slopes),
    "mish": Activation(mish, mish_slopes),
    "hard_swish": Activation(hard_swish, hard_swish_slopes),
    "tanhshrink": Activation(tanhshrink, tanhshrink_slopes),
    "softshrink": Activation(softshrink, shrink_slopes),
    "hardshrink": Activation(hardshrink, shrink_slopes),
    "sin": Activation(sin, sin_slopes),
}
