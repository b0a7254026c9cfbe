"""Saving, loading, copying and pickling networks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import TYPE_CHECKING, Any, TypeVar

from . import _older
from ._compiled import Compiled
from ._families import Layer, ScheduleFunction
from ._inference import put
from ._native import core
from ._types import Array, Config

if TYPE_CHECKING:
    from pathlib import Path

    from .sequential import Sequential

_S = TypeVar("_S", bound="Sequential")
_EXTRA: dict[str, tuple[Callable[[Any], bool], str]] = {  # what `save` adds to the core's descriptions
    "name": (lambda value: value is None or isinstance(value, str), "text or null"),
    "epoch": (lambda value: type(value) is int and 0 <= value <= 2**53, "a whole number from 0 to 2**53"),
    "adapted": (lambda value: isinstance(value, bool), "true or false"),
    "metadata": (lambda value: isinstance(value, dict), "an object"),
    "use_average_at_end": (lambda value: isinstance(value, bool), "true or false"),
}
_UNKNOWN = re.compile(r"unknown (activation|loss|optimizer|layer) '([^']*)'")


def description(layers: Iterable[Layer], seed: int) -> str:
    """JSON of the architecture for the core."""
    configs = [layer.core_config() for layer in layers]
    _older.name_layers([configs])
    return json.dumps({"seed": seed, "layers": _explicit(configs)})


def save(model: Sequential, path: str | Path) -> None:
    """See `Sequential.save`."""
    target = _path(path, "Sequential.save")
    network = model._require_built("Sequential.save")
    schedule = None if model._compiled is None else model._compiled.optimizer.schedule
    if isinstance(schedule, ScheduleFunction):
        raise TypeError(
            "Sequential.save: the learning-rate schedule is a Python function, which a file cannot hold; "
            "compile with one of deltarule.schedules, or without"
        )
    trainer = None if model._compiled is None else model._ready(network)
    extra = {"name": model.name, "epoch": model.epoch, "adapted": model._adapted, "metadata": model.metadata}
    average = None if model._compiled is None else model._compiled.control.average
    if average is not None:
        extra["use_average_at_end"] = average.use_at_end
    network, trainer = _older.for_file(model, network, trainer)
    core.save(target, network, trainer, json.dumps(extra))


def load(cls: type[_S], path: str | Path) -> _S:
    """See `deltarule.load`."""
    try:
        network, trainer, text = core.load(_path(path, "load"))
    except ValueError as error:
        if (found := _UNKNOWN.search(str(error))) is None:
            raise
        family, name = found.groups()
        raise type(error)(
            f"{error} (if {name!r} is one of your own, register it first with "
            f"deltarule.custom.{family}(..., name={name!r}))"
        ) from None
    extra = _extra(text, _path(path, "load"))
    model = _around(cls, network, trainer)
    model.name = extra.get("name")
    model.epoch = extra.get("epoch", 0)
    model._adapted = extra.get("adapted", False)
    model.metadata = extra.get("metadata", {})
    if extra.get("use_average_at_end") and model._compiled is not None:
        model._compiled = model._compiled.using_average_at_end()
    return model


def _extra(text: str, path: str) -> Config:
    """What `save` has put into the text of a file; one that a C++ program wrote becomes metadata as it is."""
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or (text and not given.keys() & _EXTRA.keys()):
        return {"metadata": {"extra": text}}
    for key, (fits, allowed) in _EXTRA.items():
        if key in given and not fits(given[key]):
            raise core.FormatError(
                f"model file {path!r}: deltarule.extra: {key} = {json.dumps(given[key])[:80]} "
                f"is not allowed; allowed: {allowed}"
            )
    return given


def copy(model: _S) -> _S:
    """See `Sequential.copy`."""
    twin = type(model).__new__(type(model))
    twin.__dict__.update(model.__dict__)
    twin._layers, twin._trainer, twin._training, twin.history = list(model._layers), None, None, None
    twin.metadata = deepcopy(model.metadata)
    if model._network is not None:
        twin._network = model._network.copy()
        if model._trainer is not None:
            settings, counts, arrays = progress_of(model._trainer)
            settings = _older.settings_of(settings, model._compiled)
            twin._trainer = trainer_from(twin._network, settings, counts, arrays)
    return twin


def pickled(model: Sequential) -> tuple[Any, ...]:
    """What `__reduce__` returns."""
    state = {k: v for k, v in model.__dict__.items() if k not in ("_network", "_trainer", "_training")}
    if model._network is not None:
        state["_weights"] = (model._network.input_width, model.get_weights())
    if model._trainer is not None:
        settings, counts, arrays = progress_of(model._trainer)
        state["_progress"] = (settings, counts, {name: a.copy() for name, a in arrays.items()})
    return _unpickled, (type(model), state)


def _unpickled(cls: type[_S], state: dict[str, Any]) -> _S:
    model = cls.__new__(cls)
    weights, progress = state.pop("_weights", None), state.pop("_progress", None)
    model.__dict__.update(state, _network=None, _trainer=None, _training=None)
    if weights is not None:
        model.build(weights[0])
        put(model._require_built("pickle"), weights[1])
    if progress is not None:
        settings, counts, arrays = progress
        settings = _older.settings_of(settings, model._compiled)
        model._trainer = trainer_from(model._require_built("pickle"), settings, counts, arrays)
    return model


def progress_of(trainer: core.Trainer) -> tuple[str, tuple[int, int], dict[str, Array]]:
    """Settings (with the current base learning rate), steps done and averaged, optimizer state."""
    return trainer.settings(), (trainer.step, trainer.averaged), trainer.states()


def trainer_from(
    network: core.Network, settings: str, counts: tuple[int, int], arrays: dict[str, Array]
) -> core.Trainer:
    """Trainer that goes on where another one was."""
    trainer = core.Trainer(network, settings)
    trainer.step, trainer.averaged = counts
    for name, own in trainer.states().items():
        own[...] = arrays[name]
    return trainer


def _around(cls: type[_S], network: core.Network, trainer: core.Trainer | None) -> _S:
    """A model around what the core has loaded."""
    given: Config = json.loads(network.description())
    layers = [Layer.from_config(layer) for layer in given["layers"]]
    model = cls(layers, seed=given["seed"], dtype=network.dtype)
    model._network, model._trainer = network, trainer
    if trainer is not None:
        model._compiled = Compiled.from_settings(trainer.settings())
    return model


def _path(path: Any, operation: str) -> str:
    try:
        return os.fsdecode(path)
    except TypeError:
        raise TypeError(
            f"{operation}: path is {path!r}; allowed: the name of a file, as text or pathlib.Path"
        ) from None


def _explicit(config: Any) -> Any:
    """Write a part given by name only as the core expects it, without what is None."""
    if isinstance(config, list):
        return [_explicit(item) for item in config]
    if not isinstance(config, dict):
        return config
    explicit = {k: _explicit(v) for k, v in config.items() if v is not None}
    for argument in ("initializer", "bias_initializer"):
        if isinstance(explicit.get(argument), str):
            explicit[argument] = {"name": explicit[argument]}
    return explicit
