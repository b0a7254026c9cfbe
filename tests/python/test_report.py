"""The report: figures against scikit-learn, and HTML that is whole, self-contained and tells the truth."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from deltarule.report import Story, classification_figures, confusion, page, regression_figures, show, softmax
from deltarule.report.axes import Axis, ticks
from deltarule.report.charts import Curve, curves, histogram, scatter
from deltarule.report.figures import area_under_roc
from deltarule.report.matrix import matrix

VOID = {"meta", "br"}


class Checker(HTMLParser):
    """Fails on tags that do not match, and collects what would be fetched."""

    def __init__(self):
        super().__init__()
        self.open, self.fetched, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.fetched += [value for name, value in attributes if name in ("src", "href")]
        assert tag != "script"

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(html):
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert checker.fetched == []
    assert "url(" not in html
    assert not re.search(r"\bnan\b|\binf\b", " ".join(checker.text))
    for drawing in re.findall(r"<svg.*?</svg>", html, re.DOTALL):
        ET.fromstring(drawing)
    return " ".join(checker.text)


def story(task="classification", classes=("0", "1", "2"), epochs=5, **changes):
    rng = np.random.default_rng(0)
    loss = list(np.geomspace(2, 0.02, epochs))
    if task == "classification":
        truth = rng.integers(0, len(classes), 90)
        predicted = np.where(rng.random(90) < 0.9, truth, rng.integers(0, len(classes), 90))
        figures = classification_figures(truth, np.eye(len(classes))[predicted] * 0.8 + 0.2 / len(classes))
        metric = "accuracy"
    else:
        truth = rng.normal(size=90) * 1000
        predicted = truth + rng.normal(size=90)
        figures, metric, classes = regression_figures(truth, predicted), "r2", ()
    history = {"loss": loss, metric: loss[::-1], "val_loss": loss, f"val_{metric}": loss[::-1]}
    history["learning_rate"] = [0.001 / (1 + i) for i in range(epochs)]
    parts = {name: {"rows": 90.0, **figures} for name in ("training", "validation", "test")}
    settings = {
        "source": "s", "target": "t", "task": task, "figures": parts, "baseline": "b", "history": history,
        "best_epoch": epochs, "truth": truth, "predicted": predicted, "classes": list(classes),
        "settings": {"batch size": "32"}, "layers": [("dense_1", "Dense(3)", "3", "12")],
        "columns": [("a", "number", "0 ± 1")], "data": {"Rows": "90"}, "notices": ["noted"],
        "times": {"Training": "1 s"}, "versions": {"NumPy": "2"},
    }  # fmt: skip
    return Story(**(settings | changes))


def test_classification_figures_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    for classes in (2, 5):
        labels = rng.integers(0, classes, 300)
        probabilities = softmax(rng.normal(size=(300, classes)) + 1.5 * np.eye(classes)[labels])
        figures = classification_figures(labels, probabilities)
        predicted = probabilities.argmax(1)
        assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(labels, predicted))
        assert figures["balanced accuracy"] == pytest.approx(
            metrics.balanced_accuracy_score(labels, predicted)
        )
        assert figures["log loss"] == pytest.approx(metrics.log_loss(labels, probabilities))
        if classes == 2:
            assert figures["area under ROC"] == pytest.approx(
                metrics.roc_auc_score(labels, probabilities[:, 1])
            )
        else:
            top = metrics.top_k_accuracy_score(labels, probabilities, k=2)
            assert figures["top-2 accuracy"] == pytest.approx(top)
        np.testing.assert_array_equal(
            confusion(labels, predicted, classes), metrics.confusion_matrix(labels, predicted)
        )


def test_regression_figures_agree_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    truth = rng.normal(size=200)
    predicted = truth + 0.3 * rng.normal(size=200)
    figures = regression_figures(truth, predicted)
    assert figures["r2"] == pytest.approx(metrics.r2_score(truth, predicted))
    assert figures["mean absolute error"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert figures["root mean square error"] == pytest.approx(
        metrics.mean_squared_error(truth, predicted) ** 0.5
    )


def test_ties_count_half_in_the_area_under_roc():
    assert area_under_roc(np.array([True, False, True, False]), np.array([1.0, 1.0, 1.0, 1.0])) == 0.5


def test_softmax_of_huge_logits():
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4 - 1]], np.float32)).sum(), 1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.97, "0.9700"),
        (0, "0.0000"),
        (12.345, "12.35"),
        (1234.56, "1,234.6"),
        (12e-5, "1.20e-04"),
        (np.nan, "-"),
    ],
)
def test_show(value, text):
    assert show(value) == text


def test_ticks_are_round_and_inside():
    assert ticks(0.03, 0.97) == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert ticks(5, 5) == [5]
    for low, high in [(-3, 1e6), (0.9991, 0.9999), (1, 2)]:
        values = ticks(low, high)
        assert 3 <= len(values) <= 8
        assert low - 1e-9 <= min(values)
        assert max(values) <= high + 1e-9


def test_logarithmic_axis():
    axis = Axis(0.01, 10, 0, 300, logarithmic=True)
    assert axis(0.1) == pytest.approx(100)
    assert [text for _, text in axis.marks()] == ["0.01", "0.1", "1", "10"]
    assert [text for _, text in Axis(0.1, 1, 0, 1, logarithmic=True).marks()] == ["0.1", "0.2", "0.5", "1"]


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("epochs", [1, 5])
def test_page(task, epochs):
    text = check(page(story(task, epochs=epochs)))
    for part in ("training", "validation", "test", "noted", "dense_1", "Dense(3)"):
        assert part in text


def test_page_shows_the_test_accuracy_and_every_count():
    told = story()
    html = page(told)
    counts = confusion(told.truth, told.predicted, 3)
    assert f"{100 * told.figures['test']['accuracy']:.2f} %" in html
    for row in range(3):
        for column in range(3):
            assert f"{row} predicted as {column}: {counts[row, column]} (" in html


def test_names_are_escaped():
    html = page(story(classes=("<b>", "a&b", "c"), source="<script>", notices=["<i>"]))
    check(html)
    assert "<script>" not in html
    assert "<b>:" not in html


def test_many_classes():
    check(page(story(classes=[f"class {i}" for i in range(45)])))
    assert "Confusion matrix" not in page(story(classes=[str(i) for i in range(80)]))


def test_a_class_without_test_rows():
    assert check(page(story(truth=np.array([0, 1]), predicted=np.array([0, 0]))))


def test_charts_survive_odd_values():
    flat = Curve("training", np.array([1.0, 1.0]), "training")
    holes = Curve("validation", np.array([np.nan, 2.0]), "validation")
    for drawing in (
        curves("loss", [flat]),
        curves("loss", [flat, holes], best_epoch=2),
        scatter(np.zeros(3), np.array([0.0, 1.0, -1.0]), "y"),
        scatter(np.zeros(3), np.zeros(3), "y"),
        histogram(np.zeros(5), "error"),
        matrix(np.zeros((2, 2), int), ["a", "b" * 50]),
    ):
        ET.fromstring(drawing)
        assert "nan" not in drawing
