"""The bases of the learning-rate schedules: those of the catalogue, and Python functions."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ._declaration import Declaration, Extra, is_function
from ._native import core
from ._types import ArrayLike, Config, Entry


class Schedule(Declaration):
    """Base of the learning-rate schedules."""

    family = "schedule"

    @classmethod
    def extras_of(cls, entry: Entry) -> dict[str, Extra]:
        """``then=`` for a schedule that wraps another one."""
        if not entry["wraps"]:
            return {}
        return {
            "then": Extra(
                None,
                Schedule | str | dict[str, Any] | None,
                "Schedule, name, config or None",
                "Schedule that follows, counted from its own step 0; None keeps the rate.",
                lambda value, operation: _optional(Schedule, value, operation, "then"),
            )
        }

    def chain(self) -> list[Config]:
        """Configs of this schedule and those it wraps, outermost first."""
        own = {k: v for k, v in self.config().items() if k != "then"}
        then: Schedule | None = self._settings.get("then")
        return [own, *(then.chain() if then is not None else [])]

    @classmethod
    def from_chain(cls, chain: Sequence[Mapping[str, Any]]) -> "Schedule | None":
        """Inverse of `chain`; None for the empty chain."""
        schedule: Schedule | None = None
        for config in reversed(chain):
            then = {} if schedule is None else {"then": schedule}
            schedule = Schedule.from_config({**config, **then})
        return schedule

    def __call__(self, step: ArrayLike, learning_rate: float = 1.0) -> Any:
        """Learning rate at a step.

        Parameters
        ----------
        step : int or array of int
            Steps already done: 0 for the first step.
        learning_rate : float, default 1.0
            The optimizer's own rate.

        Returns
        -------
        float, or ndarray of float64 with the shape of `step`
        """
        steps = np.asarray(step, dtype=np.float64)
        rates = core.scheduled_rate(self.chain(), learning_rate, np.ascontiguousarray(steps.ravel()))
        return float(rates[0]) if steps.ndim == 0 else rates.reshape(steps.shape)


class ScheduleFunction(Schedule):
    """A Python function that gives the learning rate of a step, counted from 0.

    It is asked for all steps of an epoch before that begins. It has no config, so a network that is trained
    with it can be copied and pickled (if the function can), but not saved to a model file.

    Parameters
    ----------
    function : callable
        ``function(step) -> rate``, a finite number >= 0.
    """

    required = frozenset({"function"})

    def __init__(self, function: Callable[[int], float]) -> None:
        object.__setattr__(self, "_settings", {"function": function})

    def config(self) -> Config:
        """Raise TypeError: a function cannot be described."""
        raise TypeError(
            f"the learning-rate schedule is the Python function {self.function!r}, which cannot be saved; "
            "write it with deltarule.schedules"
        )

    def chain(self) -> list[Config]:
        """Raise TypeError: a function cannot be described."""
        return [self.config()]

    def rates(self, first: int, count: int) -> list[float]:
        """Rates of the steps from `first` on, checked."""
        return [self._rate(step) for step in range(first, first + count)]

    def __call__(self, step: ArrayLike, learning_rate: float = 1.0) -> Any:  # noqa: ARG002
        """Learning rate at a step or an array of steps; the optimizer's own rate plays no part."""
        steps = np.asarray(step)
        rates = np.array([self._rate(int(s)) for s in steps.ravel()])
        return float(rates[0]) if steps.ndim == 0 else rates.reshape(steps.shape)

    def _rate(self, step: int) -> float:
        given = self.function(step)
        try:
            rate = float(given)
        except (TypeError, ValueError):
            rate = math.nan
        if not 0 <= rate < math.inf:
            raise ValueError(
                f"schedule: the function gave {given!r} for step {step}; allowed: a finite number >= 0"
            )
        return rate

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.function,)

    def __repr__(self) -> str:
        return f"ScheduleFunction({self.function!r})"


def schedule_of(value: Any, operation: str) -> Schedule | None:
    """What an optimizer's argument ``schedule`` means."""
    if is_function(value):
        return ScheduleFunction(value)
    made: Schedule | None = _optional(Schedule, value, operation, "schedule")
    return made


def _optional(base: type[Any], value: Any, operation: str, argument: str) -> Any:
    return None if value is None else base.make(value, operation, argument)
