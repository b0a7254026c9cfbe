"""Oracles of the update rules, from the published formulas: name -> f(w, g, state, step, **parameters) -> w.

`state` is a dict that the rule fills itself, by the entry's names of the state arrays.
"""

import numpy as np


def sgd(w, g, state, step, learning_rate, momentum, dampening, nesterov, weight_decay):
    g = g + weight_decay * w
    if momentum == 0:
        return w - learning_rate * g
    v = momentum * state.get("velocity", np.zeros_like(w)) + (1 - dampening) * g
    state["velocity"] = v
    return w - learning_rate * (g + momentum * v if nesterov else v)


def adam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay):
    """Kingma & Ba 2015, algorithm 1; amsgrad: Reddi et al. 2018, on the moments before bias correction."""
    return _adam(w, g + weight_decay * w, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad)


def adamw(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay):
    """Loshchilov & Hutter 2019, algorithm 2, with the learning rate as schedule multiplier."""
    shrunk = w - learning_rate * weight_decay * w
    return shrunk + (_adam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad) - w)


def _adam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad):
    zero = np.zeros_like(w)
    m = beta_1 * state.get("first_moment", zero) + (1 - beta_1) * g
    v = beta_2 * state.get("second_moment", zero) + (1 - beta_2) * g * g
    state["first_moment"], state["second_moment"] = m, v
    if amsgrad:
        v = state["max_second_moment"] = np.maximum(state.get("max_second_moment", zero), v)
    m_hat = m / (1 - beta_1**step)
    v_hat = v / (1 - beta_2**step)
    return w - learning_rate * m_hat / (np.sqrt(v_hat) + epsilon)


def rmsprop(w, g, state, step, learning_rate, beta, epsilon, eps_inside, centered, momentum, weight_decay):
    """Tieleman & Hinton 2012; centered: Graves 2013, equations 38 to 41."""
    zero = np.zeros_like(w)
    g = g + weight_decay * w
    v = state["square_average"] = beta * state.get("square_average", zero) + (1 - beta) * g * g
    if centered:
        mean = state["gradient_average"] = beta * state.get("gradient_average", zero) + (1 - beta) * g
        v = np.maximum(v - mean * mean, 0)  # not negative but for rounding
    direction = g / (np.sqrt(v + epsilon) if eps_inside else np.sqrt(v) + epsilon)
    if momentum > 0:
        direction = momentum * state.get("momentum_buffer", zero) + direction
        state["momentum_buffer"] = direction
    return w - learning_rate * direction


ORACLES = {"sgd": sgd, "adam": adam, "adamw": adamw, "rmsprop": rmsprop}
