"""What the user means by DATA: a file, or the name of a data set."""

import re
from dataclasses import dataclass
from pathlib import Path

from .datasets import DATASETS, DataSet
from .errors import DataError, OptionError, listed, suggestion
from .readers import read_file
from .table import Table


@dataclass
class Source:
    """A table, its target column if it is known, and the data set it is, if it is one."""

    table: Table
    target: str | None
    dataset: DataSet | None = None


def open_source(data: str, target: str | None = None, header: bool | None = None) -> Source:
    """Read DATA: an existing file first, else a data set of that name."""
    path = Path(data)
    if not path.exists() and data in DATASETS:
        dataset = DATASETS[data]
        table = dataset.load()
        return Source(table, _by_position(table, target) or dataset.target, dataset)
    if not path.exists() and re.fullmatch(r"[\w-]+", data):
        raise DataError(
            f"{data!r} is neither a file nor a data set; {suggestion(data, DATASETS)} "
            "(`deltarule datasets` lists them)"
        )
    table, found = read_file(path, target=target, header=header)
    return Source(table, _by_position(table, found))


def _by_position(table: Table, target: str | None) -> str | None:
    """Return the name of the column at a position such as ``5`` or ``-1``, unless one is called so."""
    if target is None or target in table.columns or not re.fullmatch(r"[+-]?[0-9]{1,9}", target):
        return target
    names, position = list(table.columns), int(target)
    if not 1 <= abs(position) <= len(names):
        raise OptionError(
            f"--target: {table.source} has no column {target!r}, neither by name nor by position "
            f"(1 to {len(names)} or, from the end, -1 to -{len(names)})"
        )
    return names[position - 1 if position > 0 else position]


def chosen_target(source: Source) -> str:
    """Return the target's name, or ask for it."""
    if source.target is None:
        names = list(source.table.columns)
        raise OptionError(
            f"--target: say which column of {source.table.source} to predict (it has {listed(names, 12)}; "
            f"often it is the last, {names[-1]!r})"
        )
    return source.target
