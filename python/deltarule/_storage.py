"""Saving, loading, copying and pickling networks."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, TypeVar

from ._compiled import Compiled
from ._families import Layer, ScheduleFunction
from ._native import core
from ._types import Array, Config

if TYPE_CHECKING:
    from pathlib import Path

    from ._stack import Stack
    from .sequential import Sequential

_S = TypeVar("_S", bound="Sequential")


def description(model: Stack) -> str:
    """JSON of the architecture for the core."""
    layers = [layer.config() for layer in model._layers]
    return json.dumps({"seed": model._seed, "layers": _explicit(layers)})


def save(model: Sequential, path: str | Path) -> None:
    """See `Sequential.save`."""
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
    core.save(os.fspath(path), network, trainer, json.dumps(extra))


def load(cls: type[_S], path: str | Path) -> _S:
    """See `deltarule.load`."""
    network, trainer, text = core.load(os.fspath(path))
    extra: Config = json.loads(text) if text else {}
    model = _around(cls, network, trainer)
    model.name = extra.get("name")
    model.epoch = extra.get("epoch", 0)
    model._adapted = extra.get("adapted", True)
    model.metadata = extra.get("metadata", {})
    if extra.get("use_average_at_end") and model._compiled is not None:
        model._compiled = model._compiled.using_average_at_end()
    return model


def copy(model: _S) -> _S:
    """See `Sequential.copy`."""
    twin = type(model).__new__(type(model))
    twin.__dict__.update(model.__dict__)
    twin._layers, twin._trainer, twin.history = list(model._layers), None, None
    if model._network is not None:
        twin._network = model._network.copy()
        if model._trainer is not None:
            twin._trainer = _trainer(twin._network, *_progress(model._trainer))
    return twin


def pickled(model: Sequential) -> tuple[Any, ...]:
    """What `__reduce__` returns."""
    state = {k: v for k, v in model.__dict__.items() if k not in ("_network", "_trainer")}
    if model._network is not None:
        state["_weights"] = (model._network.input_width, model.get_weights())
    if model._trainer is not None:
        settings, counts, arrays = _progress(model._trainer)
        state["_progress"] = (settings, counts, {name: a.copy() for name, a in arrays.items()})
    return _unpickled, (type(model), state)


def _unpickled(cls: type[_S], state: dict[str, Any]) -> _S:
    model = cls.__new__(cls)
    weights, progress = state.pop("_weights", None), state.pop("_progress", None)
    model.__dict__.update(state, _network=None, _trainer=None)
    if weights is not None:
        model.build(weights[0])
        model.set_weights(weights[1])
    if progress is not None:
        model._trainer = _trainer(model._require_built("pickle"), *progress)
    return model


def _progress(trainer: core.Trainer) -> tuple[str, tuple[int, int], dict[str, Array]]:
    """Settings (with the current base learning rate), steps done and averaged, optimizer state."""
    return trainer.settings(), (trainer.step, trainer.averaged), trainer.states()


def _trainer(
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
