"""``deltarule predict``: a model on new rows."""

import csv
import sys
import time
from pathlib import Path
from typing import Annotated, Any, TextIO

import numpy as np
import typer

from deltarule.data import ClassTarget, open_source
from deltarule.data.encoders import Remarks
from deltarule.data.errors import OptionError, listed
from deltarule.data.preparation import Part
from deltarule.data.table import Table

from . import files
from . import options as o
from .console import rate, remark, say


def predict(
    model: o.Model,
    data: o.Data,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The CSV to write, - for the terminal.",
            show_default="DATA.predictions.csv",
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Add a column for each class.")
    ] = False,
    keep: Annotated[str, typer.Option(metavar="COLUMNS", help="Columns of DATA to copy, with commas.")] = "",
    header: o.Header = None,
    threads: o.Threads = None,
) -> None:
    """Write a model's predictions for the rows of a table.

    Columns are found by name; their order does not matter, and columns that the model does not know are
    ignored. A category that was not seen in training counts as 'other' where the column has such a bucket,
    else as none of the known ones. If DATA holds the target, the figures are printed too.
    """
    import deltarule as dr

    from . import model_file, outcome, training

    to_terminal = output is not None and str(output) == "-"
    path = output or Path(f"{Path(data).name.partition('.')[0]}.predictions.csv")
    files.check({"MODEL": model, "DATA": data}, {"--output": None if to_terminal else path})
    if threads is not None:
        dr.set_num_threads(threads)
    loaded = model_file.load(model)
    target = loaded.target
    if probabilities and not isinstance(target, ClassTarget):
        raise OptionError("--probabilities: this model predicts a number, not classes")
    source = open_source(data, None, header)
    table = source.table
    kept = {name: table.column(name, "--keep") for name in o.columns(keep)}
    X, remarks = loaded.features.transform(table)
    started = time.perf_counter()
    outputs = loaded.network.predict(X)
    seconds = time.perf_counter() - started
    if not to_terminal:
        say((data, "bold"), f": {table.rows:,} rows predicted with {model} ({rate(table.rows, seconds)})")
        _remarks(table, loaded.features, target.name, remarks)

    cells: dict[str, Any] = {name: _texts(table, name) for name in kept}
    if isinstance(target, ClassTarget):
        chosen = outputs.argmax(axis=1)
        cells[f"predicted {target.name}"] = [target.classes[label] for label in chosen]
        if probabilities:
            from deltarule.report import softmax

            shares = softmax(outputs)
            for index, name in enumerate(target.classes):
                cells[f"probability {name}"] = [f"{share:.6g}" for share in shares[:, index]]
    else:
        cells[f"predicted {target.name}"] = [f"{value:.7g}" for value in target.restore(outputs)]

    if to_terminal:
        _write(sys.stdout, cells)
        return
    if target.name in table.columns:
        values = target.encode(table.columns[target.name])
        known = values >= 0 if isinstance(target, ClassTarget) else ~np.isnan(values)
        if known.any():
            part = Part(X[known], values[known])
            figures = training.measure(loaded.network, target, part)
            outcome.show_figures({"given": {"rows": float(len(part)), **figures}})
    with path.open("w", newline="", encoding="utf-8") as file:
        _write(file, cells)
    say(("wrote ", "bold"), str(path))


def _write(file: TextIO, cells: dict[str, Any]) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(cells)
    writer.writerows(zip(*cells.values(), strict=True))


def _texts(table: Table, name: str) -> list[str]:
    codes, levels = table.columns[name].texts()
    return ["" if code < 0 else levels[code] for code in codes]


def _remarks(table: Table, features: Any, target: str, remarks: Remarks) -> None:
    """Say what was unusual about the rows."""
    for notice in table.notices:
        remark(notice)
    for notice in features.unread(table):
        remark(notice)
    used = {encoder.name for encoder in features.encoders}
    unknown = [
        name for name in table.columns if name not in used and name not in features.ignored and name != target
    ]
    if unknown:
        remark(f"columns the model does not know are ignored: {listed(unknown)}")
    buckets = {encoder.name: getattr(encoder, "other", False) for encoder in features.encoders}
    for name, count in remarks.unseen.items():
        how = "counted as 'other'" if buckets[name] else "counted as none of the known ones"
        remark(f"{count} values of {name!r} are categories that training did not keep: {how}")
    if remarks.missing:
        remark(
            "missing values filled in: " + ", ".join(f"{name!r} ({n})" for name, n in remarks.missing.items())
        )
