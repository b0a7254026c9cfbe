"""How a training step gains from threads: a model of few measured constants, beside what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import deltarule as dr

from . import limits, readme
from .competitors.by_deltarule.network import build
from .workloads import WORKLOADS, Workload

PAGE = readme.README.parent / "docs" / "performance.md"
SHARED_FROM = 2 << 20
"""Weights larger than so many bytes are worked on by tasks over the whole batch, each by one thread."""
SECOND_CACHE = 384 << 10
"""Footprint (KiB) of the copy that stands for the second cache; the third is the next one."""


@dataclass(frozen=True)
class Constants:
    """What the machine does, from the group `limits` of a result."""

    flops: float
    """GFLOP/s of one thread's products."""
    together: float
    """The same of each of two threads at work together."""
    copies: dict[int, float]
    """GB/s of one thread's copy, by footprint."""
    both: dict[int, float]
    """The same of two threads together."""
    phase: float
    """Microseconds from one phase to the next on two threads."""
    rewrite: float
    """Microseconds to write a KiB that another core has read."""

    @classmethod
    def of(cls, results: dict[str, Any]) -> Constants:
        one, two = limits.rates(results, 1), limits.rates(results, 2)
        each = min(one["GFLOP/s"], two.get("GFLOP/s", 2 * one["GFLOP/s"]) / 2)
        return cls(
            one["GFLOP/s"],
            each,
            limits.copies(one),
            limits.copies(two),
            limits.phase(results),
            limits.rewrite(results),
        )

    def seconds(self, footprint: float, amount: float, threads: int) -> float:
        """Microseconds to move so many bytes, a footprint shared by the threads."""
        fits = [size for size in sorted(self.copies) if size >= footprint / threads] or [max(self.copies)]
        size = fits[0]
        speed = self.copies[size] * threads
        if size > SECOND_CACHE and threads > 1:  # beyond a core's own caches two threads tell what is shared
            speed = self.both.get(size, self.copies[size]) * threads / 2
        return amount / speed / 1e3


@dataclass(frozen=True)
class Step:
    """Microseconds of a training step, by what they are spent on."""

    products: float
    update: float
    rest: float
    exchange: float
    phases: float

    @property
    def all(self) -> float:
        return self.products + self.update + self.rest + self.exchange + self.phases


def step(workload: Workload, constants: Constants, threads: int, one_thread: float) -> Step:
    """The model. `one_thread`: measured microseconds of the step on one thread, of which the rest follows."""
    threads = _plan(workload, threads)[0]
    alone = _parts(workload, constants, 1)
    rest = max(0.0, one_thread - alone.all)
    shared = _parts(workload, constants, threads)
    return Step(
        shared.products,
        shared.update,
        rest * _largest_share(_plan(workload, threads)[1][0][0], threads),
        shared.exchange,
        shared.phases,
    )


@cache
def _network(workload_name: str) -> dr.Sequential:
    workload = WORKLOADS[workload_name]
    return build(workload, workload.initial_parameters())


def _plan(workload: Workload, most: int) -> tuple[int, list[tuple[int, float]]]:
    """The threads that the library would use, and tasks and FLOP of every phase."""
    net = _network(workload.name)
    return net._ready(net._require_built("bench")).phase_costs(workload.batch, most)


def _largest_share(tasks: int, threads: int) -> float:
    return -(-tasks // threads) / tasks


def _parts(workload: Workload, constants: Constants, threads: int) -> Step:
    costs = _plan(workload, threads)[1]
    rate = constants.flops if threads == 1 else constants.together
    products = sum(flops * _largest_share(tasks, threads) for tasks, flops in costs) / rate / 1e3
    update = constants.seconds(*limits.update_bytes(workload), threads)
    exchange = phases = 0.0
    if threads > 1:
        # Weights and their transposes that another thread has changed are read through the third cache.
        small = _small(workload.matrices)
        third = min(size for size in constants.copies if size > SECOND_CACHE)
        exchange = 2 * small * (1 - 1 / threads) / constants.copies[third] / 1e3
        exchange += constants.rewrite * _rewritten(workload, threads) / 1024
        phases = constants.phase * len(costs) * max(1.0, (threads - 1).bit_length())
    return Step(products, update, 0.0, exchange, phases)


def _rewritten(workload: Workload, threads: int) -> float:
    """Bytes that a thread writes in a step after others have read them.

    The values and gradients of its rows, since weight gradients take all rows, and its share of the weights
    and their transposes.
    """
    first, *others = workload.matrices
    weights = _small([first, *others, *others])
    columns = sum(workload.sizes[:-1]) + sum(workload.sizes[1:])
    return (4 * columns * workload.batch * (1 - 1 / threads) + weights) / threads


def _small(matrices: list[int]) -> int:
    """Bytes of the weights that row tiles work with."""
    return sum(4 * count for count in matrices if 4 * count <= SHARED_FROM)


def report(results: dict[str, Any], counts: tuple[int, ...] = (2, 4, 8, 16, 64)) -> str:
    """Markdown: constants, what a step consists of, and the times predicted for more cores."""
    constants, machine = Constants.of(results), results["machine"]
    copies = "; ".join(
        f"{size >> 10} KiB {speed:.0f} and {constants.both.get(size, 0):.0f}"
        for size, speed in sorted(constants.copies.items())
    )
    where = f"{machine['processors']} cores of an {machine['processor'].get('name', '')}"
    parts = [
        f"Measured on {where}, {machine['date'][:10]}: products {constants.flops:.0f} GFLOP/s on one thread,",
        f"{constants.together:.0f} on each of two.",
        f"On two threads {constants.phase:.2f} µs from one phase to the next, and",
        f"{constants.rewrite:.3f} µs to write a KiB that the other core has read",
        f"({constants.rewrite * 62.5:.1f} ns a cache line).",
        f"Copies in GB/s, one thread and two together: {copies}.",
        "",
        "| step | MFLOP | update moves, MB | phases | products, µs | update, µs | rest, µs | measured, µs |",
        "|---|" + "--:|" * 7,
    ]
    found = measured(results)
    for name, (workload, times) in found.items():
        spent = step(workload, constants, 1, times[1])
        moved = limits.update_bytes(workload)[1] / 1e6
        parts.append(
            f"| {name} | {workload.product_flops() / 1e6:.3g} | {moved:.2g} | {len(_plan(workload, 1)[1])} | "
            f"{spent.products:.3g} | {spent.update:.3g} | {spent.rest:.3g} | {times[1]:.4g} |"
        )
    parts += [
        "",
        f"| µs a step | measured, 2 | {' | '.join(f'model, {n}' for n in counts)} | cores that pay |",
        "|---|" + "--:|" * (len(counts) + 2),
    ]
    for name, (workload, times) in found.items():
        model = [step(workload, constants, n, times[1]).all for n in counts]
        parts.append(
            f"| {name} | {f'{times[2]:.4g}' if 2 in times else '-'} | "
            + " | ".join(f"{time:.3g}" for time in model)
            + f" | {paying(workload, constants, times[1])} |"
        )
    return "\n".join(parts) + "\n"


def write(results: dict[str, Any]) -> None:
    """Put the report into docs/performance.md."""
    readme.replace(PAGE, report(results))


def paying(workload: Workload, constants: Constants, one_thread: float) -> int:
    """The last doubling of the cores that still saves a fifth of the time."""
    cores, time = 1, one_thread
    while cores < 256:
        twice = step(workload, constants, 2 * cores, one_thread).all
        if twice > 0.8 * time:
            break
        cores, time = 2 * cores, twice
    return cores


def measured(results: dict[str, Any]) -> dict[str, tuple[Workload, dict[int, float]]]:
    """By case of the group training: its workload, and microseconds a step by number of threads."""
    found: dict[str, tuple[Workload, dict[int, float]]] = {}
    for record in results["records"]:
        entry = record["competitors"].get("deltarule", {})
        if record["group"] == "training" and "time" in entry:
            workload = WORKLOADS[record["settings"]["workload"]]
            found.setdefault(record["name"], (workload, {}))[1][record["threads"]] = entry["time"]
    return {name: (workload, times) for name, (workload, times) in found.items() if 1 in times}
