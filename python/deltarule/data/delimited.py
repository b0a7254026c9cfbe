"""Delimited text: CSV and its relatives, with the delimiter, encoding and header found out."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from .columns import TextColumn, is_missing, parse_number
from .errors import DataError
from .table import Table

DELIMITERS = (",", ";", "\t", "|", " ")
_CHUNK = 20_000


class _Coder(dict[str, int]):
    """Numbers the distinct texts of a column as they come, surrounding blanks aside."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: dict[str, int] = {}

    def __missing__(self, raw: str) -> int:
        code = self[raw] = self.levels.setdefault(raw.strip(), len(self.levels))
        return code


def decode(content: bytes, source: str) -> tuple[str, list[str]]:
    """Turn bytes into text: UTF-8, UTF-16 with a mark, or else Windows-1252 with a notice."""
    if not content.strip():
        raise DataError(f"{source}: the file is empty")
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return content.decode("utf-16"), []
        except UnicodeDecodeError:
            raise DataError(
                f"{source}: this is not text (it starts like UTF-16 and then breaks off)"
            ) from None
    if b"\0" in content[:65536]:
        raise DataError(
            f"{source}: this is not text but a binary file; CSV, Parquet (.parquet) or NPZ (.npz) would do"
        )
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        text = content.decode("cp1252", errors="replace")
        if (
            text.count("\ufffd")
            + sum(character < " " and character not in "\r\n\t\f" for character in text[:4096])
            > 20
        ):
            raise DataError(
                f"{source}: this is not text (byte {error.start} is not UTF-8 and the rest is no better)"
            ) from None
        return text, [f"not UTF-8 (byte {error.start}): read as Windows-1252"]


def sniff(text: str) -> str:
    """Return the delimiter that cuts the first lines into the most equally many fields."""
    lines = [line for line in islice(io.StringIO(text), 50) if line.strip()][:30]
    best, best_score = ",", 1.0
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        except csv.Error:
            continue
        common = max(set(widths), key=widths.count, default=1)
        share = widths.count(common) / max(len(widths), 1)
        score = share**4 * (common if delimiter != " " else 0.5 * common)
        if common > 1 and score > best_score:
            best, best_score = delimiter, score
    return best


def parse(
    text: str,
    source: str,
    *,
    delimiter: str | None = None,
    names: Sequence[str] | None = None,
    header: bool | None = None,
) -> Table:
    """Read delimited text into a table.

    Parameters
    ----------
    text
        The whole file.
    source
        What to call it in messages.
    delimiter
        Found out from the first lines if not given.
    names
        Column names for a file that has none.
    header
        Whether the first row holds names; if not given, it does when none of its fields is a number.
    """
    delimiter = delimiter or sniff(text)
    csv.field_size_limit(1 << 24)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    notices: list[str] = []
    try:
        first = next((row for row in reader if any(row)), None)
        line = reader.line_num
        if first is None:
            raise DataError(f"{source}: the file is empty")
        if header is None:
            header = names is None and not any(_is_value(cell) for cell in first)
        pending = [] if header else [first]
        if header:
            names = [name.strip() or f"column_{number}" for number, name in enumerate(first, 1)]
        elif names is None:
            names = [f"column_{number}" for number in range(1, len(first) + 1)]
            notices.append(
                f"the first line holds values, not names: columns are called {names[0]} to {names[-1]}"
            )
        coders, codes, lines = _encode(reader, pending, len(names), source)
    except csv.Error as error:
        raise DataError(f"{source}, line {reader.line_num}: {error}") from None
    if not header:
        lines = [line, *lines]
    comma = delimiter == ";"
    columns = [
        TextColumn(name, np.concatenate(parts) if parts else np.empty(0, np.int32), list(coder.levels), comma)
        for name, coder, parts in zip(names, coders, codes, strict=True)
    ]
    return Table.of(source, columns, notices, np.array(lines, dtype=np.intp))


def _is_value(cell: str) -> bool:
    cell = cell.strip()
    return cell == "?" or (not is_missing(cell) and parse_number(cell) == parse_number(cell))


class _Reader(Protocol):
    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def _encode(
    reader: _Reader, pending: list[list[str]], width: int, source: str
) -> tuple[list[_Coder], list[list[np.ndarray[tuple[int], np.dtype[np.int32]]]], list[int]]:
    """Number the texts of each column; return the line at which each row read here begins, too."""
    coders = [_Coder() for _ in range(width)]
    codes: list[list[np.ndarray[tuple[int], np.dtype[np.int32]]]] = [[] for _ in range(width)]
    lines: list[int] = []
    number, line = 1, reader.line_num
    while True:
        chunk, pending = pending, []
        ended = True
        for row in islice(reader, _CHUNK):
            ended = False
            if row:
                chunk.append(row)
                lines.append(line + 1)
            line = reader.line_num
        if not chunk:
            if ended:
                return coders, codes, lines
            continue
        if any(len(row) != width for row in chunk):
            wrong = next(index for index, row in enumerate(chunk) if len(row) != width)
            raise DataError(
                f"{source}: data row {number + wrong} has {len(chunk[wrong])} fields, {width} are expected"
            )
        number += len(chunk)
        for coder, parts, cells in zip(coders, codes, zip(*chunk, strict=True), strict=True):
            parts.append(np.fromiter(map(coder.__getitem__, cells), dtype=np.int32, count=len(chunk)))
