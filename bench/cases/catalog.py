"""What deltarule's catalogue holds: a new function is measured without being named here."""

from __future__ import annotations

from typing import Any


def entries(family: str) -> list[dict[str, Any]]:
    try:
        from deltarule._native import core
    except ImportError as error:
        raise SystemExit(f"deltarule cannot be imported: {error}") from None

    found: list[dict[str, Any]] = core.catalog()[family]
    return found


def variants(entry: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A label and parameters for the default, and for every other choice a parameter has."""
    found: list[tuple[str, dict[str, Any]]] = [(entry["name"], {})]
    for parameter in entry["parameters"]:
        found += [
            (f"{entry['name']}[{choice}]", {parameter["name"]: choice})
            for choice in parameter["choices"]
            if choice != parameter["default"]
        ]
    return found
