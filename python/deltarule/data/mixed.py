"""Cells that are not what their column seems to be: texts among numbers, numbers far from all others."""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .columns import Column, Floats, Mask
from .errors import listed
from .table import Table

MOST = 0.5  # a column of texts with a larger share of numbers is worth a word
FAR = 1e6  # in spreads from the median

_SIGNS = re.compile(
    r"[+-]?[$€£¥]? ?[+-]?(\d{1,3}([,.'\u00a0\u202f]\d{3})+([.,]\d+)?|\d+([.,]\d+)?|[.,]\d+) ?[%$€£¥]?"
)


@dataclass(frozen=True)
class Mixture:
    """Why a column counts as text although most of its cells are, or nearly are, numbers.

    Attributes
    ----------
    what
        The share of numbers among the cells.
    cell, place
        A cell that is not a number, and where it stands.
    plain
        Whether the numbers can be read as they are.
    """

    what: str
    cell: str
    place: str
    plain: bool

    def say(self, names: Sequence[str]) -> str:
        """Say it, and what to do, for columns with this mixture."""
        if not self.plain:
            return f"{self.what}, as {_quoted(self.cell)} ({self.place}); write them without"
        taken = "the column" if len(names) == 1 else "the columns"
        cure = f"--numeric {shlex.quote(','.join(names))} takes {taken} as numbers"
        return f"{self.what}, but not {_quoted(self.cell)} ({self.place}); {cure}"


def mixture(table: Table, column: Column) -> Mixture | None:
    """Look at a column that is taken as text; None if it is mostly text."""
    unread = np.flatnonzero(column.unread(infinite=False))
    if not unread.size:
        return None
    first, share = int(unread[0]), column.number_share
    if share > MOST:
        what = f"{_percent(share)} of the cells are numbers"
        return Mixture(what, column.cell(first), table.where(first), plain=True)
    codes, levels = column.texts()
    signs = np.array([*(bool(_SIGNS.fullmatch(level)) for level in levels), False])[codes]
    signs &= column.unread(infinite=False)
    share += float(signs.sum() / (codes >= 0).sum())
    if share <= MOST:
        return None
    first = int(np.flatnonzero(signs)[0])
    what = f"{_percent(share)} of the cells are numbers but for currency, percent or thousands signs"
    return Mixture(what, column.cell(first), table.where(first), plain=False)


def mixture_notices(mixed: Mapping[str, Mixture], ignored: Mapping[str, str]) -> list[str]:
    """Say of columns that count as text what their cells are, those with one fault in one place together."""
    groups: dict[tuple[str, str, bool], list[str]] = {}
    for name, found in mixed.items():
        groups.setdefault((found.what, found.place, name in ignored), []).append(name)
    notices = []
    for (_, _, unused), names in groups.items():
        fate = "not used" if unused else "taken as categories"
        notices.append(f"{fate}: {listed(names)}: {mixed[names[0]].say(names)}")
    return notices


def unread_notice(table: Table, columns: Iterable[tuple[Column, Mask]]) -> list[str]:
    """Say which cells of columns of numbers count as missing, the first of each column by its text."""
    found = []
    for column, unread in columns:
        rows = np.flatnonzero(unread)
        if rows.size:
            cell, place = column.cell(int(rows[0])), table.where(int(rows[0]))
            count = f"{rows.size}, the first" if rows.size > 1 else "1"
            found.append(f"{column.name!r} ({count}: {_quoted(cell)}, {place})")
    if not found:
        return []
    more = f" and {len(found) - 6} more columns" if len(found) > 6 else ""
    return [f"cells that are no finite number count as missing in {', '.join(found[:6])}{more}"]


def far_notice(table: Table, column: Column) -> list[str]:
    """Say which number is so far from the others that these are all but equal once standardised."""
    values = column.numbers()
    present = values[~np.isnan(values)]
    median, spread = float(np.median(present)), _spread(present)
    if spread == 0:  # more than half the values are the same: what the others do counts
        others = present[present != median]
        spread = _spread(others) if others.size else 0.0
    rows = np.flatnonzero(np.abs(values - median) > FAR * spread)
    if spread == 0 or not rows.size:
        return []
    worst = int(rows[np.abs(values[rows] - median).argmax()])
    more = f" and {len(rows) - 1} more such values" if len(rows) > 1 else ""
    what = (
        f"{column.name!r} holds {column.cell(worst)} ({table.where(worst)}){more}, more than a million times "
        f"the others' spread away from their median {median:.4g}: standardised, the others are all but equal"
    )
    return [what]


def _spread(values: Floats) -> float:
    """Return the deviation that a normal distribution with these quartiles has."""
    low, high = np.percentile(values, [25, 75])
    return float(high - low) / 1.349


def _quoted(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "...")


def _percent(share: float) -> str:
    return f"{int(1000 * share) / 10:g} %"  # never rounded up to 100
