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


def power_law(step, rate, after, exponent, decay_steps):
    return rate * math.exp(exponent * math.log1p(step / decay_steps))


def step(step, rate, after, factor, decay_steps):
    return rate * factor ** (step // decay_steps)


def multi_step(step, rate, after, factor, milestones):
    return rate * math.prod(factor for milestone in milestones if step >= milestone)


def cosine_restarts(step, rate, after, first_cycle_steps, cycle_factor, final_learning_rate):
    if cycle_factor == 1:
        begin, length = step - step % first_cycle_steps, first_cycle_steps
    else:
        begin, length = 0, first_cycle_steps
        while step >= begin + length:
            begin, length = begin + length, length * cycle_factor
    return cosine(step - begin, rate, after, length, final_learning_rate)


def one_cycle(step, rate, after, total_steps, rise, initial_divisor, final_divisor, annealing):
    """Smith & Topin 2019; the place of the top is PyTorch's."""
    first = rate / initial_divisor
    last = first / final_divisor
    top, end = rise * total_steps - 1, total_steps - 1
    if step >= end:
        return last
    begin, before, until, after = (0, first, top, rate) if step < top else (top, rate, end, last)
    share = (step - begin) / (until - begin)
    if annealing == "cosine":
        share = math.sin(math.pi * share / 2) ** 2
    return (1 - share) * before + share * after


def polynomial(step, rate, after, total_steps, power, final_learning_rate):
    left = max(total_steps - step, 0) / total_steps
    return final_learning_rate + (rate - final_learning_rate) * left**power


def warmup(step, rate, after, warmup_steps):
    if step < warmup_steps:
        return after(0) * (step + 1) / warmup_steps
    return after(step - warmup_steps)


ORACLES = {
    "constant": constant,
    "linear": linear,
    "cosine": cosine,
    "exponential": exponential,
    "power_law": power_law,
    "step": step,
    "multi_step": multi_step,
    "cosine_restarts": cosine_restarts,
    "one_cycle": one_cycle,
    "polynomial": polynomial,
    "warmup": warmup,
}
