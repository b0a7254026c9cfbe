"""The command line on real data: train, predict, info, compare, datasets."""

import csv
import json

import numpy as np
import pytest

import deltarule as dr

pytest.importorskip("typer")

from deltarule.cli import main, model_file


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return exit_.value.code or 0, out, err

    return run


@pytest.fixture
def ok(run):
    def ok(*arguments):
        code, out, err = run(*arguments)
        assert (code, err) == (0, "")
        return out

    return ok


def mixed(path, rows=300, seed=0, target=True):
    """A table with numbers, categories and holes; the price depends on all of them."""
    rng = np.random.default_rng(seed)
    area, city = rng.uniform(20, 200, rows), rng.choice(["Ulm", "Bonn", "Köln"], rows)
    price = 3 * area + 100 * (city == "Bonn") + 5 * rng.normal(size=rows)
    hole = rng.random(rows) < 0.1
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["area", "city", "note", *["price"] * target])
        for i in range(rows):
            writer.writerow(
                ["" if hole[i] else f"{area[i]:.2f}", city[i], "same", *[f"{price[i]:.2f}"] * target]
            )
    return path


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_digits_with_the_defaults(ok, tmp_path):
    pytest.importorskip("sklearn")
    out = ok("train", "digits")
    assert "10 classes" in out
    description = json.loads(ok("info", "digits.safetensors", "--json"))
    assert description["training"]["figures"]["test"]["accuracy"] >= 0.97
    history = rows_of(tmp_path / "digits.history.csv")
    assert [int(row["epoch"]) for row in history] == list(range(1, len(history) + 1))
    assert len(history) == description["training"]["epochs"]
    assert min(float(row["val_loss"]) for row in history) == float(
        history[description["training"]["best_epoch"] - 1]["val_loss"]
    )
    report = (tmp_path / "digits.report.html").read_text(encoding="utf-8")
    assert f"{100 * description['training']['figures']['test']['accuracy']:.2f} %" in report


def test_same_seed_same_model(ok, tmp_path):
    data = mixed(tmp_path / "homes.csv")
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        ok("train", data, "--target", "price", "--epochs", 3, "--seed", seed, "-o", f"{name}.safetensors")
        weights.append(
            np.concatenate(
                [a.ravel() for a in dr.load(tmp_path / f"{name}.safetensors").parameters().values()]
            )
        )
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_regression_predicts_in_the_target_s_unit(ok, tmp_path):
    data = mixed(tmp_path / "homes.csv", 600)
    out = ok("train", data, "-t", "price", "--hidden", "32", "--learning-rate", "0.01", "--dropout", 0)
    assert "'price' is a number" in out
    assert "not used, constant: 'note'" in out
    assert "missing values in 1 columns: 'area'" in out
    out = ok("predict", "homes.safetensors", mixed(tmp_path / "new.csv", 50, seed=9), "--keep", "area,city")
    assert "given" in out
    rows = rows_of(tmp_path / "new.predictions.csv")
    given = rows_of(tmp_path / "new.csv")
    assert [row["area"] for row in rows] == [row["area"] for row in given]
    known = [i for i, row in enumerate(given) if row["area"]]
    errors = [abs(float(rows[i]["predicted price"]) - float(given[i]["price"])) for i in known]
    assert np.mean(errors) < 40
    assert float(np.std([float(given[i]["price"]) for i in known])) > 120


def strict(text):
    """JSON as others read it, who know no NaN."""

    def refuse(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_figures_that_there_are_not_are_null_in_json(ok, tmp_path):
    """R² of rows that are all alike, in a new file and in one written when NaN went into it."""
    table = tmp_path / "still.csv"
    rows = [f"{i % 7},{1.5 if i % 20 else i / 10}" for i in range(100)]
    table.write_text("\n".join(["a,y", *rows]), encoding="utf-8")
    chosen = [table, "-t", "y", "--test-fraction", 0.03, "--seed", 2]
    out = ok("train", *chosen, "--epochs", 2, "--report", "still.html")
    text = ok("info", "still.safetensors", "--json")
    assert strict(text)["training"]["figures"]["test"]["r2"] is None
    assert " - " in next(line for line in out.splitlines() if line.strip().startswith("test"))
    assert "nan" not in ok("info", "still.safetensors").lower()
    assert "nan" not in (tmp_path / "still.html").read_text(encoding="utf-8").lower()
    net = dr.load("still.safetensors")
    net.metadata["table"]["training"]["figures"]["test"]["r2"] = float("nan")
    net.save("still.safetensors")
    assert ok("info", "still.safetensors", "--json") == text
    ok("compare", *chosen, "--only", "numpy", "--epochs", 1, "--repeats", 1, "--output", "runs.json")
    assert strict((tmp_path / "runs.json").read_text())["runs"]["numpy"][0]["score"] is None


def test_predict_by_name_with_unseen_categories_and_extra_columns(ok, tmp_path):
    ok("train", mixed(tmp_path / "homes.csv"), "-t", "city", "--epochs", 20, "--drop", "note")
    (tmp_path / "new.csv").write_text("extra,price,area\n1,400,100\n2,,50\n", encoding="utf-8")
    out = ok("predict", "homes.safetensors", "new.csv", "--probabilities")
    assert "the model does not know are ignored: 'extra'" in out
    assert "missing values filled in: 'price' (1)" in out
    rows = rows_of(tmp_path / "new.predictions.csv")
    assert list(rows[0]) == ["predicted city", "probability Bonn", "probability Köln", "probability Ulm"]
    for row in rows:
        shares = {name.removeprefix("probability "): float(row[name]) for name in list(row)[1:]}
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
        assert row["predicted city"] == max(shares, key=shares.get)


def test_unseen_categories_are_said(ok, tmp_path):
    ok("train", mixed(tmp_path / "homes.csv"), "-t", "price", "--epochs", 2)
    (tmp_path / "new.csv").write_text("area,city\n100,Rom\n50,Ulm\n", encoding="utf-8")
    assert "1 values of 'city' are categories that training did not keep" in ok(
        "predict", "homes.safetensors", "new.csv"
    )


def test_texts_among_numbers_are_said_by_every_command(ok, tmp_path):
    text = mixed(tmp_path / "homes.csv").read_text(encoding="utf-8").splitlines()
    text[16] = "tall,Ulm,same,100"
    (tmp_path / "homes.csv").write_text("\n".join(text), encoding="utf-8")
    said = "cells that are no finite number count as missing in 'area' (1: 'tall', line 17)"
    assert said in ok("train", "homes.csv", "-t", "-1", "--epochs", 2, "--numeric", "area")
    assert said in ok("predict", "homes.safetensors", "homes.csv")
    arguments = ("--hidden", 8, "--epochs", 1, "--repeats", 1, "--only", "numpy")
    assert said in ok("compare", "homes.csv", "-t", "4", "--numeric", "area,price", *arguments)


def test_predictions_to_the_terminal(ok, tmp_path):
    ok("train", mixed(tmp_path / "homes.csv"), "-t", "price", "--epochs", 2)
    out = ok("predict", "homes.safetensors", mixed(tmp_path / "new.csv", 5, target=False), "-o", "-")
    assert len(out.splitlines()) == 6
    assert out.startswith("predicted price\n")


def test_the_saved_model_is_the_one_that_was_measured(ok, tmp_path):
    from deltarule.data import open_source, prepare

    data = mixed(tmp_path / "homes.csv")
    ok("train", data, "-t", "price", "--epochs", 5, "--seed", 3)
    model = model_file.load(tmp_path / "homes.safetensors")
    prepared = prepare(open_source(str(data)).table, "price", seed=3)
    predicted = model.target.restore(model.network.predict(prepared.test.X))
    error = float(np.abs(predicted - prepared.test.y).mean())
    assert error == pytest.approx(model.summary["figures"]["test"]["mean absolute error"], rel=1e-6)


@pytest.mark.parametrize("suffix", ["npz", "parquet", "csv.gz"])
def test_other_formats(ok, tmp_path, suffix, blobs):
    X, y = blobs
    path = tmp_path / f"cloud.{suffix}"
    if suffix == "npz":
        np.savez(path, X=X, y=y)
        target = ()
    else:
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(X, columns=list("abcdef")).assign(kind=y)
        if suffix == "parquet":
            pytest.importorskip("pyarrow")
            frame.to_parquet(path)
        else:
            frame.to_csv(path, index=False)
        target = ("-t", "kind")
    assert "3 classes" in ok("train", path, *target, "--epochs", 5)
    ok("predict", "cloud.safetensors", path)
    assert len(rows_of(tmp_path / "cloud.predictions.csv")) == len(X)


def test_options_reach_the_network(ok, tmp_path, blobs):
    X, y = blobs
    np.savez(tmp_path / "d.npz", X=X, y=y)
    out = ok(
        "train", "d.npz", "--hidden", "24,12", "--activation", "gelu", "--batch-norm", "--dropout", 0.1,
        "--optimizer", "sgd", "--schedule", "constant", "--learning-rate", 0.05, "--batch-size", 16,
        "--epochs", 2, "--threads", 1,
    )  # fmt: skip
    assert "6 → 24 → 12 → 3" in out
    assert "sgd at 0.05 (constant), batches of 16" in out
    out = ok("info", "d.safetensors")
    for part in ("Dense(24)", "BatchNorm", "gelu", "Dropout", "24"):
        assert part in out
    out = ok("train", "d.npz", "--hidden", "none", "--epochs", 1)
    assert "network 6 → 3" in out


def test_ctrl_c_keeps_the_best_weights(tmp_path):
    from deltarule.cli.recipe import recipe_for, with_overrides
    from deltarule.cli.training import train
    from deltarule.data import open_source, prepare

    def interrupt(epoch, logs):
        if epoch == 6:
            raise KeyboardInterrupt

    prepared = prepare(open_source(str(mixed(tmp_path / "homes.csv"))).table, "price")
    recipe = with_overrides(recipe_for(prepared), learning_rate=0.5, epochs=50)
    trained = train(prepared, recipe, 0, [dr.LambdaCallback(on_epoch_end=interrupt)])
    assert trained.interrupted
    losses = trained.history["val_loss"]
    assert trained.best_epoch == int(np.argmin(losses)) + 1
    kept = trained.network.evaluate(prepared.validation.X, prepared.fitted(prepared.validation))["loss"]
    assert kept == pytest.approx(min(losses), rel=1e-5)


def test_compare(ok, tmp_path, blobs):
    X, y = blobs
    np.savez(tmp_path / "d.npz", X=X, y=y)
    out = ok(
        "compare",
        "d.npz",
        "--hidden",
        "8",
        "--epochs",
        2,
        "--repeats",
        1,
        "--only",
        "deltarule,numpy",
        "-o",
        "c.json",
    )
    assert "deltarule" in out
    runs = json.loads((tmp_path / "c.json").read_text())["runs"]
    assert set(runs) == {"deltarule", "numpy"}
    assert all(len(run) == 1 and run[0]["seconds"] > 0 for run in runs.values())


def test_datasets(ok):
    out = ok("datasets")
    for name in ("digits", "mnist5k", "flights", "diamonds"):
        assert name in out


def test_export(ok, run, tmp_path):
    """The network of a table in C: its comment says how inputs are made and what comes out."""
    ok("train", mixed(tmp_path / "homes.csv"), "-t", "price", "--hidden", "8", "--epochs", 2)
    assert "wrote homes.h" in ok("export", "homes.safetensors", "--prefix", "homes")
    text = (tmp_path / "homes.h").read_text()
    model = model_file.load(tmp_path / "homes.safetensors")
    number = model.features.encoders[0]
    assert f"0: area = (value - {number.mean!r}) / {number.deviation!r}, held within" in text
    assert f"1: area missing = 1 where there is none, and {number.fill!r} is the value; else 0" in text
    for index, name in enumerate(model.features.names[2:], 2):
        assert f"{index}: {name}\n" in text
    assert f"0: price = output * {model.target.deviation!r} + {model.target.mean!r}" in text
    assert "static inline void homes_predict(const float *input, float *output)" in text
    plain = dr.Sequential([dr.Dense(2)]).build(3)
    plain.save("plain.safetensors")
    ok("export", "plain.safetensors", "-o", "net.h")
    assert "static inline int model_self_test(void)" in (tmp_path / "net.h").read_text()
    code, _, err = run("export", "plain.safetensors", "--prefix", "while")
    assert code == 1
    assert "prefix = 'while' is not allowed" in err


def test_version_and_help(ok):
    assert ok("--version").strip() == f"deltarule {dr.__version__}"
    assert "predict" in ok("--help")
