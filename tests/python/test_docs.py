"""The reference pages are those that the catalogue gives."""

import re
from pathlib import Path

import pytest

from reference.scripts import script

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def generate():
    return script(DOCS / "generate.py")


def test_reference_pages_are_up_to_date(generate):
    pages = generate.pages()
    stale = [p.name for p, text in pages.items() if not p.exists() or p.read_text(encoding="utf-8") != text]
    assert not stale, "run python docs/generate.py"
    assert {p.name for p in (DOCS / "reference").glob("*.md")} == {p.name for p in pages}


def run_page(path):
    """Run the Python of a page; gives its names."""
    names = {}
    for block in re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL):
        exec(block, names)
    return names


def test_the_page_of_own_functions_runs():
    assert run_page(DOCS / "custom.md")["net"].step > 0


def test_the_page_of_training_runs():
    assert run_page(DOCS / "training.md")["net"].epoch == 2


def test_the_page_of_many_networks_runs():
    pytest.importorskip("sklearn")
    names = run_page(DOCS / "many.md")
    assert names["best"].score["val_accuracy"] > 0.95
    assert len(names["results"].means()) == 4
    assert len(names["found"].finished) == 6


@pytest.mark.filterwarnings("ignore:.*training has not converged")
def test_the_page_about_scikit_learn_runs():
    pytest.importorskip("sklearn")
    names = run_page(DOCS / "scikit-learn.md")
    assert names["search"].score(names["X"][1400:], names["y"][1400:]) > 0.85


def test_the_readme_runs(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names = run_page(DOCS.parent / "README.md")
    assert names["net"].evaluate(names["X"][1400:], names["y"][1400:])["accuracy"] > 0.85
    assert len(names["results"].finished) == 18
    assert (tmp_path / "digits.safetensors").exists()


def test_every_link_to_a_file_leads_somewhere():
    for page in [*DOCS.rglob("*.md"), *DOCS.parent.glob("*.md")]:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
