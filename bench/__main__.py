"""Command line of the benchmarks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import compare, limits, machine, plot, readme, results, runner, scaling, tables
from .cases import select
from .competitors import COMPETITORS, for_group

_BY = "show medians, or what means more on a busy machine: fastest batches, or processor time"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    code: int = options.action(options)
    return code


def _list(options: argparse.Namespace) -> int:
    for case in select(options.patterns):
        names = ", ".join(c.name for c in for_group(case.group))
        print(f"{case.key:40s} {names}")
    missing = [c.name for c in COMPETITORS.values() if not c.installed]
    if missing:
        print(f"not installed: {', '.join(missing)}", file=sys.stderr)
    return 0


def _run(options: argparse.Namespace) -> int:
    cases = select(options.patterns, options.quick)
    if options.quick:
        options.competitors = options.competitors or ["deltarule", "numpy"]
    plan = runner.Plan(
        options.threads or ([1] if options.quick else [1, 2]),
        options.rounds,
        options.seconds,
        options.patience,
        options.competitors,
    )
    if options.quick:
        plan.rounds, plan.seconds, plan.patience = 2, 0.02, 0.0
    found: dict[str, Any] = {"machine": machine.describe(), "versions": {}, "records": []}

    def keep(records: list[dict[str, Any]], versions: dict[str, str]) -> None:
        found.update(versions=versions, records=records)
        results.save(found, options.output)

    plan.keep = keep
    records, _ = runner.run(cases, plan)
    path = results.path_of(options.output)
    print(tables.tables(found, options.against, options.by))
    print(tables.LEGEND)
    print(f"kept in {path}")
    entries = [e for r in records for e in r["competitors"].values()]
    return 0 if all(e.get("agrees", True) and "error" not in e for e in entries) else 1


def _table(options: argparse.Namespace) -> int:
    print(tables.tables(results.read(options.result), options.against, options.by, options.below))
    return 0


def _readme(options: argparse.Namespace) -> int:
    readme.write(results.read(options.result))
    return 0


def _compare(options: argparse.Namespace) -> int:
    before, after = results.read(options.before), results.read(options.after)
    for line in compare.differences(before, after):
        print(f"differs: {line}")
    found = compare.changes(before, after, options.everyone)
    if not found:
        print("the two results have no case in common")
        return 2
    print(compare.report(found, options.tolerance / 100))
    return int(any(change.verdict(options.tolerance / 100) == "SLOWER" for change in found))


def _plot(options: argparse.Namespace) -> int:
    folder = Path(options.folder) if options.folder else results.FOLDER
    for path in plot.draw(results.read(options.result), options.groups, folder, options.format):
        print(path)
    return 0


def _limits(options: argparse.Namespace) -> int:
    records, versions = runner.run(
        select(["limits/*"]), runner.Plan(options.threads or [1, 2], rounds=5, patience=options.patience)
    )
    found = {"machine": machine.describe(), "versions": versions, "records": records}
    results.save(found, options.output)
    print(limits.report(found))
    return 0


def _scaling(options: argparse.Namespace) -> int:
    found = results.read(options.result)
    print(scaling.report(found))
    if options.write:
        scaling.write(found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listing = commands.add_parser("list", help="show the cases and who can do them")
    listing.add_argument("patterns", nargs="*", metavar="CASE")
    listing.set_defaults(action=_list)

    running = commands.add_parser("run", help="measure")
    running.add_argument(
        "patterns", nargs="*", metavar="CASE", help="group, name, or wildcards; default: all"
    )
    running.add_argument("--threads", type=_numbers, help="numbers of threads, default 1,2")
    running.add_argument("--competitors", type=_names, default=[], help="only these, e.g. deltarule,numpy")
    running.add_argument("--rounds", type=int, default=7)
    running.add_argument("--seconds", type=float, default=0.25, help="of one measurement, default 0.25")
    running.add_argument(
        "--patience", type=float, default=30.0, help="seconds per case for repeats, default 30"
    )
    running.add_argument("--against", help="the peer to compare with; default: the best of each row")
    running.add_argument("--by", choices=["time", "best", "processor"], default="time", help=_BY)
    running.add_argument("--output", default="latest", help="name of the result, or a path")
    running.add_argument("--quick", action="store_true", help="a smoke run: few cases, no figures to trust")
    running.set_defaults(action=_run)

    table = commands.add_parser("table", help="show a result as Markdown")
    table.add_argument("result")
    table.add_argument("--against")
    table.add_argument("--by", choices=["time", "best", "processor"], default="time", help=_BY)
    table.add_argument(
        "--below",
        type=float,
        help="only rows whose peer takes less than BELOW times our time; 1: slower ones",
    )
    table.set_defaults(action=_table)

    comparing = commands.add_parser("compare", help="what changed between two results; fails if slower")
    comparing.add_argument("before")
    comparing.add_argument("after")
    comparing.add_argument(
        "--tolerance", type=float, default=5.0, help="percent that do not matter, default 5"
    )
    comparing.add_argument("--everyone", action="store_true", help="the other competitors, too")
    comparing.set_defaults(action=_compare)

    readme_table = commands.add_parser("readme", help="write a result's training figures into the README")
    readme_table.add_argument("result")
    readme_table.set_defaults(action=_readme)

    drawing = commands.add_parser("plot", help="draw a result")
    drawing.add_argument("result")
    drawing.add_argument("--groups", type=lambda text: text.split(","), default=[], help="default: all")
    drawing.add_argument("--folder", help="default: bench/results; the documentation's is docs/images")
    drawing.add_argument("--format", choices=["svg", "png"], default="svg")
    drawing.set_defaults(action=_plot)

    growing = commands.add_parser("scaling", help="predict training on more cores, from a kept result")
    growing.add_argument("result")
    growing.add_argument("--write", action="store_true", help="put it into docs/performance.md")
    growing.set_defaults(action=_scaling)

    limiting = commands.add_parser("limits", help="measure what the machine allows")
    limiting.add_argument("--threads", type=_numbers)
    limiting.add_argument("--patience", type=float, default=30.0)
    limiting.add_argument("--output", default="limits")
    limiting.set_defaults(action=_limits)
    return parser


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in COMPETITORS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(COMPETITORS)}")
    return names


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
