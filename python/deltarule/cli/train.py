"""``deltarule train``: from a table to a model, a table of figures, ``history.csv`` and an HTML report."""

import csv
import time
from pathlib import Path
from typing import Annotated

import typer

from deltarule.data import Prepared, chosen_target, open_source, prepare

from . import files
from . import options as o
from .console import pairs, remark, say, size
from .recipe import recipe_for, with_overrides


def train(
    data: o.Data,
    target: o.Target = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The model file.", show_default="DATA.safetensors")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="The HTML report.", show_default="DATA.report.html")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="The figures of every epoch.", show_default="DATA.history.csv")
    ] = None,
    task: o.Task = o.TaskChoice.auto,
    drop: o.Drop = "",
    categorical: o.Categorical = "",
    numeric: o.Numeric = "",
    max_categories: o.MaxCategories = 50,
    impute: o.Impute = o.ImputeChoice.median,
    missing_indicator: o.Indicator = True,
    scaling: o.Scaling = o.ScalingChoice.auto,
    header: o.Header = None,
    validation_fraction: o.ValidationFraction = 0.15,
    test_fraction: o.TestFraction = 0.15,
    hidden: o.Hidden = None,
    activation: o.Activation = "relu",
    dropout: o.Dropout = None,
    input_dropout: o.InputDropout = None,
    batch_norm: o.BatchNorm = None,
    label_smoothing: o.LabelSmoothing = None,
    epochs: o.Epochs = None,
    batch_size: o.BatchSize = None,
    learning_rate: o.LearningRate = None,
    optimizer: o.Optimizer = "adamw",
    weight_decay: o.WeightDecay = None,
    schedule: o.Schedule = o.ScheduleChoice.cosine,
    patience: o.Patience = None,
    seed: o.Seed = 0,
    threads: o.Threads = None,
) -> None:
    """Train a network on a table.

    Numbers are standardised, categories one-hot encoded, missing values filled in; rows are split into
    training, validation and test; training stops when the validation loss no longer improves. Writes the
    model (with its preprocessing inside), the history as CSV and a report as HTML.
    """
    import deltarule as dr

    from . import model_file, outcome, training
    from .progress import EpochBar

    stem = Path(data).name.partition(".")[0] or "model"
    output = output or Path(f"{stem}.safetensors")
    history = history or output.parent / f"{output.stem}.history.csv"
    report = report or output.parent / f"{output.stem}.report.html"
    files.check({"DATA": data}, {"--output": output, "--history": history, "--report": report})
    sizes = o.hidden_sizes(hidden)
    if threads is not None:
        dr.set_num_threads(threads)

    started = time.perf_counter()
    source = open_source(data, target, header)
    column = chosen_target(source)
    treatment = o.feature_options(
        source, drop=drop, categorical=categorical, numeric=numeric, max_categories=max_categories,
        impute=impute.value, indicator=missing_indicator, scaling=scaling.value,
    )  # fmt: skip
    prepared = prepare(
        source.table, column, task=task.value, options=treatment,
        validation_fraction=validation_fraction, test_fraction=test_fraction, seed=seed,
    )  # fmt: skip
    preparing = time.perf_counter() - started

    recipe = with_overrides(
        recipe_for(prepared),
        hidden=sizes, activation=activation, dropout=dropout, input_dropout=input_dropout,
        batch_norm=batch_norm, label_smoothing=label_smoothing, epochs=epochs, batch_size=batch_size,
        learning_rate=learning_rate, optimizer=optimizer, weight_decay=weight_decay,
        schedule=schedule.value, patience=patience,
    )  # fmt: skip
    _announce(prepared, source.table.rows, len(source.table.columns) - 1)
    trained = training.train(prepared, recipe, seed, [EpochBar()])

    times = outcome.times(prepared, trained, preparing)
    story = outcome.story(prepared, trained, times, seed, treatment)
    outcome.show_network(trained, prepared.training.X.shape[1], prepared.target.outputs)
    outcome.show_figures(trained.figures)
    say(("  " + story.baseline, "dim"))
    if trained.interrupted:
        remark(f"stopped by Ctrl-C after {trained.epochs} epochs; the figures are those of the weights kept")
    say()
    pairs(times)
    model_file.save(output, trained.network, model_file.metadata(prepared, trained, story, treatment))
    _write_history(history, trained.history)
    from deltarule.report import page

    report.write_text(page(story), encoding="utf-8")
    written = ", ".join(f"{path} ({size(path.stat().st_size)})" for path in (output, history, report))
    say(("\nwrote ", "bold"), written)


def _announce(prepared: Prepared, rows: int, columns: int) -> None:
    target = prepared.target
    goal = f"{target.outputs} classes" if target.task == "classification" else "a number"
    say(
        (prepared.source, "bold"),
        f": {rows:,} rows, {columns} columns → {len(prepared.features.names)} inputs; ",
        f"{target.name!r} is {goal}",
    )
    say(
        f"  {len(prepared.training):,} rows to train, {len(prepared.validation):,} to validate, "
        f"{len(prepared.test):,} to test"
    )
    for notice in prepared.notices:
        remark(notice)


def _write_history(path: Path, history: dict[str, list[float]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows(
            [epoch, *values] for epoch, values in enumerate(zip(*history.values(), strict=True), 1)
        )
