"""What the machine allows: measured rates, and the shortest time of a training step with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .workloads import WORKLOADS, Workload

_STATES = {"sgd": 1, "adam": 2, "adamw": 2}
"""Arrays that a rule keeps beside the weights."""
WAITING = ("phase", "rewrite")
"""Cases that are no rates: what threads wait for."""


def rates(results: dict[str, Any], threads: int) -> dict[str, float]:
    """Best GFLOP/s of a product and best GB/s of a copy for each footprint, over all competitors."""
    found: dict[str, float] = {}
    for record in results["records"]:
        if record["group"] in ("limits", "products") and record["threads"] == threads:
            times = [e["best"] for e in record["competitors"].values() if "best" in e]
            if not times:
                continue
            settings = record["settings"]
            if settings.get("kind") in WAITING:
                continue
            name, amount = ("GFLOP/s", settings["flops"]) if "flops" in settings else _copied(settings)
            found[name] = max(found.get(name, 0.0), amount / min(times) / 1e3)
    return found


def _copied(settings: dict[str, Any]) -> tuple[str, float]:
    return f"GB/s in {settings['footprint'] >> 10} KiB", float(settings["footprint"])


def copies(found: dict[str, float]) -> dict[int, float]:
    """The GB/s of `rates` by footprint in bytes."""
    return {int(name.split()[2]) << 10: speed for name, speed in found.items() if name.startswith("GB/s")}


def phase(results: dict[str, Any]) -> float:
    """Microseconds from one phase of the engine to the next, on two threads."""
    return min((float(entry["best"]) for entry, _ in _of_two_threads(results, "phase")), default=float("nan"))


def rewrite(results: dict[str, Any]) -> float:
    """Microseconds to write a KiB that another core has read since, on two threads."""
    return min(
        (
            entry["details"]["writes"] / settings["bytes"] * 1024
            for entry, settings in _of_two_threads(results, "rewrite")
        ),
        default=float("nan"),
    )


def _of_two_threads(results: dict[str, Any], kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for record in results["records"]:
        if record["settings"].get("kind") == kind and record["threads"] == 2:
            yield record["competitors"]["deltarule"], record["settings"]


def update_bytes(workload: Workload) -> tuple[int, int]:
    """What an update touches (weights, gradient, states), and what it moves (all but the gradient, twice)."""
    count, states = 4 * workload.parameter_count(), _STATES[workload.optimizer]
    return (2 + states) * count, (2 + 2 * states) * count


def training_step(results: dict[str, Any], record: dict[str, Any]) -> float | None:
    """Microseconds: products at the best rate, parameters and states at that of the cache that holds them."""
    found = rates(results, record["threads"])
    workload = WORKLOADS[record["settings"]["workload"]]
    footprint, traffic = update_bytes(workload)
    speeds = list(copies(found).items())
    if "GFLOP/s" not in found or not speeds:
        return None
    holding = [speed for size, speed in sorted(speeds) if size >= footprint] or [min(s for _, s in speeds)]
    return workload.product_flops() / found["GFLOP/s"] / 1e3 + traffic / holding[0] / 1e3


def report(results: dict[str, Any]) -> str:
    """Rates as a Markdown table."""
    threads = sorted({record["threads"] for record in results["records"]})
    columns = {t: rates(results, t) for t in threads}
    lines = ["| limit | " + " | ".join(f"{t} thread{'s' * (t > 1)}" for t in threads) + " |"]
    lines.append("|---|" + "--:|" * len(threads))
    names = dict.fromkeys(name for found in columns.values() for name in found)
    lines += [
        f"| {name} | " + " | ".join(f"{columns[t].get(name, 0):.0f}" for t in threads) + " |"
        for name in names
    ]
    return "\n".join(lines)
