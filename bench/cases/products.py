"""Products of dense layers: forward (NN), gradient of the inputs (NT), gradient of the weights (TN)."""

from __future__ import annotations

from itertools import pairwise

from bench.case import Case
from bench.workloads import WORKLOADS

_ROWS = (1, 8, 32, 128, 256)
_ODD = [(7, 33, 17), (50, 300, 65), (100, 28, 300), (1000, 300, 300)]
"""Rows, inner and outer widths that are no multiples of anything."""


def cases() -> list[Case]:
    widths = {pair: w.batch for w in WORKLOADS.values() for pair in pairwise(w.sizes)}
    found = [_case("NN", rows, *pair) for pair in widths for rows in _ROWS]
    found += [_case(form, batch, *pair) for pair, batch in widths.items() for form in ("NT", "TN")]
    return found + [_case(form, *shape) for shape in _ODD for form in ("NN", "NT", "TN")]


def _case(form: str, rows: int, inner: int, outer: int) -> Case:
    return Case(
        "products",
        f"{form} M{rows} K{inner} N{outer}",
        {"form": form, "rows": rows, "inner": inner, "outer": outer, "flops": 2 * rows * inner * outer},
        quick=(form, rows, inner, outer) == ("NN", 32, 64, 128),
    )


def operands(settings: dict[str, int | str]) -> tuple[tuple[int, int], tuple[int, int], bool, bool]:
    """Shapes of both operands as stored, and whether each is transposed."""
    rows, inner, outer = (int(settings[name]) for name in ("rows", "inner", "outer"))
    if settings["form"] == "NN":  # x @ w
        return (rows, inner), (inner, outer), False, False
    if settings["form"] == "NT":  # dy @ w.T
        return (rows, outer), (inner, outer), False, True
    return (rows, inner), (rows, outer), True, False  # x.T @ dy
