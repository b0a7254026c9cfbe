"""What is printed: one console for results, one for errors, and the tables both use."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 120


def console() -> Console:
    """Return the console for standard output; a pipe gets plain text, wide enough for the tables."""
    terminal = sys.stdout.isatty()
    return Console(highlight=False, soft_wrap=False, width=None if terminal else _PIPE_WIDTH)


def complain(message: str, hint: str = "") -> None:
    """Print an error to standard error."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    errors.print(Text.assemble(("deltarule: ", "bold red"), message))
    if hint:
        errors.print(Text(hint, style="dim"))


def say(*parts: str | tuple[str, str]) -> None:
    """Print a line from texts and ``(text, style)`` pairs."""
    console().print(Text.assemble(*parts))


def remark(text: str) -> None:
    """Print a notice about the data."""
    say(("  • ", "yellow"), (text, "dim"))


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    left: int = 1,
    title: str = "",
    chief: str | None = None,
) -> None:
    """Print a table: the first ``left`` columns to the left, the others to the right."""
    made = Table(
        box=SIMPLE_HEAD, title=title or None, title_justify="left", title_style="bold", pad_edge=False
    )
    for index, name in enumerate(head):
        made.add_column(
            name, justify="left" if index < left else "right", header_style="dim", overflow="fold"
        )
    for row in rows:
        made.add_row(*map(Text, row), style="bold" if row[0] == chief else None)
    console().print(made)


def pairs(items: Mapping[str, str], title: str = "") -> None:
    """Print names and values below each other."""
    made = Table(
        box=None,
        show_header=False,
        title=title or None,
        title_justify="left",
        title_style="bold",
        pad_edge=False,
    )
    made.add_column(style="dim")
    made.add_column(overflow="fold")
    for name, text in items.items():
        made.add_row(name, Text(text))
    console().print(made)


def duration(seconds: float) -> str:
    """Write a time with a unit that suits it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def rate(rows: float, seconds: float) -> str:
    """Write rows per second with thousands separators."""
    value = rows / max(seconds, 1e-9)
    return f"{value / 1e6:.1f} M rows/s" if value >= 1e6 else f"{value:,.0f} rows/s"


def size(count: int) -> str:
    """Write a number of bytes."""
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
