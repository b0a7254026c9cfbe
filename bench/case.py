"""What is measured, and what a competitor hands back to be measured."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """One thing to measure: plain values only, so that it travels to the workers as JSON."""

    group: str
    name: str
    settings: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-3
    """Largest difference of the check figures between competitors, relative to the largest figure."""
    quick: bool = False
    """Whether `--quick` runs it."""

    @property
    def key(self) -> str:
        return f"{self.group}/{self.name}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Work:
    """A prepared job of one competitor.

    `run(n)` does the job n times and returns something computed by it, so that no compiler can leave it out.
    `check()` gives figures that must agree between competitors; it is called before the first `run`.
    """

    run: Callable[[int], Any]
    units: int = 1
    """Steps (or calls) in one repetition: times are given per unit."""
    unit: float = 1e-6
    """Seconds that one unit of the reported time has."""
    check: Callable[[], list[float]] | None = None
    reset: Callable[[], Any] | None = None
    """Back to the initial state, before each measurement: training must not run on into tiny numbers."""
    details: Callable[[], dict[str, float]] | None = None
    """Further figures, asked for after the last measurement."""


def repeat(call: Callable[[], Any]) -> Callable[[int], Any]:
    """Make `run` of a call without arguments."""

    def run(count: int) -> Any:
        for _ in range(count):
            result = call()
        return result

    return run
