"""Parquet files, through pyarrow."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .columns import Column, NumberColumn, TextColumn
from .errors import DataError
from .table import Table


def read_parquet(path: Path) -> Table:
    """Read a Parquet file; nested columns are left out with a notice, dates become texts."""
    try:
        stored = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: not a readable Parquet file ({str(error).splitlines()[0]})") from None
    columns: list[Column] = []
    notices: list[str] = []
    for name, values in zip(stored.column_names, stored.columns, strict=True):
        try:
            columns.append(_column(str(name), values.combine_chunks()))
        except (pa.ArrowException, ValueError):
            notices.append(f"column {str(name)!r} holds {values.type}, which a table cannot use: left out")
    return Table.of(path.name, columns, notices)


def _column(name: str, values: pa.Array) -> Column:
    kinds = pa.types
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if kinds.is_integer(values.type) or kinds.is_floating(values.type) or kinds.is_decimal(values.type):
        return NumberColumn(name, values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    coded = values.cast(pa.string()).dictionary_encode()
    codes = coded.indices.fill_null(len(coded.dictionary)).to_numpy(zero_copy_only=False)
    levels = [text.strip() for text in coded.dictionary.to_pylist()]
    return TextColumn(name, codes.astype(np.int32), [*levels, ""])
