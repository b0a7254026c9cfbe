"""Networks with functions of the user's whose names have come to mean newer ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ._declaration import Declaration
from ._inference import arrays_of, put
from ._native import core
from ._registered import Custom
from ._types import Config

if TYPE_CHECKING:
    from .sequential import Sequential


def name_layers(chains: list[list[Config]]) -> None:
    """Number layers of older classes as if they had the name's own type, since the core would not."""
    layers = [layer for chain in chains for layer in chain]
    older = {_plain(layer["type"]) for layer in layers if "." in layer["type"]}
    counts: Counter[str] = Counter()
    names = {layer.get("name") for layer in layers}
    for layer in layers:
        kind = _plain(layer["type"])
        if kind in older and layer.get("name") is None:
            while layer.get("name") in names:
                counts[kind] += 1
                layer["name"] = f"{kind}_{counts[kind]}"
            names.add(layer["name"])
        for value in layer.values():
            if inner := _chains(value):
                name_layers(inner)


def settings_of(trainer_settings: str, compiled: Any) -> str:
    """Settings of a trainer with the names that the core has now for the same functions."""
    given = json.loads(trainer_settings)
    names = {"loss": compiled.loss.core_name(), "optimizer": compiled.optimizer.core_name()}
    if all(given[part]["name"] == name for part, name in names.items()):
        return trainer_settings
    for part, name in names.items():
        given[part]["name"] = name
    return json.dumps(given)


def for_file(
    model: Sequential, network: core.Network, trainer: core.Trainer | None
) -> tuple[core.Network, core.Trainer | None]:
    """Network and trainer as a file may name them: as they are, or copies that go by their plain names."""
    from . import _storage

    _refuse_two_of_a_name(model)
    description = json.loads(network.description())
    plain = _renamed(description)
    settings = None if trainer is None else json.loads(trainer.settings())
    plain_settings = None if settings is None else _renamed(settings, ("loss", "optimizer"))
    if plain == description and plain_settings == settings:
        return network, trainer
    try:
        copy = core.Network(json.dumps(plain), network.dtype)
        copy.build(network.input_width)
        put(copy, arrays_of(network))
    except (ValueError, KeyError) as error:
        raise ValueError(
            "Sequential.save: a layer's class has been registered anew under its name, and the new one does "
            f"not fit this network ({error}); give classes names of their own with name="
        ) from None
    if trainer is None:
        return copy, None
    progress = _storage.progress_of(trainer)
    return copy, _storage.trainer_from(copy, json.dumps(plain_settings), *progress[1:])


def _refuse_two_of_a_name(model: Sequential) -> None:
    found: dict[tuple[str, str], Any] = {}
    compiled = () if model._compiled is None else (model._compiled.loss, model._compiled.optimizer)
    for item in _customs((*model.layers, *compiled)):
        if found.setdefault((item.family, item.entry["name"]), type(item)) is not type(item):
            raise ValueError(
                f"Sequential.save: the network holds two functions of the {item.family} name "
                f"{item.entry['name']!r}, which a file cannot tell apart; register them with names of their "
                f"own: deltarule.custom.{item.family}(..., name=...)"
            )


def _customs(value: Any) -> Iterator[Custom]:
    if isinstance(value, tuple):
        for item in value:
            yield from _customs(item)
    elif isinstance(value, Declaration):
        if isinstance(value, Custom):
            yield value
        yield from _customs(tuple(value._settings.values()))


def _chains(value: Any) -> list[list[Config]]:
    """The lists of layers in a setting: of one layer, of several, or of branches."""
    if isinstance(value, dict):
        return [[value]] if "type" in value else []
    if not isinstance(value, list) or not value:
        return []
    if all(isinstance(item, dict) and "type" in item for item in value):
        return [value]
    return [chain for item in value if isinstance(item, list) for chain in _chains(item)]


def _renamed(config: Any, only: tuple[str, ...] | None = None) -> Any:
    if isinstance(config, list):
        return [_renamed(item) for item in config]
    if not isinstance(config, dict):
        return config
    if only is not None:
        return {key: _renamed(value) if key in only else value for key, value in config.items()}
    return {
        key: _plain(value) if key in ("type", "name") and isinstance(value, str) else _renamed(value)
        for key, value in config.items()
    }


def _plain(name: str) -> str:
    return name.partition(".")[0]
