"""From a table's columns to the network's input matrix: which columns, and how each is encoded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from .columns import Column
from .encoders import CategoryEncoder, Encoder, Matrix, NumberEncoder, Remarks, from_json, to_json
from .errors import DataError, OptionError, listed
from .mixed import Mixture, mixture, unread_notice
from .table import Table

Scaling = Literal["auto", "column", "common"]

_IDENTIFIER = ": a name or identifier"
_ROW_NUMBER_NAMES = frozenset({"id", "index", "row", "rownames", "unnamed: 0", "column_1"})


@dataclass
class FeatureOptions:
    """How columns are to be treated; the defaults suit most tables."""

    impute: Literal["median", "mean"] = "median"
    indicator: bool = True
    max_categories: int = 50
    scaling: Scaling = "auto"
    limit: float | None = 8.0
    categorical: Sequence[str] = ()
    numeric: Sequence[str] = ()
    drop: Sequence[str] = ()


@dataclass
class Features:
    """The encoders of all columns in use, and the columns left out with the reason.

    ``mixed`` holds the columns that count as text although most of their cells are numbers; it is not kept
    in the model file.
    """

    encoders: list[Encoder]
    ignored: dict[str, str] = field(default_factory=dict)
    scaling: str = "column"
    mixed: dict[str, Mixture] = field(default_factory=dict)

    @classmethod
    def fit(cls, table: Table, options: FeatureOptions) -> "Features":
        """Learn from the training rows; ``table`` must not hold the target."""
        for option, names in (
            ("--categorical", options.categorical),
            ("--numeric", options.numeric),
            ("--drop", options.drop),
        ):
            for name in names:
                table.column(name, option)
        both = set(options.categorical) & set(options.numeric)
        if both:
            raise OptionError(f"--categorical and --numeric: {listed(sorted(both))} cannot be both")
        ignored = dict.fromkeys(options.drop, "dropped")
        encoders: list[Encoder] = []
        mixed: dict[str, Mixture] = {}
        for name, column in table.columns.items():
            if name in ignored:
                continue
            encoder = _encoder(column, options)
            as_text = column.kind == "category" and name not in (*options.categorical, *options.numeric)
            found = mixture(table, column) if as_text and encoder != "constant" else None
            if found is not None:
                mixed[name] = found
                if isinstance(encoder, str):
                    encoder = f"{encoder.removesuffix(_IDENTIFIER)}; {found.say([name])}"
            if isinstance(encoder, str):
                ignored[name] = encoder
            else:
                encoders.append(encoder)
        if not encoders:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in list(ignored.items())[:5])
            raise DataError(
                f"{table.source}: no column is left to learn from ({reasons or 'there are none'})"
            )
        scaling = options.scaling
        if scaling == "auto":
            scaling = "common" if _alike(encoders, table) else "column"
        if scaling == "common":
            _share_deviation(encoders)
        return cls(encoders, ignored, scaling, mixed)

    @property
    def names(self) -> list[str]:
        """Name the columns of the input matrix."""
        return [output for encoder in self.encoders for output in encoder.outputs]

    def transform(self, table: Table) -> tuple[Matrix, Remarks]:
        """Return the input matrix of a table, whose columns may come in any order."""
        absent = [encoder.name for encoder in self.encoders if encoder.name not in table.columns]
        if absent:
            one = len(absent) == 1
            raise DataError(
                f"{table.source}: the model needs the column{'' if one else 's'} {listed(absent)}, which "
                f"{'is' if one else 'are'} not there (it has {listed(table.columns)})"
            )
        out = np.empty((table.rows, len(self.names)), dtype=np.float32)
        remarks = Remarks()
        start = 0
        for encoder in self.encoders:
            stop = start + len(encoder.outputs)
            encoder.write(table.columns[encoder.name], out[:, start:stop], remarks)
            start = stop
        return out, remarks

    def unread(self, table: Table) -> list[str]:
        """Say which cells of the columns of numbers were texts or infinite."""
        numbers = [table.columns[encoder.name] for encoder in self.encoders if encoder.kind == "number"]
        return unread_notice(table, ((column, column.unread()) for column in numbers))

    def to_json(self) -> dict[str, Any]:
        """Describe with JSON's own types, for the model file."""
        columns = [to_json(encoder) for encoder in self.encoders]
        return {"columns": columns, "ignored": self.ignored, "scaling": self.scaling}

    @classmethod
    def from_json(cls, description: dict[str, Any]) -> "Features":
        """Rebuild from the model file."""
        return cls(
            [from_json(item) for item in description["columns"]],
            description["ignored"],
            description["scaling"],
        )


def _encoder(column: Column, options: FeatureOptions) -> Encoder | str:
    """Return the column's encoder, or why it is of no use."""
    kind = column.kind
    if kind == "empty":
        return "every value is missing"
    if column.name in options.categorical:
        return CategoryEncoder.fit(column, options.max_categories) or "constant"
    if column.name in options.numeric or kind == "number":
        if column.name not in options.numeric and _counts_rows(column):
            return "counts the rows"
        encoder = NumberEncoder.fit(column, options.impute, options.indicator, options.limit)
        if encoder is None and column.name in options.numeric and kind != "number":
            raise OptionError(f"--numeric: column {column.name!r} holds no two different numbers")
        return encoder or "constant"
    codes, _ = column.texts()
    present = codes[codes >= 0]
    distinct = len(np.unique(present))
    if distinct > options.max_categories and distinct > 0.5 * present.size:
        return f"{distinct} different texts in {present.size} rows{_IDENTIFIER}"
    return CategoryEncoder.fit(column, options.max_categories) or "constant"


def _counts_rows(column: Column) -> bool:
    """Tell whether a column is but the number of the row, by its name and its values."""
    name = column.name.lower()
    if not (name in _ROW_NUMBER_NAMES or name.endswith(("_id", " id")) or column.name.endswith("Id")):
        return False
    values = np.sort(column.numbers())
    return len(values) > 20 and len(np.unique(values)) == len(values) and bool((np.mod(values, 1) == 0).all())


def _alike(encoders: list[Encoder], table: Table) -> bool:
    """Tell whether the numbers are measured on one scale, like the pixels of an image.

    They are if at least 32 columns hold whole numbers from 0 to a maximum that most of them reach.
    """
    numbers = [encoder for encoder in encoders if isinstance(encoder, NumberEncoder)]
    if len(numbers) < 32 or len(numbers) < len(encoders):
        return False
    columns = [table.columns[encoder.name].numbers() for encoder in numbers]
    highest = np.array([np.nanmax(values) for values in columns])
    lowest = min(float(np.nanmin(values)) for values in columns)
    whole = all(bool((values == np.floor(values)).all()) for values in columns)
    return whole and lowest == 0 and float(np.mean(highest >= 0.9 * highest.max())) >= 0.5


def _share_deviation(encoders: list[Encoder]) -> None:
    """Give all number columns the root mean square of their deviations."""
    numbers = [encoder for encoder in encoders if isinstance(encoder, NumberEncoder)]
    if numbers:
        common = float(np.sqrt(np.mean([encoder.deviation**2 for encoder in numbers])))
        for encoder in numbers:
            encoder.deviation = common
