"""Worker processes and the environment they run in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_UNWANTED = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OMP_WAIT_POLICY",
    "GOMP_SPINCOUNT",
    "OMP_PROC_BIND",
    "PYTHONDONTWRITEBYTECODE",  # what pip installed has its bytecode, a tree of sources only then
)
"""Settings that would favour or hinder one competitor."""


class WorkerError(RuntimeError):
    """A competitor failed; the text is its traceback."""


def environment(threads: int) -> dict[str, str]:
    """Environment of a worker: its number of threads, and none of the settings that distort."""
    values = {name: value for name, value in os.environ.items() if name not in _UNWANTED}
    values.update({name: str(threads) for name in _THREAD_VARIABLES})
    values["JAX_PLATFORMS"] = "cpu"
    values["PYTHONPATH"] = os.pathsep.join(filter(None, [str(_ROOT), values.get("PYTHONPATH", "")]))
    return values


def processors(threads: int) -> list[int] | None:
    """The last `threads` processors this process may use; None where that cannot be set."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return sorted(os.sched_getaffinity(0))[-threads:]


class WorkerProcess:
    """A competitor in its own process, driven over pipes."""

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        chosen = processors(threads)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(threads),
            text=True,
            preexec_fn=None if chosen is None else lambda: os.sched_setaffinity(0, chosen),  # noqa: PLW1509
        )
        self.versions: dict[str, str] = self._answer()["versions"]

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer tells how the process ended
            self._process.stdin.write(json.dumps({"do": action, **arguments}) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WorkerError(f"{self.name}: the process ended with code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{self.name}: {answer['error']}")
        return answer
