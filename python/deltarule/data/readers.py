"""Files of any kind this package reads, by their names' endings."""

import gzip
import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from . import delimited
from .columns import Column, NumberColumn, TextColumn
from .errors import DataError, OptionError, suggestion
from .table import Table

FEATURE_ARRAYS = ("X", "x", "data", "features")
TARGET_ARRAYS = ("y", "Y", "target", "labels", "label")
_PARQUET = (".parquet", ".pq")


def read_file(
    path: Path, *, target: str | None = None, header: bool | None = None
) -> tuple[Table, str | None]:
    """Read a CSV (plain, ``.gz`` or ``.zip``), Parquet or NPZ file.

    Returns the table and the name of the target column where the file itself says it (NPZ), else ``target``.
    """
    source = path.name
    if path.is_dir():
        raise DataError(f"{path}: this is a directory; give one CSV, Parquet or NPZ file")
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    try:
        if path.suffix.lower() in _PARQUET:
            return _parquet(path), target
        if path.suffix.lower() == ".npz":
            return _npz(path, target)
        text, notices = delimited.decode(content(path), source)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    table = delimited.parse(text, source, header=header)
    table.notices[:0] = notices
    return table, target


def content(path: Path) -> bytes:
    """Return a file's bytes, unpacked if its name ends in ``.gz`` or ``.zip``."""
    data = path.read_bytes()
    try:
        if path.suffix.lower() == ".gz":
            return gzip.decompress(data)
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [name for name in archive.namelist() if not name.endswith("/")]
                if len(members) != 1:
                    raise DataError(
                        f"{path.name}: the archive holds {len(members)} files; it should hold one"
                    )
                return archive.read(members[0])
    except DataError:
        raise
    except Exception as error:  # damaged, encrypted or huge: the standard library raises nearly anything
        raise DataError(
            f"{path.name}: the compressed file is damaged or is not one ({_said(error)})"
        ) from None
    return data


def _said(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _npz(path: Path, target: str | None) -> tuple[Table, str | None]:
    source = path.name
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
    except Exception as error:  # NumPy, too
        if isinstance(error, OSError) and error.errno:
            raise
        raise DataError(f"{source}: not a readable NPZ file ({_said(error)})") from None
    arrays = {name: a for name, a in members.items() if isinstance(a, np.ndarray)}  # others come as bytes
    features = next((arrays[name] for name in FEATURE_ARRAYS if name in arrays), None)
    if features is None:
        raise DataError(f"{source}: there is no array X in it (it holds {', '.join(arrays) or 'nothing'})")
    if features.ndim < 2 or not _is_numeric(features):
        raise DataError(
            f"{source}: X must be numbers with rows first, not {features.dtype} of shape {features.shape}"
        )
    if len(features) == 0:
        raise DataError(f"{source}: X has shape {features.shape}; there are no rows in it")
    if target is not None and target not in arrays:
        raise OptionError(f"--target: {source} has no array {target!r}; {suggestion(target, arrays)}")
    target = target or next((name for name in TARGET_ARRAYS if name in arrays), None)
    flat = features.reshape(len(features), -1)
    names = [
        str(name)
        for name in arrays.get("feature_names", [f"x{number}" for number in range(1, flat.shape[1] + 1)])
    ]
    if len(names) != flat.shape[1]:
        raise DataError(f"{source}: feature_names has {len(names)} entries for {flat.shape[1]} columns of X")
    columns: list[Column] = [NumberColumn(name, flat[:, index]) for index, name in enumerate(names)]
    if target is not None:
        columns.append(_array_column(target, arrays[target], len(flat), source))
    return Table.of(source, columns), target


def _array_column(name: str, values: npt.NDArray[np.generic], rows: int, source: str) -> Column:
    if values.size != rows or values.shape[:1] not in ((), (rows,)):
        raise DataError(
            f"{source}: {name} has shape {values.shape} where one value for each of {rows} rows is expected"
        )
    flat = values.reshape(rows)
    if _is_numeric(flat):
        return NumberColumn(name, flat)
    return TextColumn.of(name, [str(value).lower() if flat.dtype == bool else str(value) for value in flat])


def _is_numeric(values: npt.NDArray[np.generic]) -> bool:
    return bool(np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating))


def _parquet(path: Path) -> Table:
    try:
        from .parquet import read_parquet
    except ImportError:
        raise DataError("reading Parquet needs pyarrow: pip install 'deltarule[data]'") from None
    return read_parquet(path)
