"""Oracles of the schedules: name -> f(step, rate, after, **parameters) -> rate of the step (0 is the first).

`after` is the rule that a wrapping schedule goes on with.
"""

import math


def constant(step, rate, after):
    return rate


def linear(step, rate, after, total_steps, final_learning_rate):
    if step >= total_steps:
        return final_learning_rate
    return (1 - step / total_steps) * rate + step / total_steps * final_learning_rate


def cosine(step, rate, after, total_steps, final_learning_rate):
    if step >= total_steps:
        return final_learning_rate
    share = (1 + math.cos(math.pi * step / total_steps)) / 2
    return final_learning_rate + (rate - final_learning_rate) * share


def exponential(step, rate, after, factor, decay_steps):
    return rate * factor ** (step / decay_steps)


def warmup(step, rate, after, warmup_steps):
    if step < warmup_steps:
        return after(0) * (step + 1) / warmup_steps
    return after(step - warmup_steps)


ORACLES = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "exponential": exponential,
    "warmup": warmup,
}
