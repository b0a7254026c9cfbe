"""`deltarule compare`: a NumPy contestant that is right, and contestants that do what they are told."""

import numpy as np
import pytest

from deltarule.compare.contest import Contest, Result, environment, race
from deltarule.compare.contestants import CONTESTANTS
from deltarule.compare.numpy_mlp import NumpyMLP
from deltarule.compare.worker import score, work


def loss_of(model, X, y):
    output = model.predict(X).astype(np.float64)
    if model.classes:
        shifted = output - output.max(1, keepdims=True)
        return float(-(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))[np.arange(len(y)), y].mean())
    return float(((output - y) ** 2).mean())


@pytest.mark.parametrize("classes", [True, False])
def test_numpy_gradient_matches_central_differences(classes, rng):
    model = NumpyMLP([5, 7, 4, 3 if classes else 1], classes, 16, 1e-3, seed=0)
    X = rng.normal(size=(10, 5)).astype(np.float32)
    y = rng.integers(0, 3, 10) if classes else rng.normal(size=(10, 1)).astype(np.float32)
    model.y[0][:10] = X
    model._forward(10)
    model._backward(10, y)
    h = 1e-2
    for index in rng.choice(model.parameters.size, 40, replace=False):
        kept = model.parameters[index]
        model.parameters[index] = kept + h
        above = loss_of(model, X, y)
        model.parameters[index] = kept - h
        below = loss_of(model, X, y)
        model.parameters[index] = kept
        assert model.gradients[index] == pytest.approx((above - below) / (2 * h), abs=3e-3)


def test_numpy_adam_matches_the_formula(rng):
    model = NumpyMLP([3, 2], True, 4, 0.01, seed=0)
    w, m, v = model.parameters.astype(np.float64), 0.0, 0.0
    for step in range(1, 6):
        g = rng.normal(size=w.size)
        model.gradients[:] = g
        model._update()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= 0.01 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(model.parameters, w, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["deltarule", "numpy", "scikit-learn"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_contestants_learn(name, task, blobs, rng):
    if name == "scikit-learn":
        pytest.importorskip("sklearn")
    X, labels = blobs
    y = (
        labels.astype(np.int32)
        if task == "classification"
        else (X @ rng.normal(size=(6, 1))).astype(np.float32)
    )
    outputs = 3 if task == "classification" else 1
    contest = Contest(task, (16,), outputs, epochs=30, batch_size=32, learning_rate=0.01, seed=0, threads=1)
    result = work(name, contest, X[:200], y[:200], X[200:], y[200:])
    assert result.score > 0.8
    assert result.seconds > 0
    assert result.seconds_per_row > 0


def test_every_contestant_has_a_requirement():
    from deltarule.compare.contest import REQUIRES

    assert set(CONTESTANTS) == set(REQUIRES)


def test_environment_sets_threads_and_removes_hindrances(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    made = environment(3)
    assert "OPENBLAS_CORETYPE" not in made
    assert made["OMP_NUM_THREADS"] == made["OPENBLAS_NUM_THREADS"] == "3"


def test_score_of_regression_is_r2():
    contest = Contest("regression", (), 1, 1, 1, 1.0, 0, 1)
    assert score(contest, np.array([1.0, 2.0, 3.0]), np.array([[1.0], [2.0], [3.0]])) == 1


def test_race_tries_all_thread_counts_once_and_goes_on_with_the_fastest(monkeypatch, tmp_path):
    seen = []

    def run(name, contest, data):
        seen.append((name, contest.threads, contest.seed))
        seconds = {("a", 1): 2.0, ("a", 4): 1.0, ("b", 1): 3.0, ("b", 4): 9.0}[name, contest.threads]
        return Result("1", seconds, 0.5, 1e-6, contest.threads)

    monkeypatch.setattr("deltarule.compare.contest.run", run)
    contest = Contest("classification", (8,), 2, 1, 32, 0.001, seed=7, threads=1)
    results = race(["a", "b"], contest, tmp_path, 2, (1, 4), lambda _: None)
    assert seen == [("a", 1, 7), ("a", 4, 7), ("b", 1, 7), ("b", 4, 7), ("a", 4, 8), ("b", 1, 8)]
    assert [result.seconds for result in results["a"] + results["b"]] == [1, 1, 3, 3]
