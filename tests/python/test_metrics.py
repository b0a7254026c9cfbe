"""Every metric of the catalogue against its oracle, scikit-learn and hand-made cases."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

import deltarule as dr
from deltarule._families import Metric
from deltarule._native import core
from reference.checking import assert_near, cases
from reference.metrics import ORACLES

ENTRIES = core.catalog()["metric"]
CASES = cases(ENTRIES)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def metric(entry, prediction, target, weight=None, **chosen):
    return Metric.from_config({"name": entry["name"]} | chosen)(prediction, target, weight)


def value(name, prediction, target, weight=None, **chosen):
    return metric(next(e for e in ENTRIES if e["name"] == name), prediction, target, weight, **chosen)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("outputs", [1, 2, 7, 40])
@pytest.mark.parametrize("rows", [1, 2, 300])
@TYPES
def test_is_the_oracles(entry, chosen, outputs, rows, dtype, rng):
    prediction = rng.normal(size=(rows, outputs)).astype(dtype)
    targets = [rng.normal(size=(rows, outputs)).astype(dtype)]
    if entry["target"] != "values":
        labels = rng.integers(0, max(outputs, 2), rows)
        targets = (
            [np.eye(outputs, dtype=dtype)[labels], labels] if outputs > 1 else [labels[:, None].astype(dtype)]
        )
    for target in targets:
        for weight in (np.ones(rows), rng.uniform(0, 2, rows).astype(dtype)):
            wanted = ORACLES[entry["name"]](
                prediction.astype(float),
                target.astype(float) if target.ndim == 2 else target,
                weight.astype(float),
                **chosen,
            )
            got = metric(entry, prediction, target, None if (weight == 1).all() else weight, **chosen)
            assert isinstance(got, float)
            assert got == pytest.approx(float(wanted), rel=1e-11, abs=1e-12)


@pytest.mark.parametrize("entry", BY_NAME)
def test_weights_mean_rows(entry, rng):
    prediction = rng.normal(size=(50, 4))
    target = rng.normal(size=(50, 4)) if entry["target"] == "values" else rng.integers(0, 4, 50)
    keep = rng.integers(0, 3, 50)
    wanted = metric(entry, np.repeat(prediction, keep, axis=0), np.repeat(target, keep, axis=0))
    assert metric(entry, prediction, target, keep) == pytest.approx(wanted, rel=1e-12)


def test_same_as_scikit_learn(rng):
    weight = rng.uniform(0, 2, 400)
    truth, guess = rng.normal(size=(2, 400, 3))
    guess = truth + 0.4 * guess
    for name, peer in (("mse", "mean_squared_error"), ("mae", "mean_absolute_error"), ("r2", "r2_score")):
        f = getattr(sklearn_metrics, peer)
        for w in (None, weight):
            assert value(name, guess, truth, w) == pytest.approx(f(truth, guess, sample_weight=w), rel=1e-12)
    labels, scores = rng.integers(0, 9, 400), rng.normal(size=(400, 9))
    for w in (None, weight):
        wanted = sklearn_metrics.accuracy_score(labels, scores.argmax(axis=1), sample_weight=w)
        assert value("accuracy", scores, labels, w) == pytest.approx(wanted, rel=1e-12)
        for k in (1, 2, 5, 9):
            with np.errstate(all="ignore"):
                wanted = (w if w is not None else np.ones(400)) @ [
                    t in np.argsort(-s)[:k] for s, t in zip(scores, labels, strict=True)
                ]
            wanted /= 400 if w is None else w.sum()
            assert value("top_k", scores, labels, w, k=k) == pytest.approx(wanted, rel=1e-12)
    binary = rng.integers(0, 2, 400)
    probability = rng.uniform(size=(400, 1))
    wanted = sklearn_metrics.accuracy_score(binary, probability[:, 0] > 0.5)
    assert value("accuracy", probability, binary[:, None]) == pytest.approx(wanted, rel=1e-12)
    assert value("accuracy", probability[:, 0], binary) == pytest.approx(wanted, rel=1e-12)
    labels, scores = rng.integers(0, 2, size=(400, 5)), rng.uniform(size=(400, 5))
    wanted = 1 - sklearn_metrics.hamming_loss(labels, scores > 0.5, sample_weight=weight)
    assert value("binary_accuracy", scores, labels, weight) == pytest.approx(wanted, rel=1e-12)


def test_small_cases():
    """By hand: ties, one row, a constant target."""
    assert value("accuracy", [[1.0, 1.0]], [0]) == 1
    assert value("accuracy", [[1.0, 1.0]], [1]) == 0, "the first of equal outputs is the class"
    assert value("top_k", [[3.0, 2, 1], [3, 2, 1]], [1, 2], k=2) == 0.5
    assert value("accuracy", [[0.5], [0.51]], [[0.0], [1.0]]) == 1
    assert value("accuracy", [[0.1], [0.51]], [[1.0], [1.0]], threshold=0.0) == 1
    assert value("binary_accuracy", [[0.5, 0.51], [0.2, 0.9]], [[0.0, 1.0], [1.0, 1.0]]) == 0.75
    assert value("binary_accuracy", [[np.nan, 0.9]], [[0.0, 1.0]]) == 0.5
    assert value("r2", [[1.0], [2.0]], [[1.0], [2.0]]) == 1
    assert value("r2", [[1.5], [1.5]], [[1.0], [2.0]]) == 0
    assert value("r2", [[1.0], [2.0]], [[3.0], [3.0]]) == 0, "as the entry says"
    assert value("mae", [[-2.0, 0.0]], [[1.0, 1.0]]) == 2
    assert value("mse", [[-2.0, 0.0]], [[1.0, 1.0]]) == 5


def test_r2_with_a_large_mean(rng):
    """Deviations are summed about the mean: no digits lost to a mean of 1e8."""
    truth = 1e8 + rng.normal(size=(3000, 2))
    guess = truth + 0.1 * rng.normal(size=(3000, 2))
    wanted = ORACLES["r2"](guess - 1e8, truth - 1e8, np.ones(3000))
    assert value("r2", guess, truth) == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("entry", BY_NAME)
def test_nan_is_not_hidden(entry):
    """A prediction of NaN is an error, or no number at all: never a hit."""
    target = np.ones((4, 3)) if entry["target"] == "values" else np.zeros(4, int)
    got = metric(entry, np.full((4, 3), np.nan), target)
    assert np.isnan(got) or got == 0, f"{entry['name']} of NaN is {got}"


@pytest.mark.parametrize("entry", BY_NAME)
def test_wrong_arguments(entry, rng):
    name = entry["name"]
    prediction = np.zeros((4, 3))
    target = prediction if entry["target"] == "values" else np.zeros(4, int)
    with pytest.raises((ValueError, TypeError), match=rf"{name}: target has"):
        metric(entry, prediction, target[:3])
    with pytest.raises(ValueError, match=rf"{name}: sample_weight has shape \(3,\); allowed: \(4,\)"):
        metric(entry, prediction, target, np.ones(3))
    if entry["target"] != "values":
        with pytest.raises(ValueError, match=rf"{name}: target\[1\] = 3 is not a class; allowed: 0 to 2"):
            metric(entry, prediction, [0, 3, 0, 0])
    for parameter in entry["parameters"]:
        for wrong in (np.nan, np.inf):
            with pytest.raises((ValueError, TypeError), match=parameter["name"]):
                metric(entry, prediction, target, **{parameter["name"]: wrong})


def test_the_yardstick_sees_errors():
    with pytest.raises(AssertionError, match=r"relative error 0\.1"):
        assert_near([1.0, 2.2], [1.0, 2.0], 0.01, "x")


def test_acc_is_accuracy(rng):
    """The short name too has the threshold of a logit where the loss takes logits."""
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] + 0.3 > 0).astype(float)
    found = []
    for name in ("acc", "accuracy"):
        net = dr.Sequential([dr.Dense(1)], dtype="float64")
        net.compile(dr.Adam(0.05), loss="sigmoid_cross_entropy", metrics=[name])
        net.fit(X, y, epochs=5, verbose=0)
        found.append(net.evaluate(X, y)["accuracy"])
        assert found[-1] == np.mean((net.predict(X)[:, 0] > 0) == y)
    assert found[0] == found[1] < 1


def test_labels_by_their_logits(rng):
    """Several labels at once: the sign of a logit decides, a probability at one half."""
    X = rng.normal(size=(80, 3))
    y = (X + 0.3 > 0).astype(float)
    for loss, activation, threshold in (
        ("sigmoid_cross_entropy", None, 0.0),
        ("binary_cross_entropy", "sigmoid", 0.5),
    ):
        net = dr.Sequential([dr.Dense(3, activation=activation)], dtype="float64", seed=1)
        net.compile(dr.Adam(0.05), loss=loss, metrics=["binary_accuracy"])
        net.fit(X, y, epochs=5, verbose=0)
        wanted = np.mean((net.predict(X) > threshold) == y)
        assert 0.5 < wanted < 1
        assert net.evaluate(X, y)["binary_accuracy"] == pytest.approx(wanted, rel=1e-12)
