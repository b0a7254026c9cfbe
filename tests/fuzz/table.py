"""Fuzz target: any bytes as a table that is to be trained on. `DataError` is the only refusal.

The first byte says what kind of file it is and how it is read, the rest are its bytes.

    python tests/fuzz/table.py FOLDER -runs=1000000      # needs atheris
"""

import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

SUFFIXES = (".csv", ".csv", ".csv", ".csv.gz", ".zip", ".npz")
HEADERS = (None, None, True, False)


def _scratch():
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="deltarule-fuzz-", dir=memory if memory.is_dir() else None))


def run(content, folder):
    """Read, split and encode; say what was refused, or None."""
    from deltarule.data import DataError, prepare, read_file

    choice = content[0] if content else 0
    path = folder / ("table" + SUFFIXES[choice % len(SUFFIXES)])
    path.write_bytes(content[1:])
    header, choice = HEADERS[choice // len(SUFFIXES) % 4], choice // (4 * len(SUFFIXES))
    try:
        table, target = read_file(path, header=header)
        names = list(table.columns)
        prepared = prepare(table, target or names[choice % len(names)], seed=choice)
    except DataError as error:
        return str(error)
    for part in (prepared.training, prepared.validation, prepared.test):
        assert part.X.dtype == np.float32
        assert len(part.X) == len(part.y)
        assert np.isfinite(part.X).all(), "an input that is not finite"
        assert np.isfinite(prepared.fitted(part)).all(), "a target that is not finite"
    return None


def main():
    import atheris

    with atheris.instrument_imports(include=["deltarule.data", "csv", "zipfile", "gzip"]):
        import deltarule.data  # noqa: F401
    warnings.simplefilter("error")
    folder = _scratch()

    def target(content):
        run(content, folder)

    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
