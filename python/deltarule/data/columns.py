"""One column of a table: as numbers or as categories, whichever is asked for.

A column read from text keeps every distinct text once (``levels``) and an integer per row, so that deciding
what it holds and converting it costs one look at each distinct text.
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int32]
Kind = Literal["number", "category", "empty"]

MISSING_TEXTS = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "<null>", "<na>", "nat"})
NUMBER_SHARE = 0.99  # a column is numeric if at least this share of its present cells are numbers

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def is_missing(text: str) -> bool:
    """Tell whether a cell's text stands for "no value"."""
    return text.lower() in MISSING_TEXTS


def parse_number(text: str, decimal_comma: bool = False) -> float:
    """Return the number that a text spells, NaN if it spells none or infinity."""
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if "_" in text:  # float() takes 1_000
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def canonical(text: str) -> str:
    """Write whole numbers without decimals, so that ``3.0`` and ``3`` are one category."""
    match = _WHOLE.fullmatch(text)
    return match.group(1) if match else text


class Column(ABC):
    """A named column; ``numbers()`` and ``texts()`` are its two readings."""

    name: str

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def kind(self) -> Kind: ...

    @abstractmethod
    def numbers(self) -> Floats:
        """Return float64 values; NaN where the value is missing, infinite or not a number."""

    @abstractmethod
    def texts(self) -> tuple[Codes, list[str]]:
        """Return a code per row (-1: missing) and the distinct texts the codes stand for."""

    @abstractmethod
    def take(self, rows: npt.NDArray[np.intp]) -> "Column":
        """Return the column with these rows only."""

    @property
    def garbled(self) -> int:
        """Count the cells of a numeric column that hold something that is not a number."""
        return 0


class TextColumn(Column):
    """A column read from text."""

    def __init__(self, name: str, codes: Codes, levels: Sequence[str], decimal_comma: bool = False) -> None:
        self.name = name
        self._codes = codes
        self._levels = list(levels)
        self._decimal_comma = decimal_comma
        self._missing = np.array([is_missing(level) for level in self._levels], dtype=bool)
        self._values = np.array(
            [parse_number(level, decimal_comma) for level in self._levels], dtype=np.float64
        )

    @classmethod
    def of(cls, name: str, cells: Iterable[str]) -> "TextColumn":
        """Build from the texts of all rows."""
        lookup: dict[str, int] = {}
        codes = [lookup.setdefault(cell.strip(), len(lookup)) for cell in cells]
        return cls(name, np.array(codes, dtype=np.int32), list(lookup))

    def __len__(self) -> int:
        return len(self._codes)

    @cached_property
    def _counts(self) -> npt.NDArray[np.intp]:
        return np.bincount(self._codes, minlength=len(self._levels))

    @property
    def kind(self) -> Kind:
        present = int(self._counts[~self._missing].sum())
        if present == 0:
            return "empty"
        return "number" if present - self._unparsed >= NUMBER_SHARE * present else "category"

    @property
    def _unparsed(self) -> int:
        return int(self._counts[~self._missing & np.isnan(self._values)].sum())

    @property
    def garbled(self) -> int:
        return self._unparsed if self.kind == "number" else 0

    def numbers(self) -> Floats:
        return self._values[self._codes]

    def texts(self) -> tuple[Codes, list[str]]:
        return _merged(self._codes, self._missing, [canonical(level) for level in self._levels])

    def renamed(self, names: Mapping[str, str]) -> "TextColumn":
        """Return the column with some of its texts replaced."""
        levels = [names.get(level, level) for level in self._levels]
        return TextColumn(self.name, self._codes, levels, self._decimal_comma)

    def take(self, rows: npt.NDArray[np.intp]) -> "TextColumn":
        return TextColumn(self.name, self._codes[rows], self._levels, self._decimal_comma)


class NumberColumn(Column):
    """A column that was stored as numbers."""

    def __init__(self, name: str, values: npt.ArrayLike) -> None:
        self.name = name
        self._values = np.asarray(values, dtype=np.float64)
        self._infinite = int(np.isinf(self._values).sum())
        if self._infinite:
            self._values = np.where(np.isinf(self._values), np.nan, self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def kind(self) -> Kind:
        return "empty" if np.isnan(self._values).all() else "number"

    @property
    def garbled(self) -> int:
        return self._infinite

    def numbers(self) -> Floats:
        return self._values

    def texts(self) -> tuple[Codes, list[str]]:
        values, inverse = np.unique(self._values, return_inverse=True)
        levels = [canonical(repr(float(value))) for value in values]
        return _merged(inverse.astype(np.int32), np.isnan(values), levels)

    def take(self, rows: npt.NDArray[np.intp]) -> "NumberColumn":
        return NumberColumn(self.name, self._values[rows])


def _merged(codes: Codes, missing: npt.NDArray[np.bool_], levels: list[str]) -> tuple[Codes, list[str]]:
    """Renumber so that missing becomes -1 and equal texts share a code."""
    order: dict[str, int] = {}
    renumbered = np.full(len(levels) + 1, -1, dtype=np.int32)
    for position, (level, absent) in enumerate(zip(levels, missing, strict=True)):
        if not absent:
            renumbered[position] = order.setdefault(level, len(order))
    return renumbered[codes], list(order)
