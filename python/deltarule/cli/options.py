"""Options that several commands share, as annotated types, and what turns their texts into values."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from deltarule.data import FeatureOptions, OptionError, Source

NETWORK, TRAINING, DATA = "Network", "Training", "Data"


class TaskChoice(str, Enum):
    """``--task``."""

    auto = "auto"
    classification = "classification"
    regression = "regression"


class ScalingChoice(str, Enum):
    """``--scaling``."""

    auto = "auto"
    column = "column"
    common = "common"


class ImputeChoice(str, Enum):
    """``--impute``."""

    median = "median"
    mean = "mean"


class ScheduleChoice(str, Enum):
    """``--schedule``."""

    constant = "constant"
    cosine = "cosine"


Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A CSV (.gz, .zip), Parquet or NPZ file, or a data set's name (`deltarule datasets`).",
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        "-t",
        metavar="COLUMN",
        help="The column to predict: its name, or its position from 1, from the end -1.",
        rich_help_panel=DATA,
    ),
]
Task = Annotated[
    TaskChoice,
    typer.Option(help="auto: text, two values or few whole numbers are classes.", rich_help_panel=DATA),
]
Drop = Annotated[
    str, typer.Option(metavar="COLUMNS", help="Columns not to learn from, with commas.", rich_help_panel=DATA)
]
Categorical = Annotated[
    str, typer.Option(metavar="COLUMNS", help="Numeric columns to take as categories.", rich_help_panel=DATA)
]
Numeric = Annotated[
    str,
    typer.Option(
        metavar="COLUMNS",
        help="Columns, the target too, to take as numbers, texts in them as missing.",
        rich_help_panel=DATA,
    ),
]
MaxCategories = Annotated[
    int,
    typer.Option(
        min=1, help="Categories kept per column; the rest become one, 'other'.", rich_help_panel=DATA
    ),
]
Impute = Annotated[
    ImputeChoice, typer.Option(help="What a missing number is replaced by.", rich_help_panel=DATA)
]
Indicator = Annotated[
    bool,
    typer.Option(
        "--missing-indicator/--no-missing-indicator",
        help="Tell the network where numbers were missing.",
        rich_help_panel=DATA,
    ),
]
Scaling = Annotated[
    ScalingChoice,
    typer.Option(help="Deviation of each column, or one in common (for pixels).", rich_help_panel=DATA),
]
Header = Annotated[
    bool | None,
    typer.Option(
        "--header/--no-header",
        help="Whether a CSV's first line holds names.",
        show_default="found out",
        rich_help_panel=DATA,
    ),
]
ValidationFraction = Annotated[
    float, typer.Option(help="Share of the rows that decides when to stop.", rich_help_panel=DATA)
]
TestFraction = Annotated[
    float, typer.Option(help="Share of the rows never trained on.", rich_help_panel=DATA)
]

Hidden = Annotated[
    str | None,
    typer.Option(
        metavar="SIZES",
        help="Units of the hidden layers, as 256,128 (or none).",
        show_default="by the data",
        rich_help_panel=NETWORK,
    ),
]
Activation = Annotated[str, typer.Option(help="Any activation of the catalogue.", rich_help_panel=NETWORK)]
Dropout = Annotated[
    float | None,
    typer.Option(
        help="Share of the hidden units left out at random.",
        show_default="by the data",
        rich_help_panel=NETWORK,
    ),
]
InputDropout = Annotated[
    float | None,
    typer.Option(
        help="Share of the inputs left out at random.", show_default="by the data", rich_help_panel=NETWORK
    ),
]
BatchNorm = Annotated[
    bool | None,
    typer.Option(
        "--batch-norm/--no-batch-norm",
        help="Normalise after each hidden layer.",
        show_default="by the data",
        rich_help_panel=NETWORK,
    ),
]
LabelSmoothing = Annotated[
    float | None,
    typer.Option(
        help="Share of a class's target given to all classes alike.",
        show_default="by the data",
        rich_help_panel=TRAINING,
    ),
]

Epochs = Annotated[
    int | None,
    typer.Option(
        min=1, help="The most passes over the data.", show_default="by the data", rich_help_panel=TRAINING
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(min=1, help="Rows per step.", show_default="by the data", rich_help_panel=TRAINING),
]
LearningRate = Annotated[
    float | None,
    typer.Option(help="The optimizer's learning rate.", show_default="by the data", rich_help_panel=TRAINING),
]
Optimizer = Annotated[str, typer.Option(help="Any optimizer of the catalogue.", rich_help_panel=TRAINING)]
WeightDecay = Annotated[
    float | None,
    typer.Option(
        help="Weight decay, where the optimizer has it.", show_default="by the data", rich_help_panel=TRAINING
    ),
]
Schedule = Annotated[
    ScheduleChoice, typer.Option(help="How the learning rate changes.", rich_help_panel=TRAINING)
]
Patience = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Epochs without a better validation loss before stopping.",
        show_default="by the data",
        rich_help_panel=TRAINING,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        min=0, help="Of the split, the weights, the shuffling and the dropout.", rich_help_panel=TRAINING
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="The most threads to use.", show_default="all CPUs", rich_help_panel=TRAINING),
]

Model = Annotated[
    Path,
    typer.Argument(metavar="MODEL", help="A model file that `deltarule train` wrote.", show_default=False),
]


def columns(text: str) -> list[str]:
    """Split a list of column names."""
    return [name.strip() for name in text.split(",") if name.strip()]


def hidden_sizes(text: str | None) -> tuple[int, ...] | None:
    """Parse ``256,128``; ``none`` or an empty text is no hidden layer."""
    if text is None:
        return None
    if text.strip().lower() in ("", "none", "0"):
        return ()
    try:
        sizes = tuple(int(part) for part in text.replace("x", ",").split(","))
    except ValueError:
        raise OptionError(f"--hidden: {text!r} is not a list of sizes such as 256,128") from None
    if min(sizes) < 1 or max(sizes) > 1 << 20:
        raise OptionError(f"--hidden: {text!r} must hold sizes from 1 to {1 << 20}")
    return sizes


def feature_options(
    source: Source, *, drop: str, categorical: str, numeric: str, max_categories: int,
    impute: Literal["median", "mean"], indicator: bool, scaling: Literal["auto", "column", "common"],
) -> FeatureOptions:  # fmt: skip
    """Join the options with what a packaged data set says about its columns."""
    known = source.dataset
    named = {*columns(numeric), *columns(categorical)}
    target = source.target
    return FeatureOptions(
        impute=impute,
        indicator=indicator,
        max_categories=max_categories,
        scaling=scaling,
        categorical=[
            *columns(categorical),
            *(name for name in (known.categorical if known else ()) if name not in named),
        ],
        numeric=columns(numeric),
        drop=[
            *columns(drop),
            *(name for name in (known.drop if known else ()) if name not in named and name != target),
        ],
    )
