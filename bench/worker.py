"""A process that runs one competitor: JSON commands on standard input, JSON answers on standard output."""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import traceback
from statistics import median
from typing import Any

from .case import Case, Work
from .competitors import COMPETITORS


class Worker:
    def __init__(self, name: str, threads: int) -> None:
        self.competitor = COMPETITORS[name]
        self.work: Work | None = None
        self.repetitions = 1
        self.kept: Any = None
        package = importlib.import_module(f"{__package__}.competitors.{self.competitor.package}")
        self.versions: dict[str, str] = package.start(threads)

    def prepare(self, case: dict[str, Any]) -> dict[str, Any]:
        """Build the job, compute its check figures, time the first call and find how often to repeat it."""
        self.drop()
        name = f"{__package__}.competitors.{self.competitor.package}.{case['group']}"
        self.work = importlib.import_module(name).prepare(Case(**case), self.competitor.variant)
        if self.work is None:
            return {"supported": False}
        check = self.work.check() if self.work.check else []
        started = time.perf_counter()
        self.kept = self.work.run(1)
        first = time.perf_counter() - started
        return {"supported": True, "check": [float(v) for v in check], "first_call": first}

    def measure(self, seconds: float) -> dict[str, Any]:
        """Run batches of repetitions for about `seconds`; per unit, mostly in microseconds."""
        assert self.work is not None
        run, clock = self.work.run, time.perf_counter
        if self.work.reset:
            self.work.reset()
        started = clock()
        self.kept = run(1)
        once = max(clock() - started, 1e-9)
        if once < seconds / 20:  # wake the processor, and learn the time of a warm repetition
            count = max(1, int(0.005 / once))
            started = clock()
            self.kept = run(count)
            once = (clock() - started) / count
        repetitions = max(1, min(int(max(seconds / 25, 0.002) / once), 1_000_000))
        samples: list[float] = []
        begin = _cpu_seconds()
        end = clock() + seconds
        while not samples or clock() < end:
            started = clock()
            self.kept = run(repetitions)
            samples.append((clock() - started) / repetitions / self.work.units / self.work.unit)
        done = repetitions * len(samples)
        return {
            "median": median(samples),
            "best": min(samples),
            "worst": max(samples),
            "batches": len(samples),
            "processor": (_cpu_seconds() - begin) / done / self.work.units / self.work.unit,
        }

    def details(self) -> dict[str, Any]:
        found = self.work.details() if self.work and self.work.details else {}
        return {**found, "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0}

    def drop(self) -> dict[str, Any]:
        self.work, self.kept = None, None
        return {}

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        try:
            action = command.pop("do")
            return getattr(self, action)(**command)
        except Exception:
            self.drop()
            return {"error": traceback.format_exc()}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Serve until standard input ends. What libraries print goes to standard error."""
    name, threads = sys.argv[1], int(sys.argv[2])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        worker = Worker(name, threads)
        hello: dict[str, Any] = {"versions": worker.versions}
    except Exception:
        hello = {"error": traceback.format_exc()}
    print(json.dumps(hello), file=answers, flush=True)
    if "error" in hello:
        return
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
