"""From a configuration to a network and a plan of its training, everything checked."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from deltarule import _check, _fitting
from deltarule._families import Optimizer
from deltarule.callbacks import Callback
from deltarule.sequential import Sequential

from ._shared import Shared

SOURCES = ("model", "build", "layers")
_DATA = ("sample_weight", "validation_data", "fold", "rows", "validation_rows")


def _keywords(function: Callable[..., Any], *without: str) -> tuple[str, ...]:
    return tuple(n for n in inspect.signature(function).parameters if n not in ("self", *without))


_COMPILE = _keywords(Sequential.compile)
_SETTLE = _keywords(_fitting.settle, "model", "network", "train", "validation")
KNOWN = (*SOURCES, "seed", "dtype", "learning_rate", *_COMPILE, *_SETTLE, *_DATA)
_PREFIXES = ("fit_many: ", "Sequential.fit: ", "Sequential.compile: ", "Sequential: ")


class Prepared(NamedTuple):
    """A configuration that is ready to be trained."""

    model: Sequential
    plan: _fitting.Plan


def prepare(number: int, given: Any, common: Mapping[str, Any], shared: Shared) -> Prepared:
    """Make the network of a configuration and check all that it is trained with.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        The configuration cannot be trained; the message names its number. What else is raised while the
        network is made becomes a RuntimeError.
    """
    try:
        return _prepare(given, common, shared)
    except Exception as error:
        kind = next((k for k in (ValueError, TypeError) if isinstance(error, k)), RuntimeError)
        text = str(error)
        for prefix in _PREFIXES:
            text = text.removeprefix(prefix)
        if not isinstance(error, (ValueError, TypeError, RuntimeError)):
            text = f"{type(error).__name__}: {text}"
        raise kind(f"fit_many: configuration {number}: {text}") from error


def _prepare(given: Any, common: Mapping[str, Any], shared: Shared) -> Prepared:
    if not isinstance(given, Mapping):
        raise TypeError(f"it is {given!r}; allowed: a dict of settings")
    settings = {**_without_sources(common, given), **given}
    model = _network(settings)
    network = model._network_for(shared.columns, "fit_many")
    _compile(model, settings)
    compiled = model._require_compiled("fit_many")
    rows, held_out = _rows(settings)
    task = model._task(network, compiled)
    everything = shared.data(task, settings.pop("sample_weight", None))
    train, validation = everything._replace(picked=shared.rows(rows, "rows")), None
    if held_out is not None:
        validation = everything._replace(picked=shared.rows(held_out, "validation_rows"))
    data = settings.pop("validation_data", None)
    sources = {
        "validation_rows or fold": held_out is not None,
        "validation_data": data is not None,
        "validation_split": bool(settings.get("validation_split")),
    }
    if sum(sources.values()) > 1:
        both = " and ".join(name for name, is_given in sources.items() if is_given)
        raise ValueError(f"{both} are both given; allowed: one of them")
    if data is not None:
        validation = _fitting.validation_rows(model, network, data)
    for part, name in ((train, "training"), (validation, "validation")):
        if part is not None and not part.has_weight():
            raise ValueError(f"sample_weight is zero for every {name} row")
    if "epochs" in settings:  # none would leave nothing to compare
        _check.whole(settings["epochs"], "fit_many", "epochs")
    plan = _fitting.settle(model, network, train, validation, **_own_callbacks(settings))
    trainer = model._ready(network)
    for part in (plan.train, plan.validation):
        if part is not None:
            trainer.check_rows(*part)
    for callback in plan.callbacks:
        callback.model = model
        if (check := getattr(callback, "refuse_schedule", None)) is not None:
            check(model)
    return Prepared(model, plan)


def _without_sources(common: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Common settings without those that the configuration replaces under another name."""
    dropped: set[str] = set()
    for group in (
        SOURCES,
        ("fold", "rows"),
        ("fold", "validation_rows", "validation_data", "validation_split"),
    ):
        if any(name in given for name in group):
            dropped.update(group)
    return {name: value for name, value in common.items() if name not in dropped}


def _network(settings: dict[str, Any]) -> Sequential:
    """The network of a configuration; what is used up is taken out of `settings`."""
    named = [name for name in SOURCES if settings.get(name) is not None]
    if len(named) != 1:
        found = " and ".join(named) + " are" if named else "none is"
        raise ValueError(f"{found} given; allowed: one of model, build, layers")
    source = settings.pop(named[0])
    for name in SOURCES:
        settings.pop(name, None)
    arguments: dict[str, Any] = {}
    if named[0] == "build":
        if not callable(source):
            raise TypeError(f"build is {source!r}; allowed: a function that returns a Sequential")
        arguments = _arguments(source, settings)
    _refuse_unknown(settings, source if named[0] == "build" else None)
    seed, dtype = settings.pop("seed", None), settings.pop("dtype", None)
    if named[0] == "layers":
        return Sequential(source, seed=0 if seed is None else seed, dtype=dtype or "float32")
    if dtype is not None:
        raise ValueError(f"dtype is given with {named[0]}; allowed: with layers")
    model = source(**arguments) if named[0] == "build" else source
    if not isinstance(model, Sequential):
        what = "build returned" if named[0] == "build" else "model is"
        raise TypeError(f"{what} {model!r}; allowed: a Sequential")
    if seed is not None and model.built:
        raise ValueError(
            "seed is given, but the model has its weights already; allowed: a model not yet built"
        )
    model = model.copy()
    if seed is not None:
        model._seed = _check.seed(seed, "Sequential")
    return model


def _arguments(build: Callable[..., Any], settings: dict[str, Any]) -> dict[str, Any]:
    """Take the arguments of `build` out of the settings."""
    try:
        parameters = inspect.signature(build).parameters.values()
    except (TypeError, ValueError):
        return {}
    names = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        names |= {name for name in settings if name not in KNOWN}
    missing = [
        p.name for p in parameters if p.name in names and p.default is p.empty and p.name not in settings
    ]
    if missing:
        raise ValueError(f"build needs {', '.join(missing)}; given: {', '.join(settings) or 'nothing'}")
    return {name: settings.pop(name) for name in list(settings) if name in names}


def _refuse_unknown(settings: Mapping[str, Any], build: Callable[..., Any] | None) -> None:
    for name in settings:
        if name not in KNOWN:
            known = [*KNOWN, *(inspect.signature(build).parameters if build is not None else ())]
            close = get_close_matches(str(name), known, 1)
            hint = f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(KNOWN)}"
            also = "" if build is None else " nor an argument of build"
            raise TypeError(f"{name!r} is no setting{also}{hint}")


def _compile(model: Sequential, settings: dict[str, Any]) -> None:
    """Compile with the settings given; what is not given stays as the model has it."""
    given = {name: settings.pop(name) for name in _COMPILE if name in settings}
    rate = settings.pop("learning_rate", None)
    if not given and rate is None and model.compiled is not None:
        return
    if model.compiled is not None:
        own = model.compiled
        before = {
            "optimizer": own.optimizer,
            "loss": own.loss,
            "metrics": own.metrics,
            **own.control._asdict(),
        }
        given = {**before, **given}
    if rate is not None:
        rule = Optimizer.make(given.get("optimizer", "adam"), "fit_many", "optimizer")
        given["optimizer"] = type(rule)(**{**rule._settings, "learning_rate": rate})
    model.compile(**given)


def _rows(settings: dict[str, Any]) -> tuple[Any, Any]:
    """Rows to train on and rows held out, as they are given."""
    fold = settings.pop("fold", None)
    rows, held_out = settings.pop("rows", None), settings.pop("validation_rows", None)
    if fold is None:
        return rows, held_out
    if rows is not None or held_out is not None:
        raise ValueError("fold is given with rows or validation_rows; allowed: one of the two ways")
    try:
        rows, held_out = fold[:2]
    except (TypeError, ValueError):
        raise TypeError(f"fold is {fold!r}; allowed: a pair (rows, validation_rows)") from None
    return rows, held_out


def _own_callbacks(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings with copies of the callbacks: every network has its own."""
    callbacks = settings.get("callbacks", ())
    callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
    return {**settings, "callbacks": [copy.deepcopy(c) for c in callbacks]}
