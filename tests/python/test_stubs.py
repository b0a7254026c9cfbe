"""The committed type stubs are those that the catalogue gives, and name what there is."""

import ast
from pathlib import Path

import pytest

import deltarule
from deltarule._native import core
from reference.scripts import script

TESTS = Path(__file__).parent.parent
PACKAGE = TESTS.parent / "python" / "deltarule"


@pytest.fixture(scope="module")
def regenerate():
    return script(TESTS / "regenerate.py")


def test_stubs_are_up_to_date(regenerate):
    stale = [
        path.name for path, text in regenerate.generated().items() if path.read_text(encoding="utf-8") != text
    ]
    assert not stale, "run python tests/regenerate.py"


def test_every_generated_module_has_a_stub(regenerate):
    made = {
        p.stem for p in PACKAGE.glob("*.py") if "- made from the catalogue" in p.read_text(encoding="utf-8")
    }
    assert made == set(regenerate.MODULES)
    assert (PACKAGE / "py.typed").exists()


def test_core_stub_names_what_there_is():
    tree = ast.parse((PACKAGE / "_core.pyi").read_text(encoding="utf-8"))
    named = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert named == {name for name in vars(core) if not name.startswith("_")}
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name in ("Network", "Trainer"):
            members = {n.name for n in node.body if isinstance(n, ast.FunctionDef)}
            members |= {n.target.id for n in node.body if isinstance(n, ast.AnnAssign)}
            there = {name for name in vars(getattr(core, node.name)) if not name.startswith("_")}
            assert members - {"__init__"} == there


def test_public_names_exist_and_are_documented():
    for name in deltarule.__all__:
        thing = getattr(deltarule, name)
        if isinstance(thing, type) or callable(thing):
            assert thing.__doc__, name
    assert len(set(deltarule.__all__)) == len(deltarule.__all__)
