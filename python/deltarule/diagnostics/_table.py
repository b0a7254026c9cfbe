"""Tables with a text and an HTML form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any


class Table:
    """Rows of named columns, with a title and closing remarks."""

    def __init__(
        self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], notes: Sequence[str] = ()
    ) -> None:
        self.title = title
        self.columns = tuple(columns)
        self.rows = [dict(zip(columns, row, strict=True)) for row in rows]
        self.notes = list(notes)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def column(self, name: str) -> list[Any]:
        """One column."""
        if name not in self.columns:
            raise KeyError(f"{type(self).__name__}: no column {name!r}; there are {', '.join(self.columns)}")
        return [row[name] for row in self.rows]

    def __repr__(self) -> str:
        cells = [self.columns, *([_cell(row[c]) for c in self.columns] for row in self.rows)]
        widths = [max(len(line[i]) for line in cells) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                f"{c:<{w}}" if i == 0 else f"{c:>{w}}"
                for i, (c, w) in enumerate(zip(line, widths, strict=True))
            )
            for line in cells
        ]
        rule = "-" * len(lines[0])
        return "\n".join([self.title, rule, lines[0], rule, *lines[1:], rule, *self.notes])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(row[c]))}</td>" for c in self.columns) + "</tr>"
            for row in self.rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table>{notes}"
        )


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
