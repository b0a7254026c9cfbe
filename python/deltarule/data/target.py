"""The column to predict: classes or a number."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .columns import Codes, Column, Floats
from .encoders import _natural as natural
from .encoders import mean_and_deviation, standardised
from .errors import DataError, OptionError

Task = Literal["classification", "regression"]

FEW_VALUES = 20  # so many different whole numbers still count as classes
MOST_CLASSES = 1000


def detect_task(column: Column) -> Task:
    """Guess: text, two values or few whole numbers are classes, other numbers are to be regressed."""
    if column.kind != "number":
        return "classification"
    values = column.numbers()
    distinct = np.unique(values[~np.isnan(values)])
    whole = bool((distinct == np.floor(distinct)).all())
    few = len(distinct) == 2 or (whole and len(distinct) <= FEW_VALUES)
    return "classification" if few else "regression"


@dataclass
class ClassTarget:
    """Classes in natural order; label k is ``classes[k]``."""

    name: str
    classes: list[str]

    task: Task = "classification"

    @classmethod
    def fit(cls, column: Column, mixed: str = "") -> "ClassTarget":
        """List the classes; refuse fewer than two, or so many that they must be identifiers.

        ``mixed`` is said instead of that where most of the cells are numbers.
        """
        codes, levels = column.texts()
        codes = np.where(column.absent(), -1, codes)
        used = np.unique(codes[codes >= 0])
        classes = sorted((levels[code] for code in used), key=natural)
        if len(classes) < 2:
            found = f"only one class, {classes[0]!r}" if classes else "no value"
            raise DataError(f"the target column {column.name!r} has {found}: there is nothing to learn")
        present = int((codes >= 0).sum())
        if len(classes) > MOST_CLASSES or (len(classes) > FEW_VALUES and len(classes) > present / 2):
            hint = "; for numbers, --task regression" if column.kind == "number" else ""
            why = f"; {mixed}" if mixed else f"{hint}: is it a name or identifier?"
            raise DataError(
                f"the target column {column.name!r} has {len(classes)} classes in {present} rows{why}"
            )
        return cls(column.name, classes)

    @property
    def outputs(self) -> int:
        return len(self.classes)

    def encode(self, column: Column) -> Codes:
        """Return labels, -1 where the value is missing or no class of this model."""
        codes, levels = column.texts()
        position = {name: index for index, name in enumerate(self.classes)}
        return np.array([*(position.get(level, -1) for level in levels), -1], dtype=np.int32)[codes]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "task": self.task, "classes": self.classes}


@dataclass
class NumberTarget:
    """A number, standardised for the network and turned back for the user."""

    name: str
    mean: float
    deviation: float

    task: Task = "regression"
    outputs = 1

    @classmethod
    def fit(cls, column: Column, mixed: str = "") -> "NumberTarget":
        """Learn mean and deviation; refuse texts, with what is said in ``mixed``, and constants."""
        if column.kind != "number":
            raise OptionError(
                f"--task regression: the target column {column.name!r} holds texts, not numbers"
                + f"; {mixed}" * bool(mixed)
            )
        values = column.numbers()
        present = values[~np.isnan(values)]
        if present.min() == present.max():
            raise DataError(
                f"the target column {column.name!r} is {present[0]:g} in every row: there is nothing to learn"
            )
        mean, deviation = mean_and_deviation(column.name, present)
        if deviation == 0:
            raise DataError(f"the values of the target column {column.name!r} are too close to each other")
        return cls(column.name, mean, deviation)

    def encode(self, column: Column) -> Floats:
        """Return the values in their own unit, NaN where missing."""
        return column.numbers()

    def standardise(self, values: Floats) -> npt.NDArray[np.float32]:
        """Turn values into what the network is trained on, one column."""
        scaled = standardised(self.name, values, self.mean, self.deviation, None)
        return scaled.astype(np.float32).reshape(-1, 1)

    def restore(self, outputs: npt.NDArray[Any]) -> Floats:
        """Turn the network's output back into the target's unit."""
        return outputs.reshape(-1).astype(np.float64) * self.deviation + self.mean

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "task": self.task, "mean": self.mean, "deviation": self.deviation}


Target = ClassTarget | NumberTarget


def target_from_json(description: dict[str, Any]) -> Target:
    """Rebuild from the model file."""
    if description["task"] == "classification":
        return ClassTarget(description["name"], list(description["classes"]))
    return NumberTarget(description["name"], float(description["mean"]), float(description["deviation"]))
