"""Drawings of a result: times on a logarithmic scale, and how deltarule gains from threads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import drawings, scaling
from .drawings import save
from .tables import OWN, UNITS

_COLOURS = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c8c8c", "#222222", "#a6761d"]


def draw(results: dict[str, Any], groups: list[str], folder: Path, suffix: str) -> list[Path]:
    """One for each group and number of threads, of the scaling, and of the model; the files written."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise SystemExit("plot needs matplotlib: pip install matplotlib") from None
    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "deltarule", "font.size": 9, "axes.axisbelow": True})
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    keys = dict.fromkeys((r["group"], r["threads"]) for r in results["records"])
    for group, threads in keys:
        if groups and group not in groups:
            continue
        records = [r for r in results["records"] if (r["group"], r["threads"]) == (group, threads)]
        for page, part in enumerate(_pages(records)):
            number = f"-{page + 1}" if page else ""
            path = folder / f"{group}-{threads}{number}.{suffix}"
            _bars(results, group, threads, part, path)
            written.append(path)
    curves = folder / f"scaling.{suffix}"
    if _scaling(results, curves):
        written.append(curves)
    return written + (drawings.draw(results, folder, suffix) if not groups or "training" in groups else [])


def _pages(records: list[dict[str, Any]], most: int = 20) -> list[list[dict[str, Any]]]:
    return [records[i : i + most] for i in range(0, len(records), most)]


def _bars(
    results: dict[str, Any], group: str, threads: int, records: list[dict[str, Any]], path: Path
) -> None:
    """Bars for each case and competitor, with the range of the rounds as a line."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(n for r in records for n, e in r["competitors"].items() if "time" in e))
    figure = Figure(
        figsize=(max(5.0, 0.16 * len(records) * (len(names) + 1.5) + 2), 3.8), layout="constrained"
    )
    axes = figure.subplots()
    width = 0.84 / len(names)
    for place, name in enumerate(names):
        shown = [
            (i, r["competitors"][name])
            for i, r in enumerate(records)
            if "time" in r["competitors"].get(name, {})
        ]
        at = [i + (place - (len(names) - 1) / 2) * width for i, _ in shown]
        times = [entry["time"] for _, entry in shown]
        spread = [[e["time"] - e["low"] for _, e in shown], [e["high"] - e["time"] for _, e in shown]]
        axes.bar(at, times, width * 0.92, yerr=spread, label=name, color=_COLOURS[place % len(_COLOURS)],
                 error_kw={"linewidth": 0.7, "ecolor": "#444444"})  # fmt: skip
    axes.set_yscale("log")
    axes.set_ylabel(UNITS.get(group, "µs"))
    axes.set_xticks(range(len(records)), [r["name"] for r in records], rotation=0 if len(records) < 8 else 60,
                    ha="center" if len(records) < 8 else "right")  # fmt: skip
    axes.grid(axis="y", which="both", linewidth=0.3)
    axes.set_title(
        f"{group}, {threads} thread{'s' * (threads > 1)} (less is better)\n{_where(results)}", fontsize=9
    )
    figure.legend(loc="outside right upper", frameon=False)
    save(figure, path)


def _scaling(results: dict[str, Any], path: Path) -> bool:
    """Speed-up of deltarule over its own time on one thread, by number of threads."""
    from matplotlib.figure import Figure

    curves = {name: by for name, (_, by) in scaling.measured(results).items() if len(by) > 1}
    if not curves:
        return False
    figure = Figure(figsize=(5.0, 3.6), layout="constrained")
    axes = figure.subplots()
    most = max(max(by) for by in curves.values())
    axes.plot([1, most], [1, most], color="#bbbbbb", linestyle="--", label="ideal")
    for place, (name, by) in enumerate(curves.items()):
        threads = sorted(by)
        axes.plot(
            threads, [by[1] / by[t] for t in threads], "o-", label=name, color=_COLOURS[place % len(_COLOURS)]
        )
    axes.set_xticks(sorted({t for by in curves.values() for t in by}))
    axes.set_xlabel("threads")
    axes.set_ylabel("times as fast as one thread")
    axes.set_title(f"{OWN}, training steps\n{_where(results)}", fontsize=9)
    axes.grid(linewidth=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    save(figure, path)
    return True


def _where(results: dict[str, Any]) -> str:
    machine = results["machine"]
    return f"{machine['processor'].get('name', '')}, {machine['processors']} cores, {machine['date'][:10]}"
