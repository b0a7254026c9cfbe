"""What fuzzing found, read again: tables here, model files in the C++ tests (fuzz.model)."""

import warnings
from pathlib import Path

import pytest

from reference.scripts import script

FUZZ = Path(__file__).parent.parent / "fuzz"
INPUTS = sorted((FUZZ / "corpus" / "table").iterdir())


@pytest.fixture(scope="module")
def table():
    return script(FUZZ / "table.py")


def test_tables(table, tmp_path):
    refusals = []
    for path in INPUTS:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                refusals.append(table.run(path.read_bytes(), tmp_path))
            except Exception as error:
                raise AssertionError(path.name) from error
    assert refusals.count(None) > 10, "tables that can be trained on"
    assert len(set(refusals)) > 10


@pytest.mark.parametrize("name", ["table.zip", "table.csv.gz", "table.npz"])
def test_damaged_archives(table, tmp_path, rng, name):
    """Three hundred bytes changed, one at a time."""
    kind = table.SUFFIXES.index(name.removeprefix("table")) + 3 * len(table.SUFFIXES)
    good = next(p.read_bytes() for p in INPUTS if p.name == name.rpartition(".")[2])
    refused = 0
    for _ in range(300):
        raw = bytearray(good)
        raw[0] = kind if name != "table.npz" else raw[0]
        raw[rng.integers(1, len(raw))] = rng.integers(256)
        refused += table.run(bytes(raw), tmp_path) is not None
    assert refused > 100
