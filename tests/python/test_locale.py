"""A program whose locale writes numbers with a comma gets the same files and texts."""

from __future__ import annotations

import locale
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import locale, sys
from pathlib import Path
import deltarule as dr

name, folder = sys.argv[1], Path(sys.argv[2])
if name:
    locale.setlocale(locale.LC_ALL, name)
    assert locale.localeconv()["decimal_point"] == ","
leaky = dr.activations.LeakyRelu(alpha=0.25)
net = dr.Sequential([dr.RBF(3), dr.Dense(4, "gelu"), dr.Dense(2, leaky)], seed=1)
net.build(2)
net.compile(dr.Adam(learning_rate=0.125), "mean_squared_error")
net.save(folder / "model.safetensors")
dr.load(folder / "model.safetensors")
net.export_c(folder / "model.h")
try:
    dr.Dropout(1.5)
except ValueError as error:
    (folder / "error.txt").write_text(str(error))
(folder / "repr.txt").write_text(repr(net) + repr(net.compiled))
"""


@pytest.fixture
def comma(tmp_path: Path) -> dict[str, str]:
    localedef = shutil.which("localedef")
    if localedef is None:
        pytest.skip("no localedef to make a locale with a decimal comma")
    command = [localedef, "-i", "de_DE", "-f", "UTF-8", str(tmp_path / "de_DE.UTF-8")]
    made = subprocess.run(command, check=False, capture_output=True, text=True)
    if not (tmp_path / "de_DE.UTF-8").exists():
        pytest.skip(f"no sources of a locale with a decimal comma: {made.stderr}")
    return {**os.environ, "LOCPATH": str(tmp_path), "LC_ALL": "de_DE.UTF-8"}


def test_locale_changes_nothing(comma: dict[str, str], tmp_path: Path) -> None:
    written = []
    for name in ("", "de_DE.UTF-8"):
        folder = tmp_path / f"files {name}"
        folder.mkdir()
        subprocess.run([sys.executable, "-c", PROGRAM, name, str(folder)], env=comma, check=True)
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert len(written[0]) == 4
    assert written[0] == written[1]
    assert locale.localeconv()["decimal_point"] == "."
