"""Keras 3's update rules, written from their description: name -> f(w, g, memory, step, rate, decay) -> w.

`memory` is a dict that the rule fills itself. Keras takes `decay` off the weights before every rule's step.
"""

import numpy as np


def _kept(memory, name, w, start=0.0):
    return memory.setdefault(name, np.full_like(w, start))


def sgd(w, g, memory, step, rate, momentum=0.0, nesterov=False):
    if momentum == 0:
        return w - rate * g
    m = memory["m"] = momentum * _kept(memory, "m", w) - rate * g
    return w + (momentum * m - rate * g if nesterov else m)


def adagrad(w, g, memory, step, rate):
    total = memory["sum"] = _kept(memory, "sum", w, 0.1) + g * g
    return w - rate * g / np.sqrt(total + 1e-7)


def rmsprop(w, g, memory, step, rate, momentum=0.0, centered=False):
    v = memory["v"] = 0.9 * _kept(memory, "v", w) + 0.1 * g * g
    under = v + 1e-7
    if centered:
        mean = memory["mean"] = 0.9 * _kept(memory, "mean", w) + 0.1 * g
        under = under - mean * mean
    increment = rate * g / np.sqrt(under)
    if momentum > 0:
        increment = memory["m"] = momentum * _kept(memory, "m", w) + increment
    return w - increment


def adadelta(w, g, memory, step, rate):
    v = memory["v"] = 0.95 * _kept(memory, "v", w) + 0.05 * g * g
    change = -np.sqrt(_kept(memory, "d", w) + 1e-7) / np.sqrt(v + 1e-7) * g
    memory["d"] = 0.95 * memory["d"] + 0.05 * change * change
    return w + rate * change


def adam(w, g, memory, step, rate, amsgrad=False):
    alpha = rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    m = memory["m"] = _kept(memory, "m", w) + (g - _kept(memory, "m", w)) * (1 - 0.9)
    v = memory["v"] = _kept(memory, "v", w) + (g * g - _kept(memory, "v", w)) * (1 - 0.999)
    if amsgrad:
        v = memory["largest"] = np.maximum(_kept(memory, "largest", w), v)
    return w - alpha * m / (np.sqrt(v) + 1e-7)


def nadam(w, g, memory, step, rate):
    now, then = (0.9 * (1 - 0.5 * 0.96**t) for t in (step, step + 1))
    product = memory["product"] = memory.get("product", 1.0) * now
    m = memory["m"] = 0.9 * _kept(memory, "m", w) + 0.1 * g
    v = memory["v"] = 0.999 * _kept(memory, "v", w) + 0.001 * g * g
    m_hat = then * m / (1 - product * then) + (1 - now) * g / (1 - product)
    return w - rate * m_hat / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)


def adamax(w, g, memory, step, rate):
    m = memory["m"] = 0.9 * _kept(memory, "m", w) + 0.1 * g
    u = memory["u"] = np.maximum(0.999 * _kept(memory, "u", w), np.abs(g))
    return w - rate * m / ((1 - 0.9**step) * (u + 1e-7))


def lion(w, g, memory, step, rate):
    m = _kept(memory, "m", w)
    memory["m"] = 0.99 * m + 0.01 * g
    return w - rate * np.sign(0.9 * m + 0.1 * g)


RULES = {f.__name__: f for f in (sgd, adagrad, rmsprop, adadelta, adam, nadam, adamax, lion)} | {
    "adamw": adam
}
