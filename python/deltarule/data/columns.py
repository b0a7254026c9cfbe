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
Mask = npt.NDArray[np.bool_]
Kind = Literal["number", "category", "empty"]

MISSING_TEXTS = frozenset({"", "?", "na", "n/a", "#n/a", "nan", "null", "<null>", "<na>", "nat"})
DASHES = frozenset({"-", "--", "."})  # no value among numbers, but a category among texts: + and -
NUMBER_SHARE = 0.99  # a column is numeric if at least this share of its present cells are numbers

_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")


def is_missing(text: str) -> bool:
    """Tell whether a cell's text stands for "no value"."""
    return text.lower() in MISSING_TEXTS


def parse_number(text: str, decimal_comma: bool = False) -> float:
    """Return the number that a text spells, NaN if it spells none or infinity."""
    value = _parse(text, decimal_comma)
    return value if math.isfinite(value) else math.nan


def _parse(text: str, decimal_comma: bool) -> float:
    if decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    if "_" in text:  # float() takes 1_000
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.nan


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
    @abstractmethod
    def number_share(self) -> float:
        """Return how many of the cells with a value are finite numbers, from 0 to 1."""

    @abstractmethod
    def absent(self) -> Mask:
        """Mark the cells without a value; in a column of numbers also infinite ones and dashes."""

    @abstractmethod
    def unread(self, infinite: bool = True) -> Mask:
        """Mark the cells that a reading as numbers loses: texts, and numbers that are ``infinite``."""

    @abstractmethod
    def cell(self, row: int) -> str:
        """Return a cell as it was given."""

    @property
    def garbled(self) -> int:
        """Count the cells that a reading as numbers loses."""
        return int(self.unread().sum())


class TextColumn(Column):
    """A column read from text."""

    def __init__(self, name: str, codes: Codes, levels: Sequence[str], decimal_comma: bool = False) -> None:
        self.name = name
        self._codes = codes
        self._levels = list(levels)
        self._decimal_comma = decimal_comma
        self._missing = np.array([is_missing(level) for level in self._levels], dtype=bool)
        self._dashes = np.array([level in DASHES for level in self._levels], dtype=bool)
        values = np.array([_parse(level, decimal_comma) for level in self._levels], dtype=np.float64)
        self._infinite = np.isinf(values)
        self._values = np.where(self._infinite, np.nan, values)

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
        if not self._counts[~self._void].any():
            return "empty"
        return "number" if self.number_share >= NUMBER_SHARE else "category"

    @cached_property
    def _void(self) -> Mask:
        """Mark the levels that stand for no value among numbers."""
        void: Mask = self._missing | self._infinite
        numbers = self._values[(self._counts > 0) & ~np.isnan(self._values)]
        # Beside one number only, as in 1 and -, a dash is more likely the other of two categories.
        return void | self._dashes if len(np.unique(numbers)) > 1 else void

    @property
    def number_share(self) -> float:
        present = int(self._counts[~self._void].sum())
        return float(self._counts[~np.isnan(self._values)].sum() / max(present, 1))

    def absent(self) -> Mask:
        absent: Mask = self._void if self.kind == "number" else self._missing
        return absent[self._codes]

    def unread(self, infinite: bool = True) -> Mask:
        unread: Mask = ~self._missing & ~self._dashes & np.isnan(self._values)
        if not infinite:
            unread &= ~self._infinite
        return unread[self._codes]

    def cell(self, row: int) -> str:
        return str(self._levels[self._codes[row]])

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
        self._given = self._values = np.asarray(values, dtype=np.float64)
        if np.isinf(self._given).any():
            self._values = np.where(np.isinf(self._given), np.nan, self._given)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def kind(self) -> Kind:
        return "empty" if np.isnan(self._values).all() else "number"

    @property
    def number_share(self) -> float:
        return 0.0 if self.kind == "empty" else 1.0

    def absent(self) -> Mask:
        return np.isnan(self._values)

    def unread(self, infinite: bool = True) -> Mask:
        return np.isinf(self._given) & infinite

    def cell(self, row: int) -> str:
        return canonical(repr(float(self._given[row])))

    def numbers(self) -> Floats:
        return self._values

    def texts(self) -> tuple[Codes, list[str]]:
        values, inverse = np.unique(self._values, return_inverse=True)
        levels = [canonical(repr(float(value))) for value in values]
        return _merged(inverse.astype(np.int32), np.isnan(values), levels)

    def take(self, rows: npt.NDArray[np.intp]) -> "NumberColumn":
        return NumberColumn(self.name, self._given[rows])


def _merged(codes: Codes, missing: Mask, levels: list[str]) -> tuple[Codes, list[str]]:
    """Renumber so that missing becomes -1 and equal texts share a code."""
    order: dict[str, int] = {}
    renumbered = np.full(len(levels) + 1, -1, dtype=np.int32)
    for position, (level, absent) in enumerate(zip(levels, missing, strict=True)):
        if not absent:
            renumbered[position] = order.setdefault(level, len(order))
    return renumbered[codes], list(order)
