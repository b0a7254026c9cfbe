"""The network and its training by default: chosen from the task and the size of the data."""

from dataclasses import asdict, dataclass
from typing import Any

from deltarule.data import OptionError


@dataclass
class Recipe:
    """All settings of a training run that do not concern the data."""

    hidden: tuple[int, ...]
    activation: str = "relu"
    dropout: float = 0.0
    batch_norm: bool = False
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    schedule: str = "cosine"
    epochs: int = 100
    batch_size: int = 32
    patience: int = 15

    def to_json(self) -> dict[str, Any]:
        """Describe with JSON's own types."""
        return {**asdict(self), "hidden": list(self.hidden)}

    def show(self) -> dict[str, str]:
        """Return names and values for people."""
        shown = {name.replace("_", " "): value for name, value in self.to_json().items()}
        shown["hidden"] = ", ".join(map(str, self.hidden)) or "none"
        shown["batch norm"] = "yes" if self.batch_norm else "no"
        return {name: str(value) for name, value in shown.items()}


def default_recipe(task: str, rows: int, inputs: int) -> Recipe:
    """Choose by the number of training rows and input columns.

    The first hidden layer is about twice as wide as the input, within bounds that grow with the rows; the
    second is half of it.
    """
    floor, batch = (64, 32) if rows < 4_000 else (128, 64) if rows < 20_000 else (256, 256)
    width = floor
    while width < min(2 * inputs, 256):
        width *= 2
    epochs = 100 if rows < 20_000 else 40
    regression = task == "regression"
    return Recipe(
        hidden=(width, width // 2),
        dropout=0.0 if regression else 0.2,
        batch_size=batch,
        epochs=epochs,
        patience=max(5, epochs // 5),
    )


def with_overrides(recipe: Recipe, **given: Any) -> Recipe:
    """Replace what the user gave (not None), and check it in the command line's words."""
    chosen = Recipe(
        **{**asdict(recipe), **{name: value for name, value in given.items() if value is not None}}
    )
    if not 0 <= chosen.dropout < 1:
        raise OptionError(f"--dropout: must be at least 0 and less than 1, not {chosen.dropout:g}")
    if not chosen.learning_rate > 0:
        raise OptionError(f"--learning-rate: must be more than 0, not {chosen.learning_rate:g}")
    if chosen.weight_decay < 0:
        raise OptionError(f"--weight-decay: must not be negative, not {chosen.weight_decay:g}")
    return chosen
