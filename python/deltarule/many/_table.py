"""Settings and results as short texts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from html import escape
from typing import Any, TypeVar

import numpy as np

_ROWS_SHOWN = 30
_R = TypeVar("_R")


def plain(value: Any) -> Any:
    """A number or a text that stands for a setting."""
    number = getattr(value, "number", None)
    if isinstance(value, tuple) and isinstance(number, int):
        return number  # a fold
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    return short(value)


def short(value: Any) -> str:
    """A setting on a few characters."""
    if isinstance(value, tuple) and hasattr(value, "number"):
        return str(value.number)
    if isinstance(value, np.ndarray):
        return f"{len(value)} rows" if value.ndim == 1 else f"array{value.shape}"
    if isinstance(value, tuple) and value and all(isinstance(v, np.ndarray) for v in value):
        return " / ".join(str(len(v)) for v in value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if callable(value) and hasattr(value, "__name__"):
        return str(value.__name__)
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else text[:37] + "..."


def key(value: Any) -> Hashable:
    """Something that is equal for equal settings."""
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (tuple, list)):
        return tuple(key(v) for v in value)
    try:
        hash(value)
    except TypeError:
        return repr(value)
    found: Hashable = value
    return found


def ends(results: Sequence[_R]) -> tuple[list[_R], int]:
    """What a table shows of a long list, and how many it leaves out in the middle."""
    hidden = len(results) - _ROWS_SHOWN
    if hidden <= 1:
        return list(results), 0
    half = _ROWS_SHOWN // 2
    return [*results[:half], *results[-half:]], hidden


def text(head: list[str], lines: list[list[str]], hidden: int) -> str:
    """A table with right-aligned columns."""
    if not lines:
        return "FitResults(no configurations)"
    widths = [max(len(line[i]) for line in [head, *lines]) for i in range(len(head))]
    shown = [
        "  ".join(f"{cell:>{w}}" for cell, w in zip(line, widths, strict=True)) for line in [head, *lines]
    ]
    if hidden:
        shown.insert(1 + len(lines) // 2, f"... {hidden} more ...".center(len(shown[0])).rstrip())
    return "\n".join(shown)


def html(head: list[str], lines: list[list[str]], hidden: int) -> str:
    """The same for notebooks."""
    rows = ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in line) + "</tr>" for line in lines]
    if hidden:
        rows.insert(len(rows) // 2, f"<tr><td colspan='{len(head)}'>… {hidden} more …</td></tr>")
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
