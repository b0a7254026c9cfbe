"""Objects that `Sequential.fit` calls between epochs (and, where they ask for it, between batches)."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from . import _check
from ._families import Metric
from ._native import core

if TYPE_CHECKING:
    from pathlib import Path

    from .sequential import Sequential

Logs = dict[str, float]
_MOST = 2**31 - 1  # epochs that the core counts

__all__ = [
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "LambdaCallback",
    "ModelCheckpoint",
    "ReduceLROnPlateau",
    "ReduceOnPlateau",
]


class Callback:
    """Base of the callbacks: override what you need.

    Attributes
    ----------
    model : Sequential
        The network that is being trained; ``model.stop_training = True`` ends `fit` after this epoch. Set in
        `on_batch_begin` or `on_batch_end`, it ends the epoch after this batch (of `batch_period`): the
        epoch's figures are those of the rows seen, and its validation and `on_epoch_end` follow.
    batch_period : int
        How many batches pass between two calls of `on_batch_end`. Training goes back to Python that often
        only if `on_batch_begin` or `on_batch_end` is overridden.
    """

    model: Sequential
    monitor: str | None = None
    batch_period: int = 1

    def on_train_begin(self, logs: Logs) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs) -> None:
        """Before an epoch, numbered from 0 over the whole life of the network."""

    def on_batch_begin(self, batch: int, logs: Logs) -> None:
        """Before batch number `batch` of the epoch."""

    def on_batch_end(self, batch: int, logs: Logs) -> None:
        """After batch number `batch` of the epoch, with the figures of the epoch so far."""

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """After an epoch and its validation, with the figures that go to the history."""

    def on_train_end(self, logs: Logs) -> None:
        """After the last epoch, unless an exception ended training."""

    def close(self) -> None:
        """After training, however it ended."""


class LambdaCallback(Callback):
    """Makes a callback of plain functions, given by the names of the methods of `Callback`.

    Examples
    --------
    >>> import deltarule as dr
    >>> log = dr.LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))
    """

    def __init__(self, **functions: Callable[..., Any]) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                known = ", ".join(n for n in vars(Callback) if n.startswith("on_"))
                raise TypeError(f"LambdaCallback: unknown method {name!r}; known: {known}")
            if not callable(function):
                raise TypeError(f"LambdaCallback: {name} is {function!r}; allowed: a function")
            setattr(self, name, function)


def larger_is_better(figure: str) -> bool:
    """Whether a figure of the history, such as "val_accuracy", is the better the larger it is."""
    found = Metric.registry.get(("metric", figure.removeprefix("val_")))
    return found is not None and bool(found.higher_is_better())


class _Monitor(Callback):
    """Watches one figure for improvement."""

    _modes: ClassVar[tuple[str, ...]] = ("auto", "min", "max")

    def __init__(self, monitor: str, mode: str, min_delta: float) -> None:
        name = type(self).__name__
        if not isinstance(monitor, str):
            raise TypeError(
                f"{name}: monitor is {monitor!r}; allowed: the name of a figure, such as 'val_loss'"
            )
        if mode not in self._modes:
            raise _check.not_allowed(name, "mode", mode, "'auto', 'min' or 'max'")
        self.monitor: str = monitor
        self.mode = mode
        self.min_delta = _check.real(min_delta, name, "min_delta", 0)
        self.best: float | None = None
        self.best_epoch: int | None = None

    def on_train_begin(self, logs: Logs) -> None:  # noqa: ARG002
        """Forget what an earlier training gave."""
        self.best = self.best_epoch = None

    def improved(self, epoch: int, logs: Logs) -> bool:
        """Take note of this epoch's figure; NaN is none, so it is never the best."""
        value = logs[self.monitor]
        if math.isnan(value):
            return False
        better = operator.gt if self._maximize() else operator.lt
        margin = self.min_delta if self._maximize() else -self.min_delta
        if self.best is None or better(value - margin, self.best):
            self.best, self.best_epoch = value, epoch
            return True
        return False

    def _maximize(self) -> bool:
        return larger_is_better(self.monitor) if self.mode == "auto" else self.mode == "max"


class EarlyStopping(_Monitor):
    """Ends training when a figure no longer improves, and goes back to the weights of the best epoch.

    Parameters
    ----------
    monitor : str, default "val_loss"
        The figure to watch, as it is called in the history.
    min_delta : float, default 0.0
        What counts as an improvement.
    patience : int, default 0
        Epochs in a row without improvement after which training ends; 0 means the same as 1.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better; "auto" knows every metric.
    restore_best_weights : bool, default True
        Put the weights and statistics of the best epoch back at the end of training.
    start_from_epoch : int, default 0
        Epochs of this `fit` to wait before watching.

    Attributes
    ----------
    best, best_epoch : float, int or None
        Best figure and the number of its epoch.
    stopped_epoch : int or None
        Epoch after which training was stopped.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        mode: str = "auto",
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = _check.whole(patience, "EarlyStopping", "patience", 0)
        self.restore_best_weights = _check.flag(restore_best_weights, "EarlyStopping", "restore_best_weights")
        self.start_from_epoch = _check.whole(start_from_epoch, "EarlyStopping", "start_from_epoch", 0)
        self.stopped_epoch: int | None = None

    def rule(self) -> dict[str, Any]:
        """Settings of the core's rule."""
        return {
            "min_delta": self.min_delta,
            "patience": min(self.patience, _MOST),
            "start_from_epoch": min(self.start_from_epoch, _MOST),
            "maximize": self._maximize(),
        }

    def on_train_begin(self, logs: Logs) -> None:
        """Start counting anew."""
        super().on_train_begin(logs)
        self.stopped_epoch = None
        self._rule = core.EarlyStopping(**self.rule())
        self._weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare with the best epoch; end training when patience is over."""
        improved, stop = self._rule.observe(epoch, logs[self.monitor])
        if improved:
            self.best, self.best_epoch = logs[self.monitor], epoch
            if self.restore_best_weights:
                self._weights = self.model.get_weights()
        if stop:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs) -> None:  # noqa: ARG002
        """Put the best weights back."""
        if self._weights is not None:
            self.model.set_weights(self._weights)

    def close(self) -> None:
        """Let go of the weights."""
        self._weights = None


class ModelCheckpoint(_Monitor):
    """Saves the network, with everything needed to go on training, after every epoch or after the best ones.

    Parameters
    ----------
    path : str or path
        File to write; ``{epoch}`` and names of figures are filled in: ``"net-{epoch:03d}.safetensors"``.
    monitor : str, default "val_loss"
        The figure that tells the best epochs; only read with `save_best_only`.
    save_best_only : bool, default False
        Save only when the figure is the best so far.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better.
    """

    def __init__(
        self,
        path: str | Path,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str = "auto",
    ) -> None:
        super().__init__(monitor, mode, 0.0)
        self.path = str(path)
        self.save_best_only = _check.flag(save_best_only, "ModelCheckpoint", "save_best_only")
        self._figure = monitor
        if not save_best_only:
            self.monitor = None  # type: ignore[assignment]

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Save the network if it is time."""
        if self.save_best_only and not self.improved(epoch, logs):
            return
        try:
            path = self.path.format(epoch=epoch + 1, **logs)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"ModelCheckpoint: path = {self.path!r} cannot be filled in: {error!r}"
            ) from None
        self.model.save(path)


class CSVLogger(Callback):
    """Writes the figures of every epoch to a CSV file, as they come.

    Parameters
    ----------
    path : str or path
        File to write.
    append : bool, default False
        Go on with an existing file instead of replacing it.
    """

    def __init__(self, path: str | Path, append: bool = False) -> None:
        from pathlib import Path

        self.path = Path(path)
        self.append = _check.flag(append, "CSVLogger", "append")
        self._file: TextIO | None = None

    def on_train_begin(self, logs: Logs) -> None:  # noqa: ARG002
        """Open the file."""
        self._header = not (self.append and self.path.exists() and self.path.stat().st_size)
        self._file = self.path.open("a" if self.append else "w", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Write one line."""
        if self._file is None:
            return
        if self._header:
            print("epoch", *logs, sep=",", file=self._file)
            self._header = False
        print(epoch, *map(repr, logs.values()), sep=",", file=self._file, flush=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class ReduceLROnPlateau(_Monitor):
    """Lowers the learning rate when a figure no longer improves; `ReduceOnPlateau` is the same class.

    Parameters
    ----------
    monitor : str, default "val_loss"
        The figure to watch.
    factor : float, default 0.1
        Factor on the learning rate, 0 <= factor < 1.
    patience : int, default 10
        Epochs in a row without improvement after which the rate is lowered; 0 means the same as 1.
    mode : {"auto", "min", "max"}, default "auto"
        Whether smaller or larger is better.
    min_delta : float, default 1e-4
        What counts as an improvement.
    cooldown : int, default 0
        Epochs to wait after a change.
    min_learning_rate : float, default 0.0
        Rate that is not gone below.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_learning_rate: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        name = "ReduceLROnPlateau"
        self.factor = _check.real(factor, name, "factor", 0, 1)
        self.patience = _check.whole(patience, name, "patience", 0)
        self.cooldown = _check.whole(cooldown, name, "cooldown", 0)
        self.min_learning_rate = _check.real(min_learning_rate, name, "min_learning_rate", 0)

    def rule(self) -> dict[str, Any]:
        """Settings of the core's rule."""
        return {
            "factor": self.factor,
            "patience": min(self.patience, _MOST),
            "min_delta": self.min_delta,
            "cooldown": min(self.cooldown, _MOST),
            "min_learning_rate": self.min_learning_rate,
            "maximize": self._maximize(),
        }

    def refuse_schedule(self, model: Sequential) -> None:
        """Raise ValueError where a schedule sets the rate already."""
        if model.compiled is not None and model.compiled.optimizer.schedule is not None:
            raise ValueError("ReduceLROnPlateau: the optimizer has a schedule; use one of the two")

    def on_train_begin(self, logs: Logs) -> None:
        """Start counting anew."""
        self.refuse_schedule(self.model)
        super().on_train_begin(logs)
        self._rule = core.ReduceOnPlateau(**self.rule())

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        """Compare with the best epoch; lower the rate when patience is over."""
        before, figure = self.model.learning_rate, logs[self.monitor]
        rate = self._rule.observe(figure, before)
        if rate != before:
            self.model.learning_rate = rate
        if figure == self._rule.best() != self.best:
            self.best, self.best_epoch = figure, epoch


ReduceOnPlateau = ReduceLROnPlateau
