"""What the classes of each family can do: the bases of everything that `_from_catalog.classes` makes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._declaration import Declaration, Extra
from ._native import core
from ._types import Array, ArrayLike, Config, Entry


class ActivationFunction(Declaration):
    """Base of the activations: functions of one number, applied to every element."""

    family = "activation"

    @classmethod
    def find(cls, name: str) -> "type[Any]":
        """Class of an activation or row operation by name or alias."""
        row_op: type[Any] | None = cls.registry.get(("row_op", name))
        return row_op or super().find(name)

    def __call__(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Apply the function to an array; see `deltarule.kernels`."""
        from . import kernels

        y: Array = getattr(kernels, self.entry["name"])(x, out=out, **self._settings)
        return y


class RowOperation(ActivationFunction):
    """Base of the functions of a whole row, such as softmax."""

    family = "row_op"


class Initializer(Declaration):
    """Base of the rules that fill a new weight matrix."""

    family = "initializer"

    def __call__(
        self, shape: tuple[int, int], *, seed: int = 0, tensor: int = 0, dtype: str = "float32"
    ) -> Array:
        """Draw a weight matrix.

        Parameters
        ----------
        shape : (int, int)
            Inputs and units of the layer.
        seed : int, default 0
            Seed of the random numbers.
        tensor : int, default 0
            Number that tells the parameters of one network apart.
        dtype : str, default "float32"
            Type of the result.

        Returns
        -------
        ndarray of `shape`
        """
        fan_in, fan_out = shape
        flat = core.initialize(
            self.entry["name"], self._settings, fan_in, fan_out, seed, tensor, fan_in * fan_out
        )
        return flat.reshape(shape).astype(dtype)


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


class Optimizer(Declaration):
    """Base of the update rules."""

    family = "optimizer"

    @classmethod
    def extras_of(cls, entry: Entry) -> dict[str, Extra]:  # noqa: ARG003
        """``schedule=`` for every rule."""
        return {
            "schedule": Extra(
                None,
                Schedule | str | dict[str, Any] | None,
                "Schedule, name, config or None",
                "How the learning rate changes from step to step.",
                lambda value, operation: _optional(Schedule, value, operation, "schedule"),
            )
        }


class Loss(Declaration):
    """Base of the losses."""

    family = "loss"

    def __call__(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        sample_weight: ArrayLike | None = None,
        reduction: str = "mean",
    ) -> Any:
        """Value of the loss; `deltarule.kernels` gives the gradient as well."""
        from . import kernels

        kernel = getattr(kernels, self.entry["name"])
        return kernel(prediction, target, sample_weight, reduction, **self._settings)[0]


class Metric(Declaration):
    """Base of the metrics."""

    family = "metric"

    @classmethod
    def higher_is_better(cls) -> bool:
        """Whether a larger figure is the better one."""
        return bool(cls.entry["higher_is_better"])

    def __call__(
        self, prediction: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Figure for predictions of shape (N, outputs) and targets or integer labels."""
        from . import _kernels

        return _kernels.metric(self, prediction, target, sample_weight)


class Layer(Declaration):
    """Base of the layers of a `Sequential`: descriptions, which hold no arrays."""

    family = "layer"
    key = "type"
    required = frozenset({"units", "filters", "shape", "columns", "cardinalities"})
    positional = 2

    @classmethod
    def extras_of(cls, entry: Entry) -> dict[str, Extra]:
        """Activations and initializers, for the layers that have them, and a name."""
        extras = {part["name"]: _part(part) for part in entry["parts"]}
        extras["name"] = Extra(
            None, str | None, "str or None", "Prefix of its parameters; None numbers it.", _layer_name
        )
        return extras

    @classmethod
    def required_of(cls, order: tuple[str, ...]) -> frozenset[str]:
        """Sizes have no default; columns only where each has a cardinality."""
        return super().required_of(order) - (frozenset() if "cardinalities" in order else {"columns"})

    @classmethod
    def order_of(cls, entry: Entry, extras: Mapping[str, Extra]) -> tuple[str, ...]:
        """The first parameter, the activation, everything else."""
        names = [p["name"] for p in entry["parameters"]]
        return tuple(dict.fromkeys([*names[:1], *(n for n in extras if n == "activation"), *names, *extras]))


def _optional(base: type[Any], value: Any, operation: str, argument: str) -> Any:
    return None if value is None else base.make(value, operation, argument)


def _layer_name(value: Any, operation: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise TypeError(f"{operation}: name = {value!r} is not allowed; allowed: text, or None")


def _part(part: Entry) -> Extra:
    base = ActivationFunction if part["family"] == "activation" else Initializer
    default = part["default"] or None

    def convert(value: Any, operation: str) -> Any:
        if value is None and default is None:
            return None
        if default == "auto" and value in ("auto", {"name": "auto"}):
            return "auto"
        return base.make(value, operation, part["name"])

    kinds = f"str, {base.__name__}, config" + (" or None" if default is None else "")
    annotation = base | str | dict[str, Any] | None if default is None else base | str | dict[str, Any]
    meaning = part["meaning"][:1].upper() + part["meaning"][1:] + "."
    return Extra(default, annotation, kinds, meaning, convert)
