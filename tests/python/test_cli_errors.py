"""What goes wrong at the command line: one message, the right exit code, never a traceback."""

import builtins

import numpy as np
import pytest

pytest.importorskip("typer")

from deltarule.cli import main

GOOD = "a,b,y\n" + "".join(f"{i},{i * i % 7},{'pq'[i % 2]}\n" for i in range(60))

CASES = [
    # (content of d.csv, arguments, exit code, text)
    (GOOD, ["train", "d.csv"], 2, "--target: say which column of d.csv to predict"),
    (GOOD, ["train", "d.csv", "-t", "yy"], 2, "--target: d.csv has no column 'yy'; did you mean 'y'?"),
    (GOOD, ["train", "d.csv", "-t", "y", "--drop", "c"], 2, "--drop: d.csv has no column 'c'"),
    (GOOD, ["train", "d.csv", "-t", "y", "--hidden", "12;3"], 2, "--hidden: '12;3' is not a list of sizes"),
    (GOOD, ["train", "d.csv", "-t", "y", "--hidden", "0,-3"], 2, "--hidden"),
    (
        GOOD,
        ["train", "d.csv", "-t", "y", "--dropout", "1.5"],
        2,
        "--dropout: must be at least 0 and less than 1",
    ),
    (GOOD, ["train", "d.csv", "-t", "y", "--learning-rate", "0"], 2, "--learning-rate: must be more than 0"),
    (GOOD, ["train", "d.csv", "-t", "y", "--test-fraction", "0.99"], 2, "leave too little to train on"),
    (GOOD, ["train", "d.csv", "-t", "y", "--test-fraction", "2"], 2, "must be between 0 and 1, not 2"),
    (
        GOOD,
        ["train", "d.csv", "-t", "y", "--validation-fraction", "0"],
        2,
        "not 0; these rows decide when training stops: give a small share, as 0.05",
    ),
    (
        GOOD,
        ["train", "d.csv", "-t", "4"],
        2,
        "--target: d.csv has no column '4', neither by name nor by position (1 to 3",
    ),
    (GOOD, ["train", "d.csv", "-t", "y", "--task", "regression"], 2, "holds texts, not numbers"),
    (GOOD, ["train", "d.csv", "-t", "y", "--activation", "rellu"], 1, "relu"),
    (GOOD, ["train", "d.csv", "-t", "y", "--optimizer", "adm"], 1, "adam"),
    (GOOD, ["train", "d.csv", "-t", "y", "-o", "no/where.safetensors"], 2, "there is no directory no"),
    (GOOD, ["train", "d.csv", "-t", "y", "-o", "."], 2, "it is a directory"),
    (GOOD, ["train", "."], 1, "this is a directory"),
    (GOOD, ["train", "nothing.csv"], 1, "there is no such file"),
    (GOOD, ["train", "digit"], 1, "did you mean 'digits'"),
    (GOOD, ["predict", "d.csv", "d.csv"], 1, "d.csv"),
    (GOOD, ["predict", "nothing.safetensors", "d.csv"], 1, "there is no such file"),
    (GOOD, ["info", "."], 1, "this is a directory, not a model file"),
    (GOOD, ["compare", "d.csv", "-t", "y", "--only", "nump"], 2, "did you mean 'numpy'?"),
    ("", ["train", "d.csv", "-t", "y"], 1, "the file is empty"),
    ("a,y\n", ["train", "d.csv", "-t", "y"], 1, "there are no rows"),
    ("a,y\n1,p\n2,q\n3\n", ["train", "d.csv", "-t", "y"], 1, "data row 3 has 1 fields, 2 are expected"),
    ("a,y\n1,p\n2,q\n", ["train", "d.csv", "-t", "y"], 1, "2 usable rows are too few"),
    ("a,a,y\n1,2,p\n", ["train", "d.csv", "-t", "y"], 1, "several columns are called 'a'"),
    ("a,y\n" + "1,p\n2,p\n" * 30, ["train", "d.csv", "-t", "y"], 1, "only one class, 'p'"),
    ("a,y\n" + "1,\n2,NA\n" * 30, ["train", "d.csv", "-t", "y"], 1, "has no value in any row"),
    (
        "a,y\n" + "1,p\n1,q\n" * 30,
        ["train", "d.csv", "-t", "y"],
        1,
        "no column is left to learn from (a: constant)",
    ),
    ("y\n" + "p\nq\n" * 30, ["train", "d.csv", "-t", "y"], 1, "no column is left to learn from"),
    (
        "a,y\n" + "".join(f"{i % 5},n{i}\n" for i in range(60)),
        ["train", "d.csv", "-t", "y"],
        1,
        "a name or identifier?",
    ),
]


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return exit_.value.code or 0, out, " ".join(err.split())


@pytest.mark.parametrize(("content", "arguments", "code", "text"), CASES, ids=lambda value: None)
def test_messages(content, arguments, code, text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.csv").write_text(content, encoding="utf-8")
    found, out, err = run(capsys, *arguments)
    assert text in err
    assert found == code
    assert "Traceback" not in out + err
    assert err.startswith("deltarule: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv"]


@pytest.mark.parametrize(
    "arguments", [["trian"], ["train"], ["train", "digits", "--epochs", "x"], ["train", "digits", "--no"]]
)
def test_wrong_use(arguments, capsys):
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("content", "message"), [(b"\x00\x01\x02" * 99, "binary file"), (bytes(range(128, 256)) * 99, "not text")]
)
def test_binary_data(content, message, tmp_path, capsys):
    (tmp_path / "d.csv").write_bytes(content)
    code, _, err = run(capsys, "train", tmp_path / "d.csv", "-t", "y")
    assert code == 1
    assert message in err


def test_debug_shows_the_traceback(capsys):
    code, _, err = run(capsys, "train", "nothing.csv", "--debug")
    assert code == 1
    assert "Traceback" in err


def test_a_fault_of_ours_is_still_one_message(capsys, monkeypatch):
    monkeypatch.setattr("deltarule.cli.train.open_source", lambda *_: {}["gone"])
    code, _, err = run(capsys, "train", "digits")
    assert code == 1
    assert "unexpected KeyError: 'gone'" in err
    assert "Traceback" not in err


def test_a_network_without_preprocessing(tmp_path, capsys):
    import deltarule as dr

    dr.Sequential([dr.Dense(2)]).build(3).save(tmp_path / "plain.safetensors")
    (tmp_path / "d.csv").write_text(GOOD, encoding="utf-8")
    code, _, err = run(capsys, "predict", tmp_path / "plain.safetensors", tmp_path / "d.csv")
    assert code == 1
    assert "a network without preprocessing" in err
    code, out, _ = run(capsys, "info", tmp_path / "plain.safetensors")
    assert code == 0
    assert "Dense(2)" in out
    assert "no preprocessing" in out


def test_missing_columns_at_predict(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.savez("d.npz", X=np.random.default_rng(0).normal(size=(40, 3)), y=np.arange(40) % 2)
    assert run(capsys, "train", "d.npz", "--epochs", 1)[0] == 0
    (tmp_path / "new.csv").write_text("x1,x3\n1,2\n")
    code, _, err = run(capsys, "predict", "d.safetensors", "new.csv")
    assert code == 1
    assert "the model needs the column 'x2', which is not there (it has 'x1', 'x3')" in err


def test_missing_extra_names_the_pip_command(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *arguments, **keywords):
        if name == "typer":
            raise ModuleNotFoundError("No module named 'typer'", name="typer")
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    code, _, err = run(capsys, "--help")
    assert code == 1
    assert err == "deltarule: the command line needs typer: pip install 'deltarule[cli]'"
