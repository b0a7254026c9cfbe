"""The record of a training run."""

import csv
import sys

import numpy as np
import pytest

import deltarule as dr


@pytest.fixture
def trained(blobs, classifier):
    X, y = blobs
    net = classifier()
    return net, net.fit(X, y, epochs=20, validation_split=0.25)


def test_names_and_lengths(trained):
    net, history = trained
    assert net.history is history
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "time"]
    assert all(len(column) == len(history) == 20 for column in history.history.values())
    assert history.epoch == list(range(20))
    assert all(seconds > 0 for seconds in history["time"])
    assert all(isinstance(value, float) for column in history.history.values() for value in column)


def test_unknown_name(trained):
    with pytest.raises(KeyError, match="'auc' was not measured; there are loss, accuracy, val_loss"):
        trained[1]["auc"]


def test_csv_has_every_digit(trained, tmp_path):
    _, history = trained
    path = tmp_path / "history.csv"
    history.to_csv(path)
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == history.epoch
    for name, column in history.history.items():
        assert [float(row[name]) for row in rows] == column


def test_repr(trained):
    _, history = trained
    assert repr(history).startswith(f"History(20 epochs; last: loss {history['loss'][-1]:.4g}, accuracy")
    assert repr(dr.History()) == "History(no epochs)"


def test_html_shortens(trained):
    text = trained[1]._repr_html_()
    assert text.count("<tr>") == 14  # head, six first, the gap, six last
    assert "8 more" in text
    assert "<td>1</td>" in text
    assert "<td>20</td>" in text
    assert "<td>8</td>" not in text


def test_plot(trained):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    _, history = trained
    axes = history.plot()
    assert [axis.get_ylabel() for axis in axes] == ["loss", "accuracy"]
    training, validation = axes[0].lines
    np.testing.assert_array_equal(training.get_ydata(), history["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), history["val_loss"])
    np.testing.assert_array_equal(training.get_xdata(), np.arange(1, 21))
    _, own = plt.subplots()
    assert history.plot(["learning_rate"], ax=own)[0] is own
    with pytest.raises(ValueError, match=r"1 axes for 2 curves: loss, accuracy"):
        history.plot(ax=own)
    plt.close("all")


def test_plot_needs_matplotlib(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'needs matplotlib: pip install "deltarule\[plot\]"'):
        trained[1].plot()


def test_equality(trained):
    _, history = trained
    twin = dr.History()
    for i, epoch in enumerate(history.epoch):
        twin.append(epoch, {name: column[i] for name, column in history.history.items()})
    assert twin == history
    twin["loss"][0] += 1
    assert twin != history
