"""A stack of layers with what training needs: settings, trainer, rates, data."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock, get_ident

from . import _check, _compiled
from ._data import Data, Task
from ._families import Layer, ScheduleFunction
from ._native import core
from ._stack import Stack
from ._types import ArrayLike

_ALONE = Lock()  # of all networks, for an instant: one of their own could not be pickled


class _Turn:
    """Ends with the block it is entered for. No generator: that would take a tenth of a small step."""

    __slots__ = ("before", "network")

    def __init__(self, network: Trained, before: int | None) -> None:
        self.network, self.before = network, before

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self.network._training = self.before


class Trained(Stack):
    """What a `Sequential` keeps about its training."""

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        seed: int | None = 0,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        self._trainer: core.Trainer | None = None
        self._training: int | None = None  # the thread that does
        self._compiled: _compiled.Compiled | None = None
        super().__init__(layers, seed, dtype, name)

    @property
    def compiled(self) -> _compiled.Compiled | None:
        """Settings that `compile` made: optimizer, loss, metrics, control."""
        return self._compiled

    @property
    def step(self) -> int:
        """Optimizer steps done so far."""
        return 0 if self._trainer is None else self._trainer.step

    @property
    def learning_rate(self) -> float:
        """Rate of the next step; setting it replaces the rate that the schedule starts from."""
        trainer = self._ready(self._require_built("Sequential.learning_rate"))
        function = self._schedule_function()
        return trainer.learning_rate if function is None else function.rates(trainer.step, 1)[0]

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        rate = _check.real(value, "Sequential", "learning_rate", 0)
        if self._schedule_function() is not None:
            raise RuntimeError("Sequential: learning_rate cannot be set: a Python function gives it")
        self._ready(self._require_built("Sequential.learning_rate")).learning_rate = rate

    def _require_compiled(self, operation: str) -> _compiled.Compiled:
        if self._compiled is None:
            raise RuntimeError(
                f"{operation}: the network is not compiled; call compile(optimizer, loss) first"
            )
        return self._compiled

    def _alone(self, operation: str, in_callbacks: bool = False) -> _Turn:
        """Refuse to train what is being trained: by another thread, or by the `fit` that calls a callback."""
        here = get_ident()
        with _ALONE:
            before = self._training
            if before is not None and not (in_callbacks and before == here):
                where = "by the fit that called this callback" if before == here else "in another thread"
                raise RuntimeError(
                    f"{operation}: this network is being trained already, {where}; "
                    "wait until that has ended, or train a copy()"
                )
            self._training = here
        return _Turn(self, before)

    def _ready(self, network: core.Network) -> core.Trainer:
        """Take `network` as the network and return its trainer, made when first needed."""
        compiled = self._require_compiled("Sequential")
        if self._trainer is None:
            self._trainer = core.Trainer(network, compiled.settings(self._seed))
        self._network = network
        return self._trainer

    def _schedule_function(self) -> ScheduleFunction | None:
        schedule = None if self._compiled is None else self._compiled.optimizer.schedule
        return schedule if isinstance(schedule, ScheduleFunction) else None

    def _announce_rates(self, trainer: core.Trainer, steps: int) -> None:
        """Work out the next rates if a Python function gives them."""
        if (function := self._schedule_function()) is not None:
            trainer.set_rates(function.rates(trainer.step, steps))

    def _task(self, network: core.Network, compiled: _compiled.Compiled) -> Task:
        return Task(compiled.loss, compiled.metrics, network.output_width, self._real)

    def _data(
        self, X: ArrayLike, y: ArrayLike, weight: ArrayLike | None, operation: str
    ) -> tuple[Data, core.Network]:
        compiled = self._require_compiled(operation)
        X = _check.features(X, operation, "X", self._real, self._width())
        network = self._network_for(X.shape[1], operation)
        return self._task(network, compiled).data(X, y, weight, operation), network
