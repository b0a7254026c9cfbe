"""Oracles of the update rules, from the published formulas: name -> f(w, g, state, step, **parameters) -> w.

`state` is a dict that the rule fills itself, by the entry's names of the state arrays. Rules that look at
more than one weight and its gradient are in `second_order`, with arguments of their own.
"""

import math

import mpmath
import numpy as np

from .fisher import natural_gradient
from .second_order import lbfgs


def decayed(w, g, learning_rate, weight_decay, decoupled):
    """Weights and gradient after weight decay, coupled or not (Loshchilov & Hutter 2019)."""
    if decoupled:
        return w - learning_rate * weight_decay * w, g
    return w, g + weight_decay * w


def sgd(
    w,
    g,
    state,
    step,
    learning_rate,
    momentum,
    dampening,
    nesterov,
    weight_decay,
    decoupled_weight_decay,
    dampen_first_step,
    rate_in_buffer,
):
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    if momentum == 0:
        return w - learning_rate * g
    share = 1 if step == 1 and not dampen_first_step else 1 - dampening
    velocity = state.get("velocity", np.zeros_like(w))
    if rate_in_buffer:  # Sutskever et al. 2013, equations 1 and 2, and Keras: the buffer adds up steps
        velocity = state["velocity"] = momentum * velocity + share * learning_rate * g
        return w - (learning_rate * g + momentum * velocity if nesterov else velocity)
    velocity = state["velocity"] = momentum * velocity + share * g
    return w - learning_rate * (g + momentum * velocity if nesterov else velocity)


def momentum(
    w, g, state, step, learning_rate, momentum, averaged, weight_decay, decoupled_weight_decay, nesterov=False
):
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    entering = (1 - momentum) * g if averaged else g
    velocity = state["velocity"] = momentum * state.get("velocity", np.zeros_like(w)) + entering
    return w - learning_rate * (entering + momentum * velocity if nesterov else velocity)


def nag(*arguments, **parameters):
    return momentum(*arguments, **parameters, nesterov=True)


def delta_rule(w, g, state, step, learning_rate):
    return w - learning_rate * g


def adagrad(
    w,
    g,
    state,
    step,
    learning_rate,
    epsilon,
    eps_inside,
    initial_accumulator,
    learning_rate_decay,
    weight_decay,
    decoupled_weight_decay,
):
    """Duchi et al. 2011, the diagonal form."""
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    total = state["square_sum"] = state.get("square_sum", np.zeros_like(w)) + g * g
    v = initial_accumulator + total
    denominator = np.sqrt(v + epsilon) if eps_inside else np.sqrt(v) + epsilon
    return w - learning_rate / (1 + (step - 1) * learning_rate_decay) * g / denominator


def adadelta(w, g, state, step, learning_rate, rho, epsilon, weight_decay, decoupled_weight_decay):
    """Zeiler 2012, algorithm 1, times a learning rate."""
    zero = np.zeros_like(w)
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    v = state["square_average"] = rho * state.get("square_average", zero) + (1 - rho) * g * g
    before = state.get("square_step", zero)
    change = -np.sqrt(before + epsilon) / np.sqrt(v + epsilon) * g
    state["square_step"] = rho * before + (1 - rho) * change * change
    return w + learning_rate * change


def adam(
    w,
    g,
    state,
    step,
    learning_rate,
    beta_1,
    beta_2,
    epsilon,
    amsgrad,
    weight_decay,
    decoupled_weight_decay,
    epsilon_hat,
):
    """Kingma & Ba 2015, algorithm 1; amsgrad: Reddi et al. 2018, on the moments before bias correction."""
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    return _adam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad, epsilon_hat)


def amsgrad(w, g, state, step, **parameters):
    return adam(w, g, state, step, amsgrad=True, **parameters)


def adamw(w, g, state, step, weight_decay, **parameters):
    """Loshchilov & Hutter 2019, algorithm 2, with the learning rate as schedule multiplier."""
    return adam(w, g, state, step, weight_decay=weight_decay, decoupled_weight_decay=True, **parameters)


def _moments(g, state, beta_1, beta_2):
    zero = np.zeros_like(g)
    m = state["first_moment"] = beta_1 * state.get("first_moment", zero) + (1 - beta_1) * g
    v = state["second_moment"] = beta_2 * state.get("second_moment", zero) + (1 - beta_2) * g * g
    return m, v


def _adam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, amsgrad, epsilon_hat):
    m, v = _moments(g, state, beta_1, beta_2)
    if amsgrad:
        v = state["max_second_moment"] = np.maximum(state.get("max_second_moment", np.zeros_like(w)), v)
    m_scale, v_scale = 1 - beta_1**step, 1 - beta_2**step
    if epsilon_hat:  # the paper's faster order of computation: epsilon beside the uncorrected root
        return w - learning_rate * np.sqrt(v_scale) / m_scale * m / (np.sqrt(v) + epsilon)
    return w - learning_rate * (m / m_scale) / (np.sqrt(v / v_scale) + epsilon)


def nadam(
    w,
    g,
    state,
    step,
    learning_rate,
    beta_1,
    beta_2,
    epsilon,
    momentum_decay,
    weight_decay,
    decoupled_weight_decay,
):
    """Dozat 2016, algorithm 8 with the schedule of section 3, its exponent times momentum_decay."""
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    m, v = _moments(g, state, beta_1, beta_2)
    steps = np.arange(1, step + 2, dtype=np.longdouble)
    mu = beta_1 * (1 - 0.96 ** (steps * momentum_decay) / 2)
    m_hat = mu[-1] * m / (1 - np.prod(mu)) + (1 - mu[-2]) * g / (1 - np.prod(mu[:-1]))
    return w - learning_rate * m_hat / (np.sqrt(v / (1 - beta_2**step)) + epsilon)


def nadamw(*arguments, **parameters):
    return nadam(*arguments, **parameters, decoupled_weight_decay=True)


def adamax(
    w,
    g,
    state,
    step,
    learning_rate,
    beta_1,
    beta_2,
    epsilon,
    epsilon_in_maximum,
    weight_decay,
    decoupled_weight_decay,
):
    """Kingma & Ba 2015, algorithm 2; epsilon as PyTorch has it, or as Keras does."""
    zero = np.zeros_like(w)
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    m = state["first_moment"] = beta_1 * state.get("first_moment", zero) + (1 - beta_1) * g
    size = np.abs(g) + (epsilon if epsilon_in_maximum else 0)
    u = state["largest_gradient"] = np.maximum(beta_2 * state.get("largest_gradient", zero), size)
    return w - learning_rate / (1 - beta_1**step) * m / (u + (0 if epsilon_in_maximum else epsilon))


def radam(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, weight_decay, decoupled_weight_decay):
    """Liu et al. 2020, algorithm 2; from rho_t > 5 on, and with epsilon beside the root of v, as PyTorch."""
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    m, v = _moments(g, state, beta_1, beta_2)
    m_hat = m / (1 - beta_1**step)
    with mpmath.workdps(50):
        beta = mpmath.mpf(beta_2)
        most = 2 / (1 - beta) - 1
        length = most - 2 * step * beta**step / (1 - beta**step)
        if length <= 5:
            return w - learning_rate * m_hat
        r = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        factor = np.longdouble(mpmath.nstr(mpmath.sqrt(r * (1 - beta**step)), 25))
    return w - learning_rate * factor * m_hat / (np.sqrt(v) + epsilon)


def rprop(w, g, state, step, learning_rate, decrease, increase, smallest_step, largest_step):
    """Riedmiller 1994, Rprop without backtracking of weights: after a change of sign the weight rests."""
    before = state.get("previous_gradient", np.zeros_like(w))
    size = state.get("step_size", np.full_like(w, learning_rate))
    turn = np.sign(g) * np.sign(before)
    factor = np.where(turn > 0, increase, np.where(turn < 0, decrease, 1.0))
    size = state["step_size"] = np.minimum(np.maximum(size * factor, smallest_step), largest_step)
    g = state["previous_gradient"] = np.where(turn < 0, 0, g)
    return w - np.sign(g) * size


def lion(w, g, state, step, learning_rate, beta_1, beta_2, weight_decay):
    """Chen et al. 2023, algorithm 2."""
    m = state.get("mean_gradient", np.zeros_like(w))
    state["mean_gradient"] = beta_2 * m + (1 - beta_2) * g
    return w - learning_rate * (np.sign(beta_1 * m + (1 - beta_1) * g) + weight_decay * w)


def schedule_free_adamw(
    w, g, state, step, learning_rate, beta_1, beta_2, epsilon, weight_decay, warmup_steps
):
    """Defazio et al. 2024, algorithm 1, with the bias correction of Adam; w is the training point y."""
    rates = [learning_rate * min(1.0, t / warmup_steps if warmup_steps else 1.0) for t in range(1, step + 1)]
    share = 1 if learning_rate == 0 else rates[-1] ** 2 / math.fsum(rate**2 for rate in rates)
    v = beta_2 * state.get("second_moment", np.zeros_like(w)) + (1 - beta_2) * g * g
    direction = g / (np.sqrt(v / (1 - beta_2**step)) + epsilon) + weight_decay * w
    z = state.get("base_point", w) - rates[-1] * direction
    x = (1 - share) * state.get("other_point", w) + share * z
    state["second_moment"], state["base_point"], state["other_point"] = v, z, x
    return (1 - beta_1) * z + beta_1 * x


def rmsprop(
    w,
    g,
    state,
    step,
    learning_rate,
    beta,
    epsilon,
    eps_inside,
    centered,
    momentum,
    weight_decay,
    decoupled_weight_decay,
    rate_in_buffer,
):
    """Tieleman & Hinton 2012; centered: Graves 2013, equations 38 to 41."""
    zero = np.zeros_like(w)
    w, g = decayed(w, g, learning_rate, weight_decay, decoupled_weight_decay)
    v = state["square_average"] = beta * state.get("square_average", zero) + (1 - beta) * g * g
    if centered:
        mean = state["gradient_average"] = beta * state.get("gradient_average", zero) + (1 - beta) * g
        v = np.maximum(v - mean * mean, 0)  # not negative but for rounding
    direction = g / (np.sqrt(v + epsilon) if eps_inside else np.sqrt(v) + epsilon)
    if momentum == 0:
        return w - learning_rate * direction
    buffer = momentum * state.get("momentum_buffer", zero)
    buffer += learning_rate * direction if rate_in_buffer else direction
    state["momentum_buffer"] = buffer
    return w - (buffer if rate_in_buffer else learning_rate * buffer)


def lamb(w, g, state, step, learning_rate, beta_1, beta_2, epsilon, weight_decay):
    """You et al. 2020, algorithm 2, with the identity for phi."""
    m, v = _moments(g, state, beta_1, beta_2)
    r = m / (1 - beta_1**step) / (np.sqrt(v / (1 - beta_2**step)) + epsilon) + weight_decay * w
    norms = np.sqrt((w * w).sum()), np.sqrt((r * r).sum())
    return w - learning_rate * (norms[0] / norms[1] if all(norms) else 1) * r


def muon(
    w,
    g,
    state,
    step,
    learning_rate,
    momentum,
    nesterov,
    newton_schulz_steps,
    scale,
    weight_decay,
    adamw_factor,
    beta_1,
    beta_2,
    epsilon,
):
    """Jordan et al. 2024 for matrices, on their singular values; AdamW for vectors."""
    if w.ndim == 1:
        w, g = decayed(w, g, learning_rate * adamw_factor, weight_decay, True)
        rate = learning_rate * adamw_factor
        return _adam(w, g, state, step, rate, beta_1, beta_2, epsilon, False, False)
    shrunk = w - learning_rate * weight_decay * w
    m = state["first_moment"] = momentum * state.get("first_moment", 0 * w) + (1 - momentum) * g
    u = (1 - momentum) * g + momentum * m if nesterov else m
    # An odd polynomial of a matrix acts on its singular values.
    left, sigma, right = np.linalg.svd(u.astype(float), full_matrices=False)
    sigma = sigma / (np.sqrt((sigma**2).sum()) + 1e-7)
    for _ in range(newton_schulz_steps):
        sigma = 3.4445 * sigma - 4.7750 * sigma**3 + 2.0315 * sigma**5
    inputs, outputs = w.shape
    factor = 0.2 * np.sqrt(max(w.shape)) if scale == "match_rms" else np.sqrt(max(1, outputs / inputs))
    return shrunk - learning_rate * factor * (left * sigma) @ right


ORACLES = {
    f.__name__: f
    for f in (
        sgd,
        momentum,
        nag,
        delta_rule,
        adagrad,
        rmsprop,
        adadelta,
        adam,
        amsgrad,
        adamw,
        nadam,
        nadamw,
        adamax,
        radam,
        rprop,
        lion,
        lamb,
        muon,
        schedule_free_adamw,
        lbfgs,
        natural_gradient,
    )
}
