"""How one column becomes columns of the input matrix: learnt from training rows, kept in the model file."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .columns import Column, Floats
from .errors import DataError

Matrix = npt.NDArray[np.float32]

_LARGEST = 1e150  # the square of a larger number may not be finite


@dataclass
class Remarks:
    """Counts of the unusual things met while encoding, by column name."""

    missing: dict[str, int] = field(default_factory=dict)
    unseen: dict[str, int] = field(default_factory=dict)


def mean_and_deviation(name: str, values: Floats) -> tuple[float, float]:
    """Return both for numbers without NaN; refuse numbers so large that they would not be finite."""
    largest = values[np.abs(values).argmax()]
    if abs(largest) > _LARGEST:
        raise DataError(
            f"the column {name!r} holds {largest:g}; numbers beyond {_LARGEST:g} cannot be standardised"
        )
    return float(values.mean()), float(values.std())


def standardised(name: str, values: Floats, mean: float, deviation: float, limit: float | None) -> Floats:
    """Return ``(values - mean) / deviation``; refuse what a network's float32 cannot hold."""
    with np.errstate(over="ignore"):
        scaled: Floats = (values - mean) / deviation
    if limit is not None:
        return np.clip(scaled, -limit, limit)
    far = np.abs(scaled) > np.finfo(np.float32).max
    if far.any():
        raise DataError(
            f"the column {name!r} holds {values[far][0]:g}, which is too far from {mean:.4g} ± "
            f"{deviation:.4g}, the mean and deviation of its training rows"
        )
    return scaled


@dataclass
class NumberEncoder:
    """Standardises: ``(x - mean) / deviation``, cut off at ``limit`` deviations.

    A missing value takes ``fill``; with ``indicator`` a second column says where it did.
    """

    name: str
    mean: float
    deviation: float
    fill: float
    indicator: bool = False
    limit: float | None = None

    kind = "number"

    @classmethod
    def fit(cls, column: Column, impute: str, indicator: bool, limit: float | None) -> "NumberEncoder | None":
        """Learn from a column; None if it holds fewer than two different values."""
        values = column.numbers()
        present = values[~np.isnan(values)]
        if present.size == 0 or present.min() == present.max():
            return None
        mean, deviation = mean_and_deviation(column.name, present)
        if deviation == 0:  # as good as constant: the differences' squares are too small for a number
            return None
        fill = float(np.median(present)) if impute == "median" else mean
        missing = indicator and present.size < values.size
        return cls(column.name, mean, deviation, fill, missing, limit)

    @property
    def outputs(self) -> list[str]:
        return [self.name, f"{self.name} missing"] if self.indicator else [self.name]

    def write(self, column: Column, out: Matrix, remarks: Remarks) -> None:
        values = column.numbers()
        missing = np.isnan(values)
        count = int(missing.sum())
        if count:
            remarks.missing[self.name] = count
            values = np.where(missing, self.fill, values)
        out[:, 0] = standardised(self.name, values, self.mean, self.deviation, self.limit)
        if self.indicator:
            out[:, 1] = missing

    def summary(self) -> str:
        missing = f", missing → {self.fill:.4g}" if self.indicator else ""
        return f"{self.mean:.4g} ± {self.deviation:.4g}{missing}"


@dataclass
class CategoryEncoder:
    """One column of 0 and 1 for each level.

    With ``other``, rare levels (beyond the cap) and unseen ones share the last column; without it an unseen
    level is all zeros. With ``missing``, missing values have a column; without it they count as unseen.
    """

    name: str
    levels: list[str]
    other: bool = False
    missing: bool = False

    kind = "category"

    @classmethod
    def fit(cls, column: Column, cap: int) -> "CategoryEncoder | None":
        """Learn from a column, keeping the most frequent levels; None if there are fewer than two."""
        codes, levels = column.texts()
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        missing = bool((codes < 0).any())
        if len(order) + missing < 2:
            return None
        kept = sorted((levels[index] for index in order[:cap]), key=_natural)
        return cls(column.name, kept, other=len(order) > cap, missing=missing)

    @property
    def outputs(self) -> list[str]:
        names = [f"{self.name} = {level}" for level in self.levels]
        return names + [f"{self.name} missing"] * self.missing + [f"{self.name} other"] * self.other

    def write(self, column: Column, out: Matrix, remarks: Remarks) -> None:
        codes, levels = column.texts()
        position = {level: index for index, level in enumerate(self.levels)}
        nowhere = -1
        other = out.shape[1] - 1 if self.other else nowhere
        places = [position.get(level, other) for level in levels]
        places.append(len(self.levels) if self.missing else other)  # the last entry is met by code -1
        rows = np.array(places, dtype=np.intp)[codes]
        out[:] = 0
        known = rows >= 0
        out[np.flatnonzero(known), rows[known]] = 1
        unseen = int(np.count_nonzero((rows == other) & (codes >= 0)))
        if unseen:
            remarks.unseen[self.name] = unseen
        absent = int(np.count_nonzero(codes < 0))
        if absent:
            remarks.missing[self.name] = absent

    def summary(self) -> str:
        extra = " + other" * self.other + " + missing" * self.missing
        return f"{len(self.levels)} categories{extra}"


Encoder = NumberEncoder | CategoryEncoder


def to_json(encoder: Encoder) -> dict[str, Any]:
    """Describe an encoder with JSON's own types."""
    return {"kind": encoder.kind, **vars(encoder)}


def from_json(description: dict[str, Any]) -> Encoder:
    """Rebuild an encoder; unknown kinds or keys raise ``TypeError`` or ``KeyError``."""
    settings = dict(description)
    made: dict[str, type[Encoder]] = {"number": NumberEncoder, "category": CategoryEncoder}
    return made[settings.pop("kind")](**settings)


def _natural(text: str) -> tuple[int, float, str]:
    """Order levels as numbers where they are numbers."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text
