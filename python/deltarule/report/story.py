"""What a training run leaves behind to be told: plain data, no engine."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .figures import Figures


@dataclass
class Story:
    """Everything the report shows.

    Attributes
    ----------
    figures
        For each part (training, validation, test) its figures by name, and ``rows``.
    history
        Values per epoch by name, as ``History.history`` holds them.
    truth, predicted
        Of the test rows: labels, or values in the target's unit.
    settings, layers, columns, times, versions
        Rows of the tables at the report's end.
    """

    source: str
    target: str
    task: Literal["classification", "regression"]
    figures: dict[str, Figures]
    baseline: str
    history: dict[str, list[float]]
    best_epoch: int
    truth: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    classes: list[str] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    layers: list[tuple[str, str, str, str]] = field(default_factory=list)
    columns: list[tuple[str, str, str]] = field(default_factory=list)
    data: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    times: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def epochs(self) -> int:
        return len(self.history["loss"])

    def curve(self, name: str) -> npt.NDArray[np.float64]:
        """Return one value per epoch."""
        return np.asarray(self.history[name], dtype=np.float64)
