"""Files on a command line: what is read or written twice is refused before anything is touched."""

import os

import pytest

import deltarule as dr

pytest.importorskip("typer")

from deltarule.cli import main

DATA = "a,y\n" + "".join(f"{i * i % 17},{i % 2}\n" for i in range(60))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "z.csv").write_text(DATA)
    (tmp_path / "other").mkdir()
    dr.Sequential([dr.Dense(2)]).build(1).save("m.safetensors")
    return tmp_path


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code or 0, " ".join(capsys.readouterr().err.split())


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TRAIN = ["train", "z.csv", "-t", "y", "--epochs", 1]
PREDICT = ["predict", "m.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([*TRAIN, "-o", "z.csv"], "--output: z.csv is the file that DATA names"),
        ([*TRAIN, "--history", "other/../z.csv"], "--history: other/../z.csv is the file that DATA names"),
        ([*TRAIN, "--report", "z.csv"], "--report: z.csv is the file that DATA names"),
        ([*TRAIN, "-o", "q.x", "--report", "q.x"], "--output and --report: both would be written to q.x"),
        ([*TRAIN, "-o", "q.x", "--history", "other/../q.x"], "--output and --history: both would be"),
        ([*TRAIN, "--history", "h", "--report", "h"], "--history and --report: both would be written to h"),
        ([*PREDICT, "z.csv", "-o", "z.csv"], "--output: z.csv is the file that DATA names"),
        ([*PREDICT, "z.csv", "-o", "m.safetensors"], "--output: m.safetensors is the file that MODEL names"),
        ([*PREDICT, "z.csv", "-o", "nowhere/p.csv"], "there is no directory nowhere"),
        (["export", "m.safetensors", "-o", "m.safetensors"], "is the file that MODEL names"),
        (["export", "m.safetensors", "-o", "other"], "--output: other cannot be written, it is a directory"),
        (["compare", "z.csv", "-t", "y", "-o", "z.csv"], "--output: z.csv is the file that DATA names"),
        (["compare", "z.csv", "-t", "y", "-o", "nowhere/c.json"], "there is no directory nowhere"),
    ],
)
def test_a_file_that_is_named_twice(arguments, text, folder, capsys):
    before = contents(folder)
    code, err = run(capsys, *arguments)
    assert text in err
    assert code == 2
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("data", "arguments"),
    [
        ("z.history.csv", ["train", "z.history.csv", "-t", "y"]),
        ("z.predictions.csv", [*PREDICT, "z.predictions.csv"]),
    ],
)
def test_a_name_by_default_that_is_the_data_s(data, arguments, folder, capsys):
    (folder / data).write_text(DATA)
    before = contents(folder)
    code, err = run(capsys, *arguments)
    assert f"{data} is the file that DATA names" in err
    assert code == 2
    assert contents(folder) == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_the_data(link, folder, capsys):
    link(folder / "z.csv", folder / "linked.csv")
    code, err = run(capsys, *TRAIN, "-o", "linked.csv")
    assert "linked.csv is the file that DATA names" in err
    assert code == 2
    assert (folder / "z.csv").read_text() == DATA


def test_outputs_may_be_thrown_away(folder, capsys):
    assert run(capsys, *TRAIN, "--history", os.devnull, "--report", os.devnull) == (0, "")
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "m.safetensors", "z.csv", "z.safetensors",
    ]  # fmt: skip
