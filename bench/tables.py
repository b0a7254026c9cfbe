"""Results as Markdown tables: a row for each case, a column for each competitor."""

from __future__ import annotations

from typing import Any

from . import limits
from .figures import figure, ratio, spread
from .noise import ALLOWED

OWN = "deltarule"
UNITS = {
    "training": "µs a step",
    "inference": "µs a call",
    "fits": "ms to the target accuracy",
    "many": "ms a network",
    "startup": "ms, new process",
    "sizes": "MB",
}


_HEADINGS = {
    "time": "median (range of the rounds)",
    "best": "fastest batch",
    "processor": "processor time of all threads",
}


def tables(
    results: dict[str, Any], against: str | None = None, by: str = "time", below: float | None = None
) -> str:
    """All tables. `against` names the peer of the last column, by default the fastest of the row.

    With `below` only the rows in which the peer takes less than so many times deltarule's time.

    `by` is "time", the median; "best", the fastest batch, or "processor", the time of all threads together,
    which mean more on a busy machine.
    """
    parts = []
    keys = list(dict.fromkeys((r["group"], r["threads"]) for r in results["records"]))
    for group, threads in keys:
        records = [r for r in results["records"] if (r["group"], r["threads"]) == (group, threads)]
        if below is not None:
            found = [peer_ratio(r, against, by) for r in records]
            records = [r for r, f in zip(records, found, strict=True) if f and f[0] < below]
        if records:
            parts.append(_table(group, threads, records, against, by, results))
    return "\n".join(parts)


def peer_ratio(
    record: dict[str, Any], against: str | None = None, by: str = "time"
) -> tuple[float, str] | None:
    """How many times as long a peer takes as deltarule, and which peer."""
    times = {name: e[by] for name, e in record["competitors"].items() if "time" in e}
    own = times.get(OWN)
    peers = {n: t for n, t in times.items() if not n.startswith(OWN) and (against is None or n == against)}
    if own is None or not peers:
        return None
    name = min(peers, key=peers.__getitem__)
    return peers[name] / own, name


def _table(
    group: str,
    threads: int,
    records: list[dict[str, Any]],
    against: str | None,
    by: str,
    results: dict[str, Any],
) -> str:
    names = list(dict.fromkeys(name for r in records for name in r["competitors"]))
    bounds = [limits.training_step(results, r) if group == "training" else None for r in records]
    bounded = any(bounds)
    plural = "" if threads == 1 else "s"
    lines = [
        f"### {group}, {threads} thread{plural}: {UNITS.get(group, 'µs')}, {_HEADINGS[by]}\n",
        "| case | "
        + " | ".join(names)
        + f" | {against or 'best peer'} / {OWN} |"
        + f" limit | {OWN} / limit |" * bounded,
        "|---|" + "--:|" * (len(names) + 1 + 2 * bounded),
    ]
    for record, bound in zip(records, bounds, strict=True):
        cells = [_cell(record["competitors"].get(name), by) for name in names]
        found = peer_ratio(record, against, by)
        last = "-" if found is None else f"{ratio(found[0])} {found[1]}"
        end = f" {figure(bound)} | {_over(record, bound, by)} |" if bound else " - | - |" * bounded
        lines.append(f"| {record['name']} | " + " | ".join(cells) + f" | {last} |" + end)
    return "\n".join(lines) + "\n"


def _over(record: dict[str, Any], bound: float, by: str) -> str:
    entry = record["competitors"].get(OWN, {})
    return ratio(entry[by] / bound) if by in entry else "-"


def _cell(entry: dict[str, Any] | None, by: str) -> str:
    if entry is None:
        return "-"
    if "time" not in entry:
        return "failed"
    marks = ("!" if entry["others"] > ALLOWED else "") + ("≠" if not entry.get("agrees", True) else "")
    if by != "time":
        return figure(entry[by]) + marks
    details = entry.get("details", {})
    epochs = f", {details['epochs']:.1f} epochs" if "epochs" in details else ""
    failed = f", {1 - details['reached']:.0%} failed" if details.get("reached", 1) < 1 else ""
    return f"{figure(entry['time'])}{marks} ({spread(entry['low'], entry['high'])}){epochs}{failed}"


LEGEND = "! another program was busy meanwhile; ≠ the result differs from the others'.\n"
