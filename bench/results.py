"""Results as JSON files in `bench/results`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent / "results"
FORMAT = 1


def path_of(name: str) -> Path:
    """A path as it is; a plain name means a file in the results folder."""
    path = Path(name)
    if path.suffix == ".json" or path.parent != Path():
        return path
    return FOLDER / f"{name}.json"


def save(results: dict[str, Any], name: str) -> Path:
    path = path_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"format": FORMAT, **results}, indent=1) + "\n")
    return path


def read(name: str) -> dict[str, Any]:
    path = path_of(name)
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.json"))) or "none"
        raise SystemExit(f"{path}: there is no such file; results kept: {known}")
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise SystemExit(f"{path}: not a JSON file: {error}") from None
    if found.get("format") != FORMAT:
        raise SystemExit(f"{path}: not a result of this version of the benchmarks")
    return found
