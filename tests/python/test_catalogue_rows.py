"""What the library holds against the list that is kept in reference/catalogue_rows.json, either way."""

import json
import re
from pathlib import Path

import pytest

import deltarule as dr
from deltarule._native import core

ROOT = Path(__file__).parents[2]
KEPT = json.loads((ROOT / "tests" / "reference" / "catalogue_rows.json").read_text(encoding="utf-8"))
CATALOGUE = ROOT.parent / "shared" / "CATALOGUE.md"
CATALOG = core.catalog()
BY_CLASS = ("optimizer", "layer")  # called by their classes; the others by name
# Sections of the catalogue that name their rows, and where those are kept.
SECTIONS = {
    1: ("activation", "row_op", "layer"),
    2: ("loss",),
    3: ("optimizer",),
    4: ("schedule",),
    5: ("initializer",),
    6: ("layer",),
    8: ("historical",),
}


def own(family):
    """Rows that the library has, by the name they are asked for."""
    if family == "historical":
        return set(dr.historical.__all__)
    if family == "diagnostics":
        return set(dr.diagnostics.__all__)
    return {e["class_name" if family in BY_CLASS else "name"] for e in CATALOG[family]}


def test_every_family_is_kept():
    assert set(KEPT["rows"]) == {*CATALOG, "historical", "diagnostics"}


@pytest.mark.parametrize("family", KEPT["rows"])
def test_rows_are_those_of_the_library(family):
    kept = KEPT["rows"][family]
    assert kept == sorted(set(kept)), "the list is sorted and names nothing twice"
    assert set(kept) == own(family), f"update tests/reference/catalogue_rows.json: {family}"


def plain(name):
    """Names of classes and functions alike: PReLU and prelu."""
    return name.lower().replace("_", "")


def named(text):
    """Names in backquotes, without their arguments."""
    found = re.findall(r"`([A-Za-z]\w*)(?:\([^`]*\))?`", text)
    return {name for name in found if name not in ("forward", "backward")}


@pytest.mark.parametrize("number", SECTIONS)
def test_rows_are_those_of_the_catalogue(number):
    if not CATALOGUE.is_file():
        pytest.skip("the catalogue this list was drawn from is not part of the repository")
    text = CATALOGUE.read_text(encoding="utf-8")
    section = re.search(rf"^## {number}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None, f"no section {number}"
    lines = section.group().splitlines()
    table = [line.split("|")[1] for line in lines if line.startswith("|")]
    wanted = named("\n".join(table) if table else section.group())
    assert wanted, "no names found"

    families = SECTIONS[number]
    entries = [e for f in families for e in CATALOG.get(f, [])]
    known = {alias for e in entries for alias in e["aliases"]}
    known |= {row for f in families for row in KEPT["rows"][f]}
    known |= {"ReduceOnPlateau"} & set(dr.callbacks.__all__)  # a schedule that looks at the history
    missing = {name for name in wanted if plain(name) not in map(plain, known)}
    assert not missing, f"rows of section {number} that are not kept"

    if number not in (1, 8):  # layers stand in section 6; the historical ones are not all in backquotes
        listed = set(map(plain, named(section.group())))
        beyond = KEPT["beyond"].get(families[0], [])
        extra = {row for row in KEPT["rows"][families[0]] if plain(row) not in listed} - set(beyond)
        assert not extra, f"rows that section {number} does not have"
