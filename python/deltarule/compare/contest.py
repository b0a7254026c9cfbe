"""What every contestant is given and hands back, and the processes they run in."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from deltarule.data.errors import DataError

Array = npt.NDArray[Any]

REQUIRES = {"deltarule": "deltarule", "numpy": "numpy", "scikit-learn": "sklearn", "pytorch": "torch"}
_HINDRANCES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # would slow the contestants' own BLAS down


@dataclass
class Contest:
    """One network and its training: ReLU layers, Adam, the same rows in batches of the same size."""

    task: Literal["classification", "regression"]
    hidden: tuple[int, ...]
    outputs: int
    epochs: int
    batch_size: int
    learning_rate: float
    seed: int
    threads: int


@dataclass
class Result:
    """What one run of a contestant gave; the score is that of the test rows."""

    version: str
    seconds: float
    score: float
    seconds_per_row: float
    threads: int


def available() -> list[str]:
    """Return the contestants that are installed."""
    return [name for name, module in REQUIRES.items() if find_spec(module) is not None]


def environment(threads: int) -> dict[str, str]:
    """Return this process's environment with the thread count set for all libraries."""
    kept = {name: value for name, value in os.environ.items() if name not in _HINDRANCES}
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    return {**kept, **dict.fromkeys(names, str(threads)), "PYTHONWARNINGS": "ignore"}


def run(name: str, contest: Contest, data: Path) -> Result:
    """Run a contestant once in a fresh process."""
    command = [sys.executable, "-m", "deltarule.compare.worker", name, json.dumps(asdict(contest)), str(data)]
    done = subprocess.run(
        command, env=environment(contest.threads), capture_output=True, text=True, check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise DataError(f"{name} failed: {reason}")
    return Result(**json.loads(done.stdout.splitlines()[-1]))


def race(
    names: list[str],
    contest: Contest,
    data: Path,
    repeats: int,
    threads: tuple[int, ...],
    tell: Callable[[str], None],
) -> dict[str, list[Result]]:
    """Let the contestants take turns, each turn with its own seed.

    In the first turn each tries all thread counts; it goes on with the fastest.
    """
    results: dict[str, list[Result]] = {name: [] for name in names}
    for turn in range(repeats):
        for name in names:
            tried = []
            for count in (results[name][0].threads,) if turn else threads:
                tell(f"run {turn + 1} of {repeats}: {name}, threads: {count}")
                tried.append(run(name, replace(contest, seed=contest.seed + turn, threads=count), data))
            results[name].append(min(tried, key=lambda result: result.seconds))
    return results


def store(folder: Path, X: Array, y: Array, X_test: Array, y_test: Array) -> Path:
    """Write the rows where the contestants find them."""
    path = folder / "rows.npz"
    np.savez(path, X=X, y=y, X_test=X_test, y_test=y_test)
    return path


def temporary() -> "tempfile.TemporaryDirectory[str]":
    """Make a folder for the rows."""
    return tempfile.TemporaryDirectory(prefix="deltarule-compare-")


def middle(results: list[Result], what: str) -> float:
    """Return the median of one figure over the runs."""
    return float(median(getattr(result, what) for result in results))
