"""What the core needs of a layer written in Python: its settings, and its `build` checked."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ._families import Initializer


class LayerAdapter:
    """What the core calls: a user's layer, its `build` checked."""

    def __init__(self, name: str, inner: Any) -> None:
        self.name = name
        self.inner = inner
        self.forward = inner.forward
        self.backward = inner.backward

    def _built(self, input_width: int) -> tuple[int, list[tuple[str, list[int], str, dict[str, Any]]]]:
        what = f"layer {self.name!r}: build({input_width})"
        given = self.inner.build(input_width)
        if not (isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping)):
            raise TypeError(
                f"{what} returned {given!r}; allowed: (output_width, {{name: (shape, initializer)}})"
            )
        width = _whole(given[0], f"{what}: output_width")
        arrays = []
        for name, description in given[1].items():
            if not isinstance(name, str) or not name or "." in name:
                raise ValueError(f"{what}: the name {name!r} is not allowed; allowed: text without dots")
            if not (isinstance(description, tuple) and len(description) == 2):
                raise TypeError(f"{what}: {name} is {description!r}; allowed: (shape, initializer)")
            shape = tuple(description[0]) if isinstance(description[0], Iterable) else (description[0],)
            if len(shape) not in (1, 2):
                raise ValueError(f"{what}: {name} has {len(shape)} dimensions; allowed: 1 or 2")
            config = Initializer.make(description[1], what, name).config()
            sizes = [_whole(n, f"{what}: shape of {name}") for n in shape]
            arrays.append((name, sizes, config.pop("name"), config))
        return width, arrays


def settings_of(made_of: type) -> list[tuple[str, float | bool]]:
    if made_of.__init__ is object.__init__:  # type: ignore[misc]
        return []
    found = []
    for p in list(inspect.signature(made_of).parameters.values()):
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) or not isinstance(p.default, (bool, int, float)):
            raise TypeError(
                f"custom.layer: {made_of.__name__}.__init__: the argument {p.name} is not allowed; "
                "allowed: arguments whose defaults are numbers or booleans"
            )
        found.append((p.name, p.default))
    return found


def _whole(value: Any, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{what} = {value!r} is not allowed; allowed: a whole number >= 1")
    return int(value)
