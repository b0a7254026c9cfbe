"""What `deltarule.custom` registers: names, the classes of objects, pickles.

An object keeps its functions for ever; a name means the newest registration.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from threading import RLock
from typing import Any
from uuid import uuid4

from ._declaration import Declaration
from ._from_catalog import make_class
from ._native import core

_LOCK = RLock()
_NUMBERS = count(1)
_by_token: dict[str, Any] = {}
_by_functions: dict[tuple[Any, ...], Any] = {}


class Custom(Declaration):
    """Base beside the family's: knows its functions, whatever its name has come to mean since."""

    functions: tuple[Any, ...]
    token: str
    _add: Callable[[str], None]
    _older_name: str | None

    @classmethod
    def core_name(cls) -> str:
        """Its name while that means this one; afterwards another one, made when first needed."""
        with _LOCK:
            name: str = cls.entry["name"]
            if cls.registry.get((cls.family, name)) is cls:
                return name
            if cls._older_name is None:
                older = f"{name}.{next(_NUMBERS)}"  # users' names have no dots
                cls._add(older)
                cls._older_name = older
            return cls._older_name

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.family, self.entry["name"], self._settings, self.token)


def _again(family: str, name: str, settings: dict[str, Any], token: str) -> Any:
    found = _by_token.get(token) or Declaration.registry.get((family, name))
    if found is None:
        raise ValueError(
            f"the {family} {name!r} is not registered in this process; "
            f"register it first with deltarule.custom.{family}(..., name={name!r})"
        )
    return found(**settings)


def make(
    base: Any, name: str, functions: tuple[Any, ...], add: Callable[[str], None], **attributes: Any
) -> Any:
    """Register under `name` and return the class; `add` tells the core."""
    with _LOCK:
        add(name)
        made: Any = make_class(
            (base, Custom),
            core.entry(base.family, name),
            "deltarule.custom",
            functions=functions,
            token=uuid4().hex,  # not a number: processes that fork count alike
            _add=staticmethod(add),
            _older_name=None,
            **attributes,
        )
        _by_token[made.token] = made
    return made


@contextmanager
def on_trial(register: Callable[[str], Any], family: str, name: str) -> Iterator[Any]:
    """Under a name of its own while it is checked, so that what fails is not found afterwards."""
    trial = f"{name} (on trial)"
    made = register(trial)
    try:
        yield made
    finally:
        Declaration.registry.pop((family, trial), None)


def choose_name(given: Any, functions: tuple[Any, ...], family: str) -> str:
    """The name to register under: as given, or the function's own, numbered if another one has that."""
    if given is None:
        own = getattr(functions[0], "__name__", type(functions[0]).__name__)
        base = name = "custom" if own == "<lambda>" else str(own)
        number = 1
        while _is_anothers(family, name, functions):
            number += 1
            name = f"{base}_{number}"
        return name
    if not isinstance(given, str) or not given or "." in given:
        raise ValueError(f"custom.{family}: name = {given!r} is not allowed; allowed: text without dots")
    return given


def remember(family: str, functions: tuple[Any, ...], made: Any) -> Any:
    """Note what the functions given directly mean from now on."""
    _by_functions[_key(family, functions)] = made
    return made


def once(register: Callable[..., Any], *functions: Any) -> Any:
    """What functions given directly are registered as; the same ones once."""
    found = _by_functions.get(_key(register.__name__, functions))
    return register(*functions) if found is None else found


def _key(family: str, functions: tuple[Any, ...]) -> tuple[Any, ...]:
    try:
        hash(functions)
    except TypeError:
        return family, *map(id, functions)  # registered functions live for ever, so ids stay theirs
    return family, *functions


def _is_anothers(family: str, name: str, functions: tuple[Any, ...]) -> bool:
    families = ("activation", "row_op") if family == "activation" else (family,)
    for found in (Declaration.registry.get((f, name)) for f in families):
        if found is None:
            continue
        if not issubclass(found, Custom):
            return True
        if not all(map(_same_definition, found.functions, functions)):
            return True
    return False


def _same_definition(old: Any, new: Any) -> bool:
    """Whether both are one function, or what running a definition at the top of a notebook again gives.

    A definition inside a function or a loop makes several functions of one code object: those are different.
    """
    if old is new:
        return True
    codes, places = [_code(f) for f in (old, new)], [_place(f) for f in (old, new)]
    return (
        None not in codes and codes[0] is not codes[1] and places[0] == places[1] and "<" not in places[0][1]
    )


def _code(function: Any) -> Any:
    return getattr(getattr(function, "forward", function), "__code__", None)


def _place(function: Any) -> tuple[str, str]:
    return str(getattr(function, "__module__", "")), getattr(function, "__qualname__", "<none>")
