"""What the classes of each family can do: the bases of everything that `_from_catalog.classes` makes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import _compat
from ._declaration import Declaration, Extra, is_function
from ._native import core
from ._schedule_family import Schedule, ScheduleFunction, schedule_of
from ._types import Array, ArrayLike, Config, Entry

# Losses that look at differences of outputs; those whose targets are signs do so as well.
_OF_MARGINS = ("half_margin_hinge", "multiclass_hinge")

__all__ = [
    "ActivationFunction",
    "Initializer",
    "Layer",
    "Loss",
    "Metric",
    "Optimizer",
    "RowOperation",
    "Schedule",
    "ScheduleFunction",
]


class ActivationFunction(Declaration):
    """Base of the activations: functions of one number, applied to every element."""

    family = "activation"

    @classmethod
    def find(cls, name: str) -> "type[Any]":
        """Class of an activation or row operation by name or alias."""
        row_op: type[Any] | None = cls.registry.get(("row_op", name))
        return row_op or super().find(name)

    @classmethod
    def of_python(cls, value: Any) -> "Any | None":
        """A pair (function, derivative)."""
        if not (isinstance(value, tuple) and len(value) == 2 and all(map(callable, value))):
            return None
        from . import _registered, custom

        return _registered.once(custom.activation, *value)

    def __call__(self, x: ArrayLike, out: Array | None = None) -> Array:
        """Apply the function to an array; see `deltarule.kernels`."""
        from . import kernels

        y: Array = getattr(kernels, self.entry["name"])(x, out=out, **self._settings)
        return y

    def backward(self, x: Array, y: Array, dy: Array) -> Array:
        """Gradient of x out of that of y; see `deltarule.kernels`."""
        from . import kernels

        dx: Array = getattr(kernels, self.entry["name"] + "_backward")(x, y, dy, **self._settings)
        return dx


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


class Optimizer(Declaration):
    """Base of the update rules."""

    family = "optimizer"

    @classmethod
    def extras_of(cls, entry: Entry) -> dict[str, Extra]:
        """``schedule=`` for every rule, ``compat=`` for those that other libraries have."""
        extras = {
            "schedule": Extra(
                None,
                Schedule | str | dict[str, Any] | Callable[[int], float] | None,
                "Schedule, name, config, function or None",
                "How the learning rate changes from step to step. A function takes the step, from 0 on.",
                schedule_of,
            )
        }
        if libraries := _compat.known(entry):
            extras["compat"] = Extra(
                None,
                str | None,
                " or ".join(map(repr, libraries)) + ", or None",
                _compat.meaning(entry),
                lambda value, _: value,
                kept=False,
            )
        return extras

    @classmethod
    def expanded(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Arguments with ``compat`` replaced by what it means."""
        if settings.get("compat") is not None and "compat" not in cls.extras:
            raise ValueError(
                f"{cls.__name__}: compat = {settings['compat']!r} is not allowed: "
                "no other library is known to have this rule under this name"
            )
        return _compat.resolve(cls.entry, settings, cls.__name__)

    @classmethod
    def of_python(cls, value: Any) -> "Any | None":
        """A function that changes the parameters."""
        if not is_function(value):
            return None
        from . import _registered, custom

        return _registered.once(custom.optimizer, value)()

    def rule(self) -> Config:
        """What the core is told: the config without the schedule."""
        own = {p["name"]: self._settings[p["name"]] for p in self.entry["parameters"]}
        return {"name": self.core_name(), **own}


class Loss(Declaration):
    """Base of the losses."""

    family = "loss"

    @classmethod
    def of_python(cls, value: Any) -> "Any | None":
        """A function that gives loss and gradient."""
        if not is_function(value):
            return None
        from . import _registered, custom

        return _registered.once(custom.loss, value)

    def __call__(
        self,
        prediction: ArrayLike,
        target: ArrayLike,
        sample_weight: ArrayLike | None = None,
        reduction: str = "mean",
    ) -> Any:
        """Value of the loss; `deltarule.kernels` gives the gradient as well."""
        return self.kernel()(prediction, target, sample_weight, reduction, **self._settings)[0]

    @classmethod
    def kernel(cls) -> Callable[..., tuple[Any, Array]]:
        """The function of `deltarule.kernels` that gives loss and gradient."""
        from . import kernels

        kernel: Callable[..., tuple[Any, Array]] = getattr(kernels, cls.entry["name"])
        return kernel

    @property
    def squashing(self) -> str | None:
        """Name of what the loss itself makes probabilities of the outputs with; None where it does not."""
        entry = self.entry
        if not entry["from_logits"] or entry["signs"] or entry["name"] in _OF_MARGINS:
            return None
        chosen: str | None = self._settings.get("probability")
        return chosen or ("sigmoid" if entry["target"] == "values" else "softmax")

    @classmethod
    def that_squash(cls) -> list[str]:
        """Names of the catalogue's losses that have a `squashing`."""
        from ._from_catalog import CATALOG

        return [e["name"] for e in CATALOG["loss"] if cls.find(e["name"])().squashing]


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
        if entry["inner"]["name"]:
            extras[entry["inner"]["name"]] = _inner(entry["inner"])
        extras["name"] = Extra(
            None, str | None, "str or None", "Prefix of its parameters; None numbers it.", _layer_name
        )
        return extras

    @classmethod
    def required_of(cls, order: tuple[str, ...]) -> frozenset[str]:
        """Sizes have no default; columns only where each has a cardinality."""
        return super().required_of(order) - (frozenset() if "cardinalities" in order else {"columns"})

    @classmethod
    def positional_of(cls, order: tuple[str, ...]) -> int:
        """The activation is the last, where there is one."""
        return 3 if "kernel_size" in order else cls.positional

    @classmethod
    def order_of(cls, entry: Entry, extras: Mapping[str, Extra]) -> tuple[str, ...]:
        """The layers inside, the first parameter, the size of a kernel, the activation, everything else."""
        names = [p["name"] for p in entry["parameters"]]
        inside = [n for n in extras if n == entry["inner"]["name"]]
        early = [n for n in (*names, *extras) if n in ("kernel_size", "activation")]
        return tuple(dict.fromkeys([*inside, *names[:1], *early, *names, *extras]))

    @property
    def inside(self) -> "tuple[tuple[Layer, ...], ...]":
        """The chains of layers inside this one; empty for most layers."""
        inner = self.entry["inner"]
        if not inner["name"]:
            return ()
        value: Any = self._settings[inner["name"]]
        chains: tuple[tuple[Layer, ...], ...]
        chains = {"layer": ((value,),), "layers": (value,)}.get(inner["kind"], value)
        return chains


def _layer_name(value: Any, operation: str) -> str | None:
    if value is None or (isinstance(value, str) and value):
        return value
    raise TypeError(f"{operation}: name = {value!r} is not allowed; allowed: text, or None")


def _inner(inner: Entry) -> Extra:
    """The argument that takes the layers inside a layer."""

    def chain(value: Any, operation: str, argument: str) -> tuple[Layer, ...]:
        if isinstance(value, (str, Mapping, Layer)) or not isinstance(value, Iterable):
            raise TypeError(f"{operation}: {argument} is {value!r}; allowed: a list of layers")
        return tuple(Layer.make(v, operation, f"{argument}[{i}]") for i, v in enumerate(value))

    def chains(value: Any, operation: str, argument: str) -> tuple[tuple[Layer, ...], ...]:
        if isinstance(value, (str, Mapping, Layer)) or not isinstance(value, Iterable):
            raise TypeError(f"{operation}: {argument} is {value!r}; allowed: a list of lists of layers")
        return tuple(chain(v, operation, f"{argument}[{i}]") for i, v in enumerate(value))

    convert, annotation, kinds = {
        "layer": (Layer.make, Layer, "Layer"),
        "layers": (chain, Sequence[Layer], "list of layers"),
        "branches": (chains, Sequence[Sequence[Layer]], "list of lists of layers"),
    }[inner["kind"]]
    name, meaning = inner["name"], inner["meaning"][:1].upper() + inner["meaning"][1:] + "."

    def checked(value: Any, operation: str) -> Any:
        made: Any = convert(value, operation, name)
        if made == ():
            raise ValueError(f"{operation}: {name} is empty; allowed: at least one")
        return made

    return Extra(None, annotation, kinds, meaning, checked, required=True)


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
