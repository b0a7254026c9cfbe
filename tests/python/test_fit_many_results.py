"""Many networks at once: grids, folds, results, progress."""

import csv

import numpy as np
import pytest

import deltarule as dr
from reference.many_networks import COMMON, ROWS, build, two_classes

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def data(rng):
    return two_classes(rng)


def test_grid_and_folds():
    assert dr.grid(a=[1, 2], b=["xy", None]) == [
        {"a": 1, "b": "xy"},
        {"a": 1, "b": None},
        {"a": 2, "b": "xy"},
        {"a": 2, "b": None},
    ]
    assert dr.grid() == [{}]
    for wrong in (3, "adam", None):
        with pytest.raises(TypeError, match=r"^grid: a is .*allowed: a list of values"):
            dr.grid(a=wrong)
    with pytest.raises(ValueError, match="a has no values"):
        dr.grid(a=[])


@pytest.mark.parametrize("count", [10, 11, 14])
@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_folds_share_out_every_row(count, k, seed):
    folds = dr.k_folds(np.zeros(count), k, seed=seed)
    assert [f.number for f in folds] == list(range(k))
    held = np.concatenate([f.validation_rows for f in folds])
    assert sorted(held) == list(range(count))
    sizes = [len(f.validation_rows) for f in folds]
    assert max(sizes) - min(sizes) <= 1
    for f in folds:
        assert sorted([*f.rows, *f.validation_rows]) == list(range(count))
        assert (np.diff(f.rows) > 0).all()
    if seed is None:
        assert list(held) == list(range(count))
    again = dr.k_folds(count, k, seed=seed)
    assert all((a.rows == b.rows).all() for a, b in zip(folds, again, strict=True))


def test_stratified_folds():
    y = np.repeat([0, 1, 2], [20, 11, 6])
    folds = dr.k_folds(y, 5, stratify=y)
    for f in folds:
        counts = np.bincount(y[f.validation_rows], minlength=3)
        assert ((counts - np.array([20, 11, 6]) // 5) <= 1).all()
        assert ((counts - np.array([20, 11, 6]) // 5) >= 0).all()
    sizes = [len(f.validation_rows) for f in folds]
    assert max(sizes) - min(sizes) <= 1
    assert not np.array_equal(folds[0].rows, dr.k_folds(y, 5, stratify=y, seed=3)[0].rows)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((1,), "rows = 1 is not allowed"),
        ((9, 1), "k = 1 is not allowed"),
        ((4, 5), "k = 5 is not allowed; allowed: at most the 4 rows"),
    ],
)
def test_impossible_folds(arguments, text):
    with pytest.raises(ValueError, match=f"^k_folds: {text}"):
        dr.k_folds(*arguments)
    with pytest.raises(ValueError, match=r"stratify has shape \(3,\); allowed: \(4,\)"):
        dr.k_folds(4, 2, stratify=[0, 1, 1])


@pytest.fixture
def results(data):
    folds = dr.k_folds(ROWS, 3, stratify=data[1])
    configurations = dr.grid(units=[2, 8], learning_rate=[1e-3, 0.1], fold=folds)
    return dr.fit_many(*data, configurations, build=build, **{**COMMON, "epochs": 8})


def test_best_sorted_and_means(results):
    accuracy = [r.score["val_accuracy"] for r in results]
    loss = [r.score["val_loss"] for r in results]
    assert results.best().score["val_accuracy"] == max(accuracy)
    assert results.best("val_loss").score["val_loss"] == min(loss)
    assert [r.figure("val_loss") for r in results.sorted("val_loss")] == sorted(loss)
    assert results.best("loss").figure("loss") == min(r.history["loss"][-1] for r in results)
    assert results.best("seconds").seconds == min(r.seconds for r in results)
    groups = results.means("val_loss")
    assert [len(g.results) for g in groups] == [3, 3, 3, 3]
    assert groups[0].mean == min(g.mean for g in groups)
    assert groups[0].mean == pytest.approx(np.mean([r.score["val_loss"] for r in groups[0].results]))
    assert groups[0].deviation == pytest.approx(
        np.std([r.score["val_loss"] for r in groups[0].results], ddof=1)
    )
    assert {tuple(g.settings) for g in groups} == {("units", "learning_rate")}
    assert [g.settings["learning_rate"] for g in results.means(by=["learning_rate"])] == [0.1, 1e-3]
    assert repr(groups[0]).startswith("Group(units=")
    with pytest.raises(
        ValueError, match=r"'width', which no configuration sets; set are units, learning_rate"
    ):
        results.means(by=["width"])
    with pytest.raises(
        ValueError, match=r"'val_auc' was not measured .*; measured: val_loss, val_accuracy, loss"
    ):
        results.best("val_auc")


def test_tables_and_records(results, tmp_path):
    text = repr(results)
    head, *lines = text.splitlines()
    assert head.split() == ["units", "learning_rate", "fold", "val_loss", "val_accuracy", "epochs", "seconds"]
    assert len(lines) == len(results) == 12
    assert lines[4].split()[:4] == ["4", "2", "0.1", "1"]
    assert results._repr_html_().count("<tr>") == 13
    records = results.records()
    assert records[4] == {
        "number": 4,
        "units": 2,
        "learning_rate": 0.1,
        "fold": 1,
        **results[4].score,
        "epochs": 8,
        "seconds": results[4].seconds,
        "status": "finished",
    }
    results.to_csv(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(r["val_loss"]) for r in rows] == [r.score["val_loss"] for r in results]
    part = results[2:4]
    assert isinstance(part, dr.FitResults)
    assert [r.number for r in part] == [2, 3]
    many = repr(dr.FitResults(list(results) * 4))
    assert "... 18 more ..." in many
    assert len(many.splitlines()) == 32


def test_settings_keep_their_names(data, tmp_path):
    """Where figures are called the same, those give way."""

    def build(seconds, number, status, result_status):
        return dr.Sequential([dr.Dense(2)])

    own = {"seconds": "a", "number": 7, "status": "b", "result_status": "c"}
    configurations = dr.grid(epochs=[2, 3], loss=["mse", "mae"], **{k: [v] for k, v in own.items()})
    stopping = dr.EarlyStopping("loss", min_delta=100.0)
    goal = np.eye(2)[data[1]]
    results = dr.fit_many(data[0], goal, configurations, build=build, callbacks=stopping, verbose=0)
    records = results.records()
    assert [(r["epochs"], r["loss"]) for r in records] == [(2, "mse"), (2, "mae"), (3, "mse"), (3, "mae")]
    for record, result in zip(records, results, strict=True):
        assert {name: record[name] for name in own} == own
        assert record["result_number"] == result.number
        assert record["result_epochs"] == 2 == result.figure("epochs")
        assert record["result_seconds"] == result.seconds
        assert record["result_result_status"] == "finished"
        assert record["result_loss"] == result.history["loss"][-1]
    head = repr(results).splitlines()[0].split()
    assert head == ["epochs", "loss", "result_loss", "result_epochs", "result_seconds"]
    results.to_csv(tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        assert [row["epochs"] for row in csv.DictReader(file)] == ["2", "2", "3", "3"]


def test_score_is_that_of_the_weights_that_stay(data):
    """After early stopping these are not the last ones."""
    configuration = {
        "callbacks": dr.EarlyStopping(patience=3),
        "optimizer": dr.SGD(3.0),
        "epochs": 60,
        "fold": dr.k_folds(ROWS, 3)[0],
    }
    result = dr.fit_many(*data, [configuration], build=build, **{**COMMON, "epochs": 1})[0]
    held = configuration["fold"].validation_rows
    assert len(result.history) < 60
    assert result.score["val_loss"] == min(result.history["val_loss"]) != result.history["val_loss"][-1]
    assert result.score["val_loss"] == result.model.evaluate(data[0][held], data[1][held])["loss"]


def test_without_held_out_rows(data):
    results = dr.fit_many(*data, dr.grid(units=[2, 9]), build=build, **COMMON)
    assert results[0].score == {}
    assert results.best().figure("accuracy") == max(r.history["accuracy"][-1] for r in results)
    assert repr(results).splitlines()[0].split() == ["units", "loss", "accuracy", "epochs", "seconds"]


def test_progress(data, capsys):
    pytest.importorskip("tqdm")
    stopping = dr.EarlyStopping("loss", min_delta=100.0)
    configurations = [{"epochs": 3}, {"epochs": 40, "callbacks": stopping}, {"epochs": 5}]
    dr.fit_many(*data, configurations, build=build, **{**COMMON, "verbose": 1})
    shown = capsys.readouterr().err
    assert "10/10" in shown.splitlines()[-1].split("\r")[-1]  # 3 + 2 + 5: early stopping saved the others
    assert "3/3 networks, best accuracy 0." in shown
    dr.fit_many(*data, configurations, build=build, **{**COMMON, "verbose": 2})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert sorted(line.split()[0] for line in lines) == ["1/3", "2/3", "3/3"]
    assert all("FitResult(" in line for line in lines)
    dr.fit_many(*data, configurations, build=build, **COMMON)
    assert capsys.readouterr() == ("", "")
