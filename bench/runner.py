"""Interleaved rounds: every competitor in turn, a rest in between, medians over the rounds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .case import Case
from .competitors import for_group
from .fresh import Folder, FreshProcess
from .noise import ALLOWED, OtherPrograms
from .process import WorkerError, WorkerProcess

REST_ONE_THREAD, REST = 0.01, 0.15
"""Seconds between competitors: idle threads of other libraries spin for up to 0.11 s and take a core."""


Maker = type[WorkerProcess]
_MAKERS: dict[str, Any] = {"startup": FreshProcess, "sizes": Folder}
"""Groups that are not measured in a lasting process."""


@dataclass
class Plan:
    """How long and how often to measure."""

    threads: list[int]
    rounds: int = 7
    seconds: float = 0.25
    patience: float = 30.0
    """Seconds per case for repeating measurements that other programs disturbed."""
    competitors: list[str] = field(default_factory=list)
    keep: Callable[[list[dict[str, Any]], dict[str, str]], Any] = lambda _records, _versions: None
    """Called after every case, so that an interrupted run leaves what it has."""
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)


def run(cases: list[Case], plan: Plan) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Measure all cases: a record for each case and number of threads, and versions of the libraries."""
    records: list[dict[str, Any]] = []
    versions: dict[str, str] = {}
    for threads in plan.threads:
        with ExitStack() as stack:
            known: dict[Maker, dict[str, WorkerProcess | None]] = {}
            for case in cases:
                contestants = _contestants(case, threads, plan, known, stack)
                record = _measure_case(case, threads, contestants, plan)
                records.append(record)
                versions.update(_versions(known))
                plan.keep(records, versions)
                plan.say(_line(record))
    return records, versions


def _versions(known: dict[Maker, dict[str, WorkerProcess | None]]) -> dict[str, str]:
    workers = [worker for by_name in known.values() for worker in by_name.values() if worker is not None]
    return {name: version for worker in workers for name, version in worker.versions.items()}


def _contestants(
    case: Case,
    threads: int,
    plan: Plan,
    known_of: dict[Maker, dict[str, WorkerProcess | None]],
    stack: ExitStack,
) -> list[WorkerProcess]:
    """Workers for this group, started when first needed and kept."""
    names = [c.name for c in for_group(case.group, plan.competitors)]
    workers = known_of.setdefault(_MAKERS.get(case.group, WorkerProcess), {})
    for name in names:
        present = workers.get(name)
        if name not in workers or (present is not None and not present.alive):
            try:
                workers[name] = stack.enter_context(
                    closing(_MAKERS.get(case.group, WorkerProcess)(name, threads))
                )
            except WorkerError as error:
                plan.say(f"left out: {error}")
                workers[name] = None
    return [worker for name in names if (worker := workers[name]) is not None]


def _measure_case(case: Case, threads: int, workers: list[WorkerProcess], plan: Plan) -> dict[str, Any]:
    entries: dict[str, dict[str, Any]] = {}
    active: list[WorkerProcess] = []
    for worker in workers:
        try:
            answer = worker.ask("prepare", case=case.to_json())
        except WorkerError as error:
            entries[worker.name] = {"error": str(error)}
            plan.say(str(error))
            continue
        if answer["supported"]:
            entries[worker.name] = {
                "check": answer["check"],
                "first_call": answer["first_call"],
                "rounds": [],
            }
            active.append(worker)
    deadline = time.perf_counter() + plan.patience
    for _ in range(plan.rounds):
        for worker in list(active):
            try:
                entries[worker.name]["rounds"].append(_quiet(worker, active, threads, plan, deadline))
            except WorkerError as error:
                entries[worker.name] = {"error": str(error)}
                active.remove(worker)
                plan.say(str(error))
    for worker in active:
        entries[worker.name]["details"] = worker.ask("details")
        worker.ask("drop")
    for entry in entries.values():
        if "rounds" in entry:
            _summarise(entry)
    _compare_checks(case, entries)
    return {"case": case.key, "group": case.group, "name": case.name, "settings": case.settings,
            "threads": threads, "competitors": entries}  # fmt: skip


def _quiet(
    worker: WorkerProcess, active: list[WorkerProcess], threads: int, plan: Plan, deadline: float
) -> dict[str, Any]:
    """One measurement, repeated while other programs disturb it and there is patience left."""
    best: dict[str, Any] | None = None
    while True:
        time.sleep(REST if threads > 1 else REST_ONE_THREAD)
        others = OtherPrograms([w.pid for w in active])
        found = worker.ask("measure", seconds=plan.seconds)
        found["others"] = round(others.share(), 3)
        if best is None or found["others"] < best["others"]:
            best = found
        if best["others"] <= ALLOWED or time.perf_counter() > deadline:
            return best


def _summarise(entry: dict[str, Any]) -> None:
    """Median and range of the rounds, best and worst batch, processor time, and what others took."""
    rounds = entry.pop("rounds")
    medians = [r["median"] for r in rounds]
    entry |= {
        "time": median(medians),
        "low": min(medians),
        "high": max(medians),
        "best": min(r["best"] for r in rounds),
        "worst": max(r["worst"] for r in rounds),
        "rounds": [round(m, 4) for m in medians],
        "processor": median(r.get("processor", 0.0) for r in rounds),
        "others": max(r["others"] for r in rounds),
    }


def _compare_checks(case: Case, entries: dict[str, dict[str, Any]]) -> None:
    """Mark who computed something else than NumPy, or than the first competitor."""
    with_figures = {name: e["check"] for name, e in entries.items() if e.get("check")}
    if not with_figures:
        return
    reference = with_figures.get("numpy") or next(iter(with_figures.values()))
    scale = max(*map(abs, reference), 1e-30)
    for name, figures in with_figures.items():
        pairs = zip(figures, reference, strict=True)
        entries[name]["agrees"] = all(abs(a - b) <= case.tolerance * scale for a, b in pairs)


def _line(record: dict[str, Any]) -> str:
    parts = []
    for name, entry in record["competitors"].items():
        if "time" in entry:
            wrong = "" if entry.get("agrees", True) else " (computes something else!)"
            parts.append(f"{name} {entry['time']:.4g}{wrong}")
    return f"{record['case']} [{record['threads']}]: " + ", ".join(parts)
