"""Measurements that need a new process each time, or none at all, behind the interface of a worker."""

from __future__ import annotations

import subprocess
import sys
import time
import zlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from .competitors import COMPETITORS
from .process import WorkerError, environment

_IMPORTS = {"sklearn": "sklearn.neural_network"}
_SCRIPTS = Path(__file__).resolve().parent / "first_steps"
_TIMED = "import time; started = time.perf_counter(); import {}; print(time.perf_counter() - started)"
_DIST = Path(__file__).resolve().parent.parent / "dist"


class FreshProcess:
    """Runs a script that prints seconds, each time in a new process."""

    def __init__(self, name: str, threads: int) -> None:
        self.name, self.pid, self.alive = name, 0, True
        self._environment = environment(threads)
        self._library = COMPETITORS[name].needs
        try:
            self.versions = {self._library: version(self._library)}
        except ModuleNotFoundError:
            self.versions = {}
        self._call: list[str] = []

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = getattr(self, "_" + action)(**arguments)
        return answer

    def close(self) -> None:
        pass

    def _prepare(self, case: dict[str, Any]) -> dict[str, Any]:
        if case["name"] == "first step of T2":
            script = _SCRIPTS / f"step_{self._library}.py"
            if not script.exists():
                return {"supported": False}
            self._call = [sys.executable, str(script)]
        else:
            code = _TIMED.format(_IMPORTS.get(self._library, self._library))
            after = "import numpy; " if case["name"] == "import after numpy" else ""
            if after and self._library == "numpy":
                return {"supported": False}
            self._call = [sys.executable, "-c", after + code]
        return {"supported": True, "check": [], "first_call": self._once() / 1e3}

    def _measure(self, seconds: float) -> dict[str, Any]:
        end = time.perf_counter() + seconds
        samples = [self._once()]
        while time.perf_counter() < end:
            samples.append(self._once())
        return {
            "median": median(samples),
            "best": min(samples),
            "worst": max(samples),
            "batches": len(samples),
        }

    def _details(self) -> dict[str, Any]:
        return {}

    _drop = _details

    def _once(self) -> float:
        """Milliseconds, as the script says."""
        done = subprocess.run(self._call, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise WorkerError(f"{self.name}: {done.stderr}")
        return float(done.stdout) * 1e3


class Folder(FreshProcess):
    """Sizes of an installed package in megabytes."""

    def _prepare(self, case: dict[str, Any]) -> dict[str, Any]:
        if case["name"] == "wheel" and self.name != "deltarule":
            return {"supported": False}
        self._size = (
            self._wheel() if case["name"] == "wheel" else sum(p.stat().st_size for p in self._files()) / 1e6
        )
        return {"supported": True, "check": [], "first_call": 0.0}

    def _measure(self, seconds: float) -> dict[str, Any]:  # noqa: ARG002 - a size takes no time
        return {"median": self._size, "best": self._size, "worst": self._size, "batches": 1}

    def _wheel(self) -> float:
        """The newest wheel in dist/, or what the installed files come to when compressed."""
        wheels = sorted(_DIST.glob(f"{self._library}-*.whl"), key=lambda p: p.stat().st_mtime)
        if wheels:
            return wheels[-1].stat().st_size / 1e6
        return sum(len(zlib.compress(path.read_bytes())) for path in self._files()) / 1e6

    def _files(self) -> list[Path]:
        found = find_spec(self._library)
        folders = list(found.submodule_search_locations or []) if found else []
        extra = [f"{folder}.libs" for folder in folders]  # libraries that auditwheel put beside the package
        paths = [p for folder in [*folders, *extra] for p in Path(folder).rglob("*")]
        return [p for p in paths if p.is_file() and p.suffix != ".pyc"]
