"""The class behind every optimizer, loss, schedule, initializer, metric, activation and layer object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, NoReturn, TypeVar

from . import _foreign
from ._native import core
from ._types import Config, Entry

if TYPE_CHECKING:
    from typing_extensions import Self

_D = TypeVar("_D", bound="Declaration")


class Extra(NamedTuple):
    """An argument that Python adds to those of the catalogue, such as an optimizer's ``schedule``."""

    default: Any
    annotation: Any
    kinds: str
    meaning: str
    convert: Callable[[Any, str], Any]  # (value, operation) -> what is kept
    kept: bool = True  # False: only stands for other arguments
    required: bool = False


class _Signature:
    """Builds a class's signature when somebody asks for it."""

    def __get__(self, instance: object, owner: type[Declaration]) -> Any:
        if instance is not None or not hasattr(owner, "entry"):
            raise AttributeError("__signature__")
        from ._from_catalog import class_signature

        return class_signature(owner)


class Declaration:
    """One row of the catalogue with its settings. Immutable, comparable, and described by `config`."""

    family: ClassVar[str]
    key: ClassVar[str] = "name"
    entry: ClassVar[Entry]
    extras: ClassVar[dict[str, Extra]] = {}
    order: ClassVar[tuple[str, ...]] = ()
    positional: ClassVar[int] = 1
    required: ClassVar[frozenset[str]] = frozenset()
    registry: ClassVar[dict[tuple[str, str], type[Any]]] = {}
    __signature__ = _Signature()
    _settings: dict[str, Any]

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        cls = type(self)
        if not hasattr(cls, "entry"):
            raise TypeError(f"{cls.__name__} is abstract: choose one of its subclasses")
        if len(arguments) > cls.positional:
            raise TypeError(
                f"{cls.__name__}: takes {cls.positional} positional argument{'s' * (cls.positional > 1)}, "
                f"{len(arguments)} were given; write the others as keywords"
            )
        for name, value in zip(cls.order, arguments, strict=False):
            if name in settings:
                raise TypeError(f"{cls.__name__}: {name} is given twice")
            settings[name] = value
        for name in cls.required:
            if name not in settings:
                raise TypeError(f"{cls.__name__}: the argument {name} is missing")
        object.__setattr__(self, "_settings", cls._resolve(settings))

    @classmethod
    def _resolve(cls, settings: dict[str, Any]) -> dict[str, Any]:
        settings = cls.expanded(settings)
        plain = {k: _plain(v) for k, v in settings.items() if k not in cls.extras}
        for name, value in plain.items():
            if name not in cls.order:
                try:
                    core.resolve(cls.family, cls.core_name(), {name: value})
                except ValueError as error:
                    if "unknown parameter" not in str(error):  # the core knows what is meant
                        raise TypeError(str(error)) from None
                raise _foreign.unknown_argument(cls.entry["name"], name, cls.order)
        resolved = core.resolve(cls.family, cls.core_name(), plain)
        for name, extra in cls.extras.items():
            if extra.kept:
                resolved[name] = extra.convert(settings.get(name, extra.default), cls.__name__)
        return {name: resolved[name] for name in cls.order if name in resolved}

    @classmethod
    def expanded(cls, settings: dict[str, Any]) -> dict[str, Any]:
        """Arguments with those that only stand for others replaced by them."""
        return settings

    @classmethod
    def extras_of(cls, entry: Entry) -> dict[str, Extra]:  # noqa: ARG003
        """Arguments beside the catalogue's, for one entry of the family."""
        return {}

    @classmethod
    def required_of(cls, order: tuple[str, ...]) -> frozenset[str]:
        """Arguments without a default, of those in `order`."""
        return cls.required.intersection(order)

    @classmethod
    def positional_of(cls, order: tuple[str, ...]) -> int:  # noqa: ARG003
        """How many of `order` may be given without their names."""
        return cls.positional

    @classmethod
    def order_of(cls, entry: Entry, extras: Mapping[str, Extra]) -> tuple[str, ...]:
        """Order of all arguments in the signature."""
        return (*(p["name"] for p in entry["parameters"]), *extras)

    @classmethod
    def core_name(cls) -> str:
        """Name under which the core finds exactly this row; the user's own can have another one there."""
        name: str = cls.entry["name"]
        return name

    def config(self) -> Config:
        """Everything about this object as a dict of JSON values; `from_config` is its inverse."""
        return {self.key: self.entry["name"]} | {k: _to_json(v) for k, v in self._settings.items()}

    def core_config(self) -> Config:
        """The config with the names of the core, which files and other processes do not know."""
        own = {k: _to_json(v, "core_config") for k, v in self._settings.items()}
        return {self.key: self.core_name()} | own

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make the object that `config` describes.

        Raises
        ------
        ValueError
            The name is unknown or not of this class, or a parameter is outside its range.
        """
        settings = dict(config)
        name = settings.pop(cls.key, None)
        if not isinstance(name, str):
            raise ValueError(f"{cls.__name__}.from_config: the key {cls.key!r} is missing")
        made = cls if hasattr(cls, "entry") and cls.entry["name"] == name else cls.find(name)
        if not issubclass(made, cls):
            raise ValueError(f"{cls.__name__}.from_config: {cls.key} = {name!r} is a {made.__name__}")
        return made(**settings)

    @classmethod
    def find(cls, name: str) -> type[Self]:
        """Class of a catalogue name or alias of this family; ValueError with a suggestion otherwise."""
        found: type[Self] | None = cls.registry.get((cls.family, name))
        if found is None:
            if said := _foreign.hint(cls.family, name):
                raise ValueError(f"unknown {cls.family} {name!r}{said}")
            core.find(cls.family, name)  # raises, with "did you mean"
            raise ValueError(f"unknown {cls.family} {name!r}")
        return found

    @classmethod
    def make(cls, value: Any, operation: str, argument: str) -> Self:
        """Turn a name, a config, an object of this family or what `of_python` takes into an object."""
        if isinstance(value, cls):
            return value
        made = cls.of_python(value)
        if made is not None:
            return made
        try:
            if isinstance(value, str):
                return cls.find(value)()
            if isinstance(value, Mapping):
                return cls.from_config(value)
        except ValueError as error:
            raise ValueError(f"{operation}: {argument}: {error}") from None
        if isinstance(value, type) and issubclass(value, cls):
            raise TypeError(
                f"{operation}: {argument} is the class {value.__name__}; write {value.__name__}()"
            )
        raise TypeError(
            f"{operation}: {argument} is a {type(value).__name__}; allowed: "
            f"the name of {_article(cls.family)}, {_article(cls.__name__)} object or its config"
            f"{_foreign.mistaken(value, cls.family)}"
        )

    @classmethod
    def of_python(cls, value: Any) -> Self | None:  # noqa: ARG003
        """Make an object of a Python function, in the families that can; None for anything else."""
        return None

    def __getattr__(self, name: str) -> Any:
        settings = self.__dict__.get("_settings", {})
        if name in settings:
            return settings[name]
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        what = f"{type(self).__name__} is immutable"
        if name in type(self).order:
            raise AttributeError(f"{what}: make a new one with {name}={value!r}")
        if name == "trainable" and self.family == "layer":
            raise AttributeError(f"{what} and has no trainable; to freeze it, {_foreign.FREEZE}")
        raise AttributeError(
            f"{what} and has no {name}; it has {', '.join(type(self).order) or 'no settings'}"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._settings]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Declaration):
            return NotImplemented
        return type(self) is type(other) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash((type(self), *self._settings.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (_from_settings, (type(self), self._settings))

    def __repr__(self) -> str:
        defaults = {p["name"]: p["default"] for p in self.entry["parameters"]}
        defaults |= {
            k: extra.convert(extra.default, "") for k, extra in self.extras.items() if k not in self.required
        }
        shown = [
            _written(v) if k in self.required else f"{k}={_short(v)!r}"
            for k, v in self._settings.items()
            if k in self.required or v != defaults[k]
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


def is_function(value: Any) -> bool:
    """Whether a value is a function of the user's, not a class or an object of ours."""
    return callable(value) and not isinstance(value, (type, Declaration))


def _from_settings(cls: type[_D], settings: dict[str, Any]) -> _D:
    return cls(**settings)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def _to_json(value: Any, method: str = "config") -> Any:
    if value == float("inf"):
        return "inf"  # JSON has no other way
    if isinstance(value, tuple):
        return [_to_json(v, method) for v in value]
    return getattr(value, method)() if isinstance(value, Declaration) else value


def _written(value: Any) -> str:
    """A required argument as code; layers inside others as lists."""
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, tuple) else repr(value)


def _short(value: Any) -> Any:
    """The name of an activation, initializer or schedule that has only default settings."""
    if isinstance(value, Declaration) and not value.required and value == type(value)():
        return value.entry["name"]
    return value


def _article(word: str) -> str:
    return ("an " if word[0] in "aeiouAEIOU" else "a ") + word
