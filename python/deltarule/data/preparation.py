"""From a table to arrays ready for training, and the description that lets a model do it again."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .columns import Column, NumberColumn
from .encoders import CategoryEncoder, Matrix, Remarks
from .errors import DataError, OptionError, listed
from .features import FeatureOptions, Features
from .mixed import far_notice, mixture, mixture_notices, unread_notice
from .splits import Split, split
from .table import Table
from .target import ClassTarget, NumberTarget, Target, detect_task, target_from_json

FORMAT, VERSION = "deltarule-table", 1


@dataclass
class Part:
    """One of the three parts: inputs, and the target as labels (int32) or in its own unit (float64)."""

    X: Matrix
    y: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.y)


@dataclass
class Prepared:
    """Everything training needs."""

    source: str
    features: Features
    target: Target
    split: Split
    training: Part
    validation: Part
    test: Part
    notices: list[str] = field(default_factory=list)

    def fitted(self, part: Part) -> npt.NDArray[Any]:
        """Return a part's target as the network sees it."""
        if isinstance(self.target, NumberTarget):
            return self.target.standardise(part.y)
        return part.y

    def to_json(self) -> dict[str, Any]:
        """Describe the preprocessing with JSON's own types, for the model file."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "target": self.target.to_json(),
            "features": self.features.to_json(),
        }


def prepare(
    table: Table,
    target: str,
    *,
    task: Literal["auto", "classification", "regression"] = "auto",
    options: FeatureOptions | None = None,
    validation_fraction: float = 0.15,
    test_fraction: float = 0.15,
    seed: int = 0,
) -> Prepared:
    """Split a table, learn the encoders from its training rows and encode all rows."""
    given = table.column(target)
    options = options or FeatureOptions()
    column = _as_numbers(given) if target in options.numeric else given
    options = replace(options, numeric=[name for name in options.numeric if name != target])
    if column.kind == "empty":
        raise DataError(f"the target column {target!r} has no value in any row")
    notices = list(table.notices)
    chosen = detect_task(column) if task == "auto" else task
    mixed = mixture(table, column)
    why = mixed.say([target]) if mixed else ""
    known: Target = (
        ClassTarget.fit(column, why) if chosen == "classification" else NumberTarget.fit(column, why)
    )
    if mixed and chosen == "classification":
        notices.append(f"the target column {target!r} is taken as classes: {why}")
    values: npt.NDArray[Any] = known.encode(column)
    present = values >= 0 if chosen == "classification" else ~np.isnan(values)
    if not present.all():
        notices.append(f"{int((~present).sum())} rows without a value of {target!r} are left out")
        notices += unread_notice(table, [(given, given.unread() & ~present)])
        table = table.take(np.flatnonzero(present))
        values = values[present]
    table = table.without([target])
    if not table.columns:
        raise DataError(
            f"{table.source}: no column is left to learn from, there is only the target {target!r}"
        )
    dealt = split(
        table.rows, values if chosen == "classification" else None, validation_fraction, test_fraction, seed
    )
    if isinstance(known, NumberTarget):
        learnt = column.take(np.flatnonzero(present)[dealt.training])
        known = NumberTarget.fit(learnt)
        known.standardise(values)  # refuses what is too far from the training rows
        notices += far_notice(table.take(dealt.training), learnt)
    training_table = table.take(dealt.training)
    features = Features.fit(training_table, options)
    X, remarks = features.transform(table)
    notices += _notices(table, training_table, features, remarks)
    parts = [Part(X[rows], values[rows]) for rows in (dealt.training, dealt.validation, dealt.test)]
    training, validation, test = parts
    return Prepared(table.source, features, known, dealt, training, validation, test, notices)


def restore(description: dict[str, Any]) -> tuple[Features, Target]:
    """Rebuild features and target from a model file's description."""
    if description.get("format") != FORMAT or description.get("version") != VERSION:
        raise DataError(
            f"the model's preprocessing is {description.get('format')!r} version "
            f"{description.get('version')!r}; this version of deltarule reads {FORMAT!r} version {VERSION}"
        )
    try:
        return Features.from_json(description["features"]), target_from_json(description["target"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"the model's preprocessing is damaged: {error!r}") from None


def _as_numbers(column: Column) -> Column:
    """Read the target as ``--numeric`` asks for."""
    numbers = NumberColumn(column.name, column.numbers())
    if numbers.kind == "empty" and column.kind != "empty":
        raise OptionError(f"--numeric: column {column.name!r} holds no two different numbers")
    return numbers


def _notices(table: Table, training: Table, features: Features, remarks: Remarks) -> list[str]:
    """Say what was done to the data that the user may want to know."""
    notices = features.unread(table)
    for encoder in features.encoders:
        if encoder.kind == "number":
            notices += far_notice(training, training.columns[encoder.name])
    notices += mixture_notices(features.mixed, features.ignored)
    reasons: dict[str, list[str]] = {}
    for name, reason in features.ignored.items():
        if name in features.mixed:
            continue
        reasons.setdefault(reason, []).append(name)
    notices += [f"not used, {reason}: {listed(names)}" for reason, names in reasons.items()]
    for encoder in features.encoders:
        if isinstance(encoder, CategoryEncoder) and encoder.other:
            notices.append(
                f"{encoder.name!r} has many categories: the {len(encoder.levels)} most frequent ones are "
                "kept, the rest are one category 'other'"
            )
    if remarks.missing:
        filled = sum(remarks.missing.values())
        notices.append(
            f"{filled} missing values in {len(remarks.missing)} columns: {listed(remarks.missing)}"
        )
    return notices
