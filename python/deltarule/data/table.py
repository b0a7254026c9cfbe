"""A table: equally long named columns, and what was noticed while reading them."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .columns import Column
from .errors import DataError, OptionError, listed, suggestion


@dataclass
class Table:
    """Columns by name, in file order.

    Attributes
    ----------
    source
        What the user named: a path or a data set.
    columns
        The columns by name.
    notices
        Remarks for the user about how the file was read.
    lines
        Where the file is text: the line at which each row begins, counted from 1.
    """

    source: str
    columns: dict[str, Column]
    notices: list[str] = field(default_factory=list)
    lines: npt.NDArray[np.intp] | None = None
    _rows: npt.NDArray[np.intp] | None = None

    @classmethod
    def of(
        cls,
        source: str,
        columns: Iterable[Column],
        notices: Iterable[str] = (),
        lines: npt.NDArray[np.intp] | None = None,
    ) -> "Table":
        """Build from columns, refusing duplicate names, none at all, and no rows."""
        items = list(columns)
        duplicates = [name for name, count in Counter(column.name for column in items).items() if count > 1]
        if duplicates:
            raise DataError(
                f"{source}: several columns are called {listed(duplicates)}; give each its own name"
            )
        if not items or len(items[0]) == 0:
            raise DataError(f"{source}: there are no rows of data in it")
        return cls(source, {column.name: column for column in items}, list(notices), lines)

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))

    def where(self, row: int) -> str:
        """Say where a row stands in the file, whatever rows were taken of it."""
        if self.lines is not None:
            return f"line {self.lines[row]}"
        return f"row {(row if self._rows is None else self._rows[row]) + 1}"

    def column(self, name: str, option: str = "--target") -> Column:
        """Return a column, or say which names come near."""
        try:
            return self.columns[name]
        except KeyError:
            raise OptionError(
                f"{option}: {self.source} has no column {name!r}; {suggestion(name, self.columns)}"
            ) from None

    def without(self, names: Iterable[str]) -> "Table":
        """Return the table without some of its columns."""
        gone = set(names)
        kept = {name: column for name, column in self.columns.items() if name not in gone}
        return Table(self.source, kept, self.notices, self.lines, self._rows)

    def take(self, rows: npt.NDArray[np.intp]) -> "Table":
        """Return the table with these rows only."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        lines = None if self.lines is None else self.lines[rows]
        numbers = rows if self._rows is None else self._rows[rows]
        return Table(self.source, taken, self.notices, lines, numbers)
