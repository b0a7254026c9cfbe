"""Settings of `Sequential.compile` beside loss, optimizer and metrics."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from . import _check
from ._families import Loss, Optimizer
from ._types import Config
from .averaging import EMA, SWA

_OPERATION = "Sequential.compile"
_GROUP = ("learning_rate_factor", "weight_decay", "l1", "l2", "max_norm", "as_vector")


class Control(NamedTuple):
    """What changes gradients, weights or batches on the way."""

    clip_norm: float | None = None
    clip_value: float | None = None
    parameter_groups: tuple[dict[str, Any], ...] = ()
    decay_exclude: str | None = None
    l1: float = 0.0
    l2: float = 0.0
    max_norm: float | None = None
    mixup: float = 0.0
    average: EMA | SWA | None = None
    dp_clip_norm: float | None = None
    dp_noise_multiplier: float = 0.0

    def settings(self) -> Config:
        """Keys of the core's trainer description."""
        given = self._asdict()
        average = given.pop("average")
        given["parameter_groups"] = list(self.parameter_groups)
        if isinstance(average, EMA):
            given["ema_decay"] = average.decay
        if isinstance(average, SWA):
            given["swa_start"] = average.start_epoch
        return given

    @classmethod
    def from_settings(cls, given: Config) -> "Control":
        """Inverse of `settings`."""
        found = {name: given[name] for name in cls._fields if given.get(name) is not None}
        found["parameter_groups"] = tuple(found.get("parameter_groups", ()))
        if given.get("ema_decay") is not None:
            found["average"] = EMA(given["ema_decay"])
        if given.get("swa_start") is not None:
            found["average"] = SWA(given["swa_start"])
        return cls(**found)


def check(given: Mapping[str, Any], optimizer: Optimizer, loss: Loss) -> Control:
    """Check the keyword arguments of `Sequential.compile` that make a `Control`."""
    control = Control(
        clip_norm=_positive(given["clip_norm"], "clip_norm"),
        clip_value=_positive(given["clip_value"], "clip_value"),
        parameter_groups=_groups(given["parameter_groups"], optimizer),
        decay_exclude=given["decay_exclude"],
        l1=_check.real(given["l1"], _OPERATION, "l1", 0),
        l2=_check.real(given["l2"], _OPERATION, "l2", 0),
        max_norm=_positive(given["max_norm"], "max_norm"),
        mixup=_check.real(given["mixup"], _OPERATION, "mixup", 0),
        average=given["average"],
        dp_clip_norm=_positive(given["dp_clip_norm"], "dp_clip_norm"),
        dp_noise_multiplier=_check.real(given["dp_noise_multiplier"], _OPERATION, "dp_noise_multiplier", 0),
    )
    if control.decay_exclude not in (None, "bias_and_norm"):
        raise _check.not_allowed(
            _OPERATION, "decay_exclude", control.decay_exclude, "'bias_and_norm' or None"
        )
    if control.decay_exclude:
        _needs_decay(optimizer, "decay_exclude")
    if control.average is not None and not isinstance(control.average, (EMA, SWA)):
        raise TypeError(f"{_OPERATION}: average is {control.average!r}; allowed: EMA(...), SWA(...) or None")
    if control.mixup and loss.entry["target"] == "label":
        raise ValueError(
            f"{_OPERATION}: mixup mixes targets, but the loss {loss.entry['name']!r} takes class labels; "
            'allowed: a loss of values or distributions (loss="softmax_cross_entropy" with one-hot rows)'
        )
    if control.dp_noise_multiplier and control.dp_clip_norm is None:
        raise ValueError(
            f"{_OPERATION}: dp_noise_multiplier is given without dp_clip_norm; allowed: both or none"
        )
    if control.mixup and control.dp_clip_norm is not None:
        raise ValueError(f"{_OPERATION}: mixup and dp_clip_norm are both given; allowed: one of them")
    return control


def _groups(given: Any, optimizer: Optimizer) -> tuple[dict[str, Any], ...]:
    allowed = 'a list of dicts, such as [{"match": "*.bias", "weight_decay": 0.0}]'
    if isinstance(given, (str, Mapping)) or not isinstance(given, Iterable):
        raise TypeError(f"{_OPERATION}: parameter_groups is {given!r}; allowed: {allowed}")
    groups = []
    for i, group in enumerate(given):
        where = f"parameter_groups[{i}]"
        if not isinstance(group, Mapping):
            raise TypeError(f"{_OPERATION}: {where} is {group!r}; allowed: a dict, as in {allowed}")
        for key in group:
            if key not in ("match", *_GROUP):
                raise ValueError(
                    f"{_OPERATION}: {where} has the key {key!r}; allowed: match, {', '.join(_GROUP)}"
                )
        match = group.get("match")
        if not isinstance(match, str) or not match:
            raise ValueError(
                f"{_OPERATION}: {where} has match = {match!r}; "
                "allowed: a name of parameters, in which * stands for any text and ? for one character"
            )
        settings: dict[str, Any] = {"match": match}
        for key in _GROUP:
            if group.get(key) is None:
                continue
            argument = f"{where}[{key!r}]"
            if key == "max_norm":
                settings[key] = _positive(group[key], argument)
            elif key == "as_vector":
                settings[key] = _check.flag(group[key], _OPERATION, argument)
            else:
                settings[key] = _check.real(group[key], _OPERATION, argument, 0)
        if "weight_decay" in settings:
            _needs_decay(optimizer, f"{where}['weight_decay']")
        groups.append(settings)
    return tuple(groups)


def _needs_decay(optimizer: Optimizer, argument: str) -> None:
    if all(p["name"] != "weight_decay" for p in optimizer.entry["parameters"]):
        raise ValueError(
            f"{_OPERATION}: {argument} is given, but {type(optimizer).__name__} has no weight_decay"
        )


def _positive(value: float | None, argument: str) -> float | None:
    if value is None:
        return None
    number = _check.real(value, _OPERATION, argument, 0)
    if number == 0:
        raise _check.not_allowed(_OPERATION, argument, number, "a number > 0, or None")
    return number
