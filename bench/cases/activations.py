"""Every activation and row operation of the catalogue, forward and backward, up to beyond every cache."""

from __future__ import annotations

from typing import Any

from bench.case import Case

from .catalog import entries, variants

_SIZES = {"64K": 1 << 16, "1M": 1 << 20, "16M": 1 << 24}
_ROWS = (10, 1000)


def cases() -> list[Case]:
    found = []
    for size, count in _SIZES.items():
        for entry in entries("activation"):
            found += _both(entry, size, [count])
        for entry in entries("row_op"):
            for row in _ROWS:
                found += _both(entry, f"{size} rows of {row}", [count // row, row])
    return found


def _both(entry: dict[str, Any], size: str, shape: list[int]) -> list[Case]:
    return [
        Case(
            "activations",
            f"{label} {direction} {size}",
            {"function": entry["name"], "parameters": parameters, "direction": direction, "shape": shape},
            quick=(label, size, direction) == ("tanh", "64K", "forward"),
        )
        for label, parameters in variants(entry)
        for direction in ("forward", "backward")
    ]
