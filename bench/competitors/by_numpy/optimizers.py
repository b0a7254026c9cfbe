"""Update rules, in pieces that fit the cache."""

from __future__ import annotations

from functools import partial

from bench.case import Case, Work, repeat
from bench.probe import normal, probe

from .rules import STATES, Rule

_RATES = {"sgd": 0.01, "rmsprop": 0.01}
_DECAY = {"adamw": 0.01}


def prepare(case: Case, _variant: str) -> Work | None:
    name, count = case.settings["function"], case.settings["count"]
    if name not in STATES:
        return None
    settings = {"learning_rate": _RATES.get(name, 1e-3), "weight_decay": _DECAY.get(name, 0.0)}
    rule = Rule(name, {**settings, **case.settings["parameters"]}, count)
    w, g = normal((count,), 0), normal((count,), 1)
    update = repeat(partial(rule.update, w, g))

    def check() -> list[float]:
        update(3)
        return probe(w)

    return Work(update, check=check)
