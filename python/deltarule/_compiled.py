"""What `Sequential.compile` settles: loss, optimizer, metrics, training control."""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from . import _control
from ._control import Control
from ._declaration import Declaration
from ._families import Layer, Loss, Metric, Optimizer, Schedule, ScheduleFunction
from ._types import Config

_OPERATION = "Sequential.compile"


class Compiled(NamedTuple):
    """Settings of training."""

    optimizer: Optimizer
    loss: Loss
    metrics: tuple[Metric, ...]
    control: Control = Control()

    def names(self, validation: bool) -> list[str]:
        """Figures that an epoch gives."""
        measured = ["loss", *(m.entry["name"] for m in self.metrics)]
        checked = ["val_" + name for name in measured] if validation else []
        return [*measured, *checked, "learning_rate", "time"]

    def settings(self, seed: int) -> str:
        """JSON for the core's Trainer."""
        schedule: Schedule | None = self.optimizer.schedule
        if isinstance(schedule, ScheduleFunction):
            schedule = None  # the trainer is told the rates of every epoch
        return json.dumps(
            {
                "loss": self.loss.core_config(),
                "optimizer": self.optimizer.rule(),
                "schedule": [] if schedule is None else schedule.chain(),
                "metrics": [m.config() for m in self.metrics],
                **self.control.settings(),
                "seed": seed,
            }
        )

    def using_average_at_end(self) -> "Compiled":
        """The same with `use_at_end` of the average, which the core does not know."""
        average = self.control.average
        if average is None:
            return self
        return self._replace(control=self.control._replace(average=replace(average, use_at_end=True)))

    @classmethod
    def from_settings(cls, text: str) -> "Compiled":
        """Inverse of `settings`."""
        given: Config = json.loads(text)
        schedule = Schedule.from_chain(given.get("schedule") or [])
        return cls(
            Optimizer.from_config({**given["optimizer"], "schedule": schedule}),
            Loss.from_config(given["loss"]),
            tuple(Metric.from_config(m) for m in given.get("metrics") or []),
            Control.from_settings(given),
        )


def check(optimizer: Any, loss: Any, metrics: Any, control: Mapping[str, Any]) -> Compiled:
    """Turn the arguments of `Sequential.compile` into objects."""
    if loss is None:
        raise ValueError(
            f'{_OPERATION}: the loss is missing; write loss="mse" or another name of deltarule.losses'
        )
    the_loss = Loss.make(loss, _OPERATION, "loss")
    metrics = [metrics] if isinstance(metrics, str) else metrics
    if isinstance(metrics, (Mapping, Declaration)) or not isinstance(metrics, Iterable):
        raise TypeError(f'{_OPERATION}: metrics is {metrics!r}; allowed: a list, such as ["accuracy"]')
    measures = []
    for i, metric in enumerate(metrics):
        measure = Metric.make(metric, _OPERATION, f"metrics[{i}]")
        decides = any(p["name"] == "threshold" for p in measure.entry["parameters"])
        if isinstance(metric, str) and decides and the_loss.entry["from_logits"]:
            measure = type(measure)(threshold=0.0)  # of a logit, where a probability would have 0.5
        measures.append(measure)
    names = [m.entry["name"] for m in measures]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{_OPERATION}: metrics holds {name!r} twice")
    rule = Optimizer.make(optimizer, _OPERATION, "optimizer")
    return Compiled(rule, the_loss, tuple(measures), _control.check(control, rule, the_loss))


def warn_about_logits(layers: Sequence[Layer], loss: Loss) -> None:
    """Warn where `squashed` finds something."""
    if (last := squashed(layers, loss)) is not None:
        takes = f"logits and applies the {loss.squashing} itself" if loss.squashing else "margins of any size"
        warnings.warn(
            f"the loss {loss.entry['name']!r} takes {takes}, but the last layer already has the activation "
            f"{last!r}: remove it there",
            UserWarning,
            stacklevel=3,
        )


def squashed(layers: Sequence[Layer], loss: Loss) -> str | None:
    """Softmax or sigmoid of the last layer before a loss of logits or margins: a common mistake."""
    if not loss.entry["from_logits"]:
        return None
    for layer in reversed(layers):
        if layer.entry["only_training"] or layer.entry["name"] == "reshape":  # outputs stay what they are
            continue
        layer = layer.inside[0][0] if layer.entry["inner"]["kind"] == "layer" else layer  # noqa: PLW2901
        last = getattr(layer, "activation", None)
        if last is not None and last.entry["name"] in ("softmax", "log_softmax", "sigmoid"):
            return str(last.entry["name"])
        break
    return None
