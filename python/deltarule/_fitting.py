"""The loop over epochs behind `Sequential.fit`. The loop over batches runs in the core."""

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _check
from ._data import Data, split
from ._families import Optimizer
from ._native import core
from ._types import ArrayLike
from .callbacks import Callback
from .history import History
from .progress import from_verbose

if TYPE_CHECKING:
    from .sequential import Sequential

_OPERATION = "Sequential.fit"
_NOT_LOGGED = ("steps", "seconds", "stopped", "stop_reason")


class Plan(NamedTuple):
    """Arguments of `fit`, all checked."""

    network: core.Network
    train: Data
    validation: Data | None
    batch_size: int
    shuffle: bool
    first_epoch: int
    last_epoch: int
    callbacks: list[Callback]

    @property
    def steps(self) -> int:
        """Steps per epoch."""
        return -(-self.train.row_count // self.batch_size)


def plan(
    model: "Sequential",
    X: ArrayLike,
    y: ArrayLike,
    *,
    batch_size: int | str | None,
    epochs: int,
    validation_data: Any,
    validation_split: float,
    sample_weight: ArrayLike | None,
    class_weight: Mapping[int, float] | str | None,
    shuffle: bool,
    callbacks: Iterable[Any],
    verbose: Any,
    initial_epoch: int | None,
) -> Plan:
    """Check everything, before anything changes."""
    shown = from_verbose(verbose, _OPERATION)
    train, network = model._data(X, y, sample_weight, _OPERATION)
    if validation_data is not None and validation_split:
        raise ValueError(
            f"{_OPERATION}: validation_data and validation_split are both given; allowed: one of them"
        )
    validation = None if validation_data is None else validation_rows(model, network, validation_data)
    settled = settle(
        model,
        network,
        train,
        validation,
        batch_size=batch_size,
        epochs=epochs,
        validation_split=validation_split,
        class_weight=class_weight,
        shuffle=shuffle,
        callbacks=callbacks,
        initial_epoch=initial_epoch,
    )
    return settled._replace(callbacks=[*settled.callbacks, *shown])


def settle(
    model: "Sequential",
    network: core.Network,
    train: Data,
    validation: Data | None,
    *,
    batch_size: int | str | None = "auto",
    epochs: int = 1,
    validation_split: float = 0.0,
    class_weight: Mapping[int, float] | str | None = None,
    shuffle: bool = True,
    callbacks: Iterable[Any] = (),
    initial_epoch: int | None = None,
) -> Plan:
    """The rest of `plan`, for rows that are checked already."""
    compiled = model._require_compiled(_OPERATION)
    size = _batch_size(batch_size, compiled.optimizer)
    first, last = _epochs(model.epoch, epochs, initial_epoch)
    fraction = _check.real(validation_split, _OPERATION, "validation_split", 0, 1)
    shuffle = _check.flag(shuffle, _OPERATION, "shuffle")
    if fraction:
        train, validation = split(train, fraction, _OPERATION)
    control = compiled.control
    if (control.mixup or control.dp_clip_norm) and (train.weight is not None or class_weight is not None):
        with_what = "mixup" if control.mixup else "dp_clip_norm"
        raise ValueError(
            f"{_OPERATION}: sample_weight or class_weight is given; allowed: neither with {with_what}"
        )
    if class_weight is not None:
        task = model._task(network, compiled)
        train = task.with_class_weight(train, class_weight, _OPERATION)
    called = _callbacks(callbacks, compiled.names(validation is not None))
    return Plan(network, train, validation, size or train.row_count, shuffle, first, last, called)


def run(model: "Sequential", plan: Plan) -> History:
    """Train; what has been measured stays in `model.history` however this ends."""
    with model._alone(_OPERATION):
        return _run(model, plan)


def _run(model: "Sequential", plan: Plan) -> History:
    trainer = model._ready(plan.network)
    train = plan.train
    if not model._is_adapted():
        plan.network.adapt(train.X, train.picked)
        model._adapted = True
    model.epoch, model.stop_training, model.history = plan.first_epoch, False, History()
    trainer.set_data(train.X, train.y, train.weight, plan.batch_size, plan.shuffle, train.picked)
    by_batch = [c for c in plan.callbacks if _wants_batches(c)]
    logs: dict[str, float] = {"first_epoch": plan.first_epoch, "last_epoch": plan.last_epoch}
    try:
        for callback in plan.callbacks:
            callback.model = model
            callback.on_train_begin(logs)
        for epoch in range(plan.first_epoch, plan.last_epoch):
            for callback in plan.callbacks:
                callback.on_epoch_begin(epoch, {})
            model._announce_rates(trainer, plan.steps)
            logs, reason = _epoch(model, trainer, plan, epoch, by_batch)
            model.epoch = epoch + 1
            model.history.append(epoch, logs)
            for callback in plan.callbacks:
                callback.on_epoch_end(epoch, logs)
            model.history.stop_reason = reason
            if reason or model.stop_training:
                break
        for callback in plan.callbacks:
            callback.on_train_end(logs)
        average = model._require_compiled(_OPERATION).control.average
        if average is not None and average.use_at_end and trainer.averaged > 0:
            model.set_weights(model.average_weights())
    finally:
        trainer.clear_data()
        for callback in plan.callbacks:
            callback.close()
    return model.history


def _epoch(
    model: "Sequential", trainer: core.Trainer, plan: Plan, epoch: int, by_batch: Sequence[Callback]
) -> tuple[dict[str, float], str]:
    """Figures of an epoch, and why the rule ended training in it."""
    started = perf_counter()
    result = _by_batch(model, trainer, plan, epoch, by_batch) if by_batch else trainer.run_epoch(epoch)
    rate = result["learning_rate"]
    logs = {k: v for k, v in result.items() if k not in ("learning_rate", *_NOT_LOGGED)}
    if plan.validation is not None:
        logs |= validated(trainer, plan.validation)
    return {**logs, "learning_rate": rate, "time": perf_counter() - started}, result["stop_reason"]


def validated(trainer: core.Trainer, rows: Data) -> dict[str, float]:
    """Figures of validation rows, by their names in the history."""
    checked = trainer.evaluate(rows.X, rows.y, rows.weight, 0, rows.picked)
    return {"val_" + name: value for name, value in checked.items()}


def _by_batch(
    model: "Sequential", trainer: core.Trainer, plan: Plan, epoch: int, by_batch: Sequence[Callback]
) -> dict[str, Any]:
    last = model.stop_training  # set before this epoch's batches, it means the whole epoch
    period = min(_check.whole(c.batch_period, type(c).__name__, "batch_period") for c in by_batch)
    result: dict[str, Any] = {}
    for start in range(0, plan.steps, period):
        for callback in by_batch:
            callback.on_batch_begin(start, {})
        result = trainer.run_epoch(epoch, period, start)
        logs = {k: v for k, v in result.items() if k not in _NOT_LOGGED}
        for callback in by_batch:
            callback.on_batch_end(min(start + period, plan.steps) - 1, logs)
        if result["stop_reason"] or (model.stop_training and not last):
            break
    return result


def _wants_batches(callback: Callback) -> bool:
    return any(
        getattr(type(callback), name) is not getattr(Callback, name) or name in vars(callback)
        for name in ("on_batch_begin", "on_batch_end")
    )


def _batch_size(given: Any, optimizer: Optimizer) -> int | None:
    if isinstance(given, str) and given == "auto":
        return None if optimizer.entry["reach"] == "network" else 32
    if given is None:
        return None
    return _check.whole(given, _OPERATION, "batch_size", 1, 'None for all rows, or "auto"')


def _epochs(done: int, epochs: int, initial: int | None) -> tuple[int, int]:
    epochs = _check.whole(epochs, _OPERATION, "epochs", 0)
    if initial is None:
        return done, done + epochs
    initial = _check.whole(initial, _OPERATION, "initial_epoch", 0, "None")
    if initial >= epochs:
        raise _check.not_allowed(_OPERATION, "initial_epoch", initial, f"less than epochs = {epochs}")
    return initial, epochs


def validation_rows(model: "Sequential", network: core.Network, given: Any) -> Data:
    """What `validation_data` holds, checked."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise TypeError(f"{_OPERATION}: validation_data must be (X, y) or (X, y, sample_weight)")
    names = ("validation_data[0]", "validation_data[1]", "validation_data[2]")
    X = _check.features(given[0], _OPERATION, names[0], model._real, network.input_width)
    task = model._task(network, model._require_compiled(_OPERATION))
    return task.data(X, given[1], given[2] if len(given) == 3 else None, _OPERATION, names)


def _callbacks(given: Iterable[Any], names: list[str]) -> list[Callback]:
    if isinstance(given, Callback):
        given = [given]
    called = list(given)
    for i, callback in enumerate(called):
        _check.instance(callback, Callback, _OPERATION, f"callbacks[{i}]", "a deltarule.Callback")
        if callback.monitor is not None and callback.monitor not in names:
            needs = (
                "; give validation_data or validation_split" if callback.monitor.startswith("val_") else ""
            )
            raise ValueError(
                f"{_OPERATION}: {type(callback).__name__}: monitor = {callback.monitor!r} "
                f"is not measured{needs}; measured: {', '.join(names)}"
            )
    return called
