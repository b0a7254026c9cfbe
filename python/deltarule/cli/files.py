"""The files a command line names: none that is to be written may be another one of them."""

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path

from deltarule.data.errors import OptionError


def check(reads: Mapping[str, str | Path], writes: Mapping[str, Path | None]) -> None:
    """Refuse before any work what could not be written after it, or would destroy another of the files.

    Parameters
    ----------
    reads
        What is read, by its name on the command line. DATA that is no file is a data set's name.
    writes
        What is to be written, by option; None is nothing.
    """
    outputs = {option: path for option, path in writes.items() if path is not None}
    for option, path in outputs.items():
        if path.is_dir():
            raise OptionError(f"{option}: {path} cannot be written, it is a directory")
        if not path.parent.is_dir():
            raise OptionError(f"{option}: {path} cannot be written, there is no directory {path.parent}")
        for name, given in reads.items():
            if Path(given).exists() and _same(path, Path(given)):
                raise OptionError(
                    f"{option}: {path} is the file that {name} names, which would be overwritten; "
                    f"give another name with {option}"
                )
    for (one, path), (other, second) in combinations(outputs.items(), 2):
        if _same(path, second):
            raise OptionError(
                f"{one} and {other}: both would be written to {path}; give each a file of its own"
            )


def _same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        # A terminal, a pipe or /dev/null may take several outputs: nothing is lost there.
        return one.is_file() and one.samefile(other)
    return one.resolve() == other.resolve()
