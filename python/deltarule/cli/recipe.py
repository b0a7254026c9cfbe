"""The network and its training by default: chosen from the task and the size of the data."""

from dataclasses import asdict, dataclass
from typing import Any

from deltarule.data import OptionError, Prepared


@dataclass
class Recipe:
    """All settings of a training run that do not concern the data."""

    hidden: tuple[int, ...]
    activation: str = "relu"
    dropout: float = 0.0
    input_dropout: float = 0.0
    batch_norm: bool = False
    label_smoothing: float = 0.0
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


def default_recipe(task: str, rows: int, inputs: int, alike: bool = False) -> Recipe:
    """Choose by the number of training rows and input columns.

    The first hidden layer is about twice as wide as the input, within bounds that grow with the rows; the
    second is half of it. ``alike`` says that the inputs are on one scale, as pixels are; then smoothed
    labels help, and where there are many of them, leaving some out.
    """
    width, batch = (64, 16) if rows < 1_000 else (128, 32) if rows < 5_000 else (256, 64)
    if alike:
        width = 256
    while width < min(2 * inputs, 256):
        width *= 2
    if rows >= 20_000:
        batch = 256
    picture = alike and inputs >= 256
    classes = task == "classification"
    epochs = min(300, max(50, 5_000 * batch // rows))
    return Recipe(
        hidden=(width, width // 2),
        dropout=0.0 if not classes else 0.3 if picture else 0.2,
        input_dropout=0.2 if picture else 0.0,
        batch_norm=picture,
        label_smoothing=0.1 if classes and alike else 0.0,
        learning_rate=3e-3 if classes else 1e-3,
        batch_size=batch,
        epochs=epochs,
        patience=max(10, epochs // 5),
    )


def recipe_for(prepared: Prepared) -> Recipe:
    """Choose for prepared data."""
    rows, inputs = prepared.training.X.shape
    return default_recipe(prepared.target.task, rows, inputs, alike=prepared.features.scaling == "common")


def with_overrides(recipe: Recipe, **given: Any) -> Recipe:
    """Replace what the user gave (not None), and check it in the command line's words."""
    chosen = Recipe(
        **{**asdict(recipe), **{name: value for name, value in given.items() if value is not None}}
    )
    for option in ("dropout", "input_dropout", "label_smoothing"):
        share = getattr(chosen, option)
        if not 0 <= share < 1:
            flag = option.replace("_", "-")
            raise OptionError(f"--{flag}: must be at least 0 and less than 1, not {share:g}")
    if not chosen.learning_rate > 0:
        raise OptionError(f"--learning-rate: must be more than 0, not {chosen.learning_rate:g}")
    if chosen.weight_decay < 0:
        raise OptionError(f"--weight-decay: must not be negative, not {chosen.weight_decay:g}")
    return chosen
