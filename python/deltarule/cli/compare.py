"""``deltarule compare``: the same network trained by several libraries, side by side."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from deltarule.compare import contest as c
from deltarule.data import Prepared, chosen_target, open_source, prepare
from deltarule.data.errors import OptionError, suggestion
from deltarule.report.figures import json_values

from . import files
from . import options as o
from .console import console, duration, rate, remark, say, table


def compare(
    data: o.Data,
    target: o.Target = None,
    task: o.Task = o.TaskChoice.auto,
    numeric: o.Numeric = "",
    header: o.Header = None,
    hidden: o.Hidden = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the data.")] = 20,
    batch_size: o.BatchSize = None,
    learning_rate: Annotated[float, typer.Option(help="Adam's learning rate.")] = 1e-3,
    test_fraction: o.TestFraction = 0.15,
    seed: o.Seed = 0,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads for every library.", show_default="1 or all, whichever is faster"),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each library; the medians are shown.")] = 3,
    only: Annotated[
        str,
        typer.Option(metavar="NAMES", help="Libraries to run, with commas.", show_default="all installed"),
    ] = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write every run's figures as JSON.")
    ] = None,
) -> None:
    """Train the same network with deltarule, written-out NumPy, scikit-learn and, if installed, PyTorch.

    Same rows, layers (ReLU), batches, epochs and optimizer (Adam); every library draws its own
    first weights.
    Each run has a fresh process, warmed up before the clock starts; the libraries take turns.
    """
    import deltarule as dr

    from .recipe import recipe_for

    files.check({"DATA": data}, {"--output": output})
    sizes = o.hidden_sizes(hidden)
    if not learning_rate > 0:
        raise OptionError(f"--learning-rate: must be more than 0, not {learning_rate:g}")
    names = _contestants(only)
    source = open_source(data, target, header)
    treatment = o.feature_options(
        source,
        drop="",
        categorical="",
        numeric=numeric,
        max_categories=50,
        impute="median",
        indicator=True,
        scaling="auto",
    )
    prepared = prepare(
        source.table,
        chosen_target(source),
        task=task.value,
        options=treatment,
        test_fraction=test_fraction,
        seed=seed,
    )
    rows, inputs = prepared.training.X.shape
    recipe = recipe_for(prepared)
    contest = c.Contest(
        task=prepared.target.task,
        hidden=recipe.hidden if sizes is None else sizes,
        outputs=prepared.target.outputs,
        epochs=epochs,
        batch_size=min(batch_size or recipe.batch_size, rows),
        learning_rate=learning_rate,
        seed=seed,
        threads=threads or 1,
    )
    counts = (threads,) if threads else tuple(sorted({1, dr.get_num_threads()}))
    _announce(prepared, contest, repeats, counts)
    results = _race(names, contest, prepared, repeats, counts)
    _show(results, contest, rows)
    missing = [name for name in c.REQUIRES if name not in c.available()]
    if missing and not only:
        remark(f"not installed: {', '.join(missing)}")
    if output is not None:
        runs = {name: [asdict(result) for result in runs] for name, runs in results.items()}
        document = {
            "source": prepared.source,
            "rows": rows,
            "inputs": inputs,
            **asdict(contest),
            "runs": runs,
        }
        text = json.dumps(json_values(document), indent=2, allow_nan=False)
        output.write_text(text + "\n", encoding="utf-8")
        say(("wrote ", "bold"), str(output))


def _contestants(only: str) -> list[str]:
    installed = c.available()
    names = o.columns(only) or installed
    for name in names:
        if name not in c.REQUIRES:
            raise OptionError(f"--only: there is no library {name!r}; {suggestion(name, c.REQUIRES)}")
        if name not in installed:
            raise OptionError(
                f"--only: {name} is not installed: pip install {c.REQUIRES[name].replace('sklearn', name)}"
            )
    return names


def _announce(prepared: Prepared, contest: c.Contest, repeats: int, counts: tuple[int, ...]) -> None:
    rows, inputs = prepared.training.X.shape
    widths = " → ".join(map(str, (inputs, *contest.hidden, contest.outputs)))
    threads = " or ".join(map(str, counts)) + f" thread{'s' * (counts[-1] > 1)}"
    threads += ", whichever is faster" * (len(counts) > 1)
    say(
        (prepared.source, "bold"),
        f": {rows:,} rows to train, {len(prepared.test):,} to test, network {widths}, ReLU",
    )
    say(
        f"  Adam at {contest.learning_rate:g}, batches of {contest.batch_size}, {contest.epochs} epochs, "
        f"{threads}; medians of {repeats} run{'s' * (repeats > 1)}"
    )
    for notice in prepared.notices:
        remark(notice)


def _race(
    names: list[str], contest: c.Contest, prepared: Prepared, repeats: int, threads: tuple[int, ...]
) -> dict[str, list[c.Result]]:
    with c.temporary() as folder:
        training, test = prepared.training, prepared.test
        path = c.store(Path(folder), training.X, prepared.fitted(training), test.X, prepared.fitted(test))
        with console().status("", spinner="dots") as status:
            return c.race(names, contest, path, repeats, threads, status.update)


def _show(results: dict[str, list[c.Result]], contest: c.Contest, rows: int) -> None:
    steps = contest.epochs * -(-rows // contest.batch_size)
    first = next(iter(results))
    base = c.middle(results[first], "seconds")
    base_row = c.middle(results[first], "seconds_per_row")
    lines = []
    for name, runs in results.items():
        seconds, per_row = c.middle(runs, "seconds"), c.middle(runs, "seconds_per_row")
        lines.append([
            name, runs[0].version, str(runs[-1].threads), f"{c.middle(runs, 'score'):.4f}", duration(seconds),
            duration(seconds / steps), f"{seconds / base:.2f}", rate(1, per_row), f"{per_row / base_row:.2f}",
        ])  # fmt: skip
    score = "test accuracy" if contest.task == "classification" else "test R²"
    head = ["library", "version", "threads", score, "training", "per step", "ratio", "predicting", "ratio"]
    table(head, lines, left=2, chief=first)
    say((f"  ratio: time against {first}; above 1 is slower", "dim"))
