"""McCulloch-Pitts units, perceptron, Adaline and the sigmoid neuron against their rules written out."""

import itertools
import re

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import deltarule as dr

unconverged = pytest.mark.filterwarnings("ignore:.*epochs are over:sklearn.exceptions.ConvergenceWarning")
CORNERS = np.array(list(itertools.product([0, 1], repeat=2)))
AND, OR, NAND, XOR = [0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 0], [0, 1, 1, 0]


@unconverged
@parametrize_with_checks(
    [
        dr.historical.Perceptron(max_iter=200),
        dr.historical.Perceptron(max_iter=200, shuffle=True, random_state=0),
        dr.historical.Adaline(max_iter=200),
        dr.historical.Adaline(mode="batch", max_iter=200),
        dr.historical.SigmoidNeuron(max_iter=200),
        dr.historical.SigmoidNeuron(loss="quadratic", mode="batch", max_iter=200),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "name",
    [
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_parameters_default_constructible",
    ],
)
def test_fixed_unit_is_an_estimator(name):
    """The checks that draw real inputs do not apply to a unit of signals 0 and 1."""
    getattr(estimator_checks, name)("McCullochPitts", dr.historical.McCullochPitts())


def perceptron_written_out(X, t, rate, bias, epochs):
    w, b, updates = np.zeros(X.shape[1]), 0.0, []
    for _ in range(epochs):
        mistakes = 0
        for x, goal in zip(X, t, strict=True):
            if (1 if w @ x + b > 0 else -1) != goal:
                w, b = w + rate * goal * x, b + bias * rate * goal
                mistakes += 1
        updates.append(mistakes)
        if not mistakes:
            break
    return w, b, updates


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_perceptron_is_the_rule_written_out(rng, rate, bias):
    X = np.round(rng.normal(size=(40, 11)), 2)  # 11 columns: whole and partial registers
    t = np.where(X @ rng.normal(size=11) > 0, 1, -1)
    w, b, updates = perceptron_written_out(X, t, rate, bias, 1000)
    unit = dr.historical.Perceptron(rate, fit_intercept=bias).fit(X, t)
    np.testing.assert_allclose(unit.coef_[0], w, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(unit.intercept_[0], b, rtol=1e-12, atol=1e-12)
    assert unit.updates_ == [updates]
    assert unit.n_iter_ == len(updates)
    assert unit.n_updates_[0] == sum(updates) > 0
    assert unit.linearly_separable_
    assert unit.score(X, t) == 1


@pytest.mark.parametrize("y", [AND, OR, NAND])
def test_separable_gates_are_learned(y):
    unit = dr.historical.Perceptron().fit(CORNERS, y)
    assert unit.linearly_separable_
    assert unit.updates_[0][-1] == 0
    np.testing.assert_array_equal(unit.predict(CORNERS), y)


def test_xor_is_not_learned():
    with pytest.warns(ConvergenceWarning, match="max_iter = 50 epochs are over: the unit made mistakes"):
        unit = dr.historical.Perceptron(max_iter=50).fit(CORNERS, XOR)
    assert not unit.linearly_separable_
    assert len(unit.updates_[0]) == 50
    assert min(unit.updates_[0]) > 0
    assert unit.score(CORNERS, XOR) < 1


def test_mistakes_stay_below_the_bound(rng):
    for _ in range(30):
        X = rng.normal(size=(60, 3))
        w_star = rng.normal(size=4)
        margin = X @ w_star[1:] + w_star[0]
        X, margin = X[np.abs(margin) > 0.05], margin[np.abs(margin) > 0.05]
        y = np.where(margin > 0, "yes", "no")
        if len(set(y)) < 2:
            continue
        unit = dr.historical.Perceptron(max_iter=100000).fit(X, y)
        extended = np.hstack([np.ones((len(X), 1)), X])
        signs = np.where(y == "yes", 1, -1)
        expected = (
            (extended**2).sum(axis=1).max() * (w_star @ w_star) / (signs * (extended @ w_star)).min() ** 2
        )
        bound = unit.mistake_bound(w_star, X, y)
        assert bound == pytest.approx(expected, rel=1e-12)
        assert unit.n_updates_[0] <= bound
    without = dr.historical.Perceptron(fit_intercept=False)
    assert without.mistake_bound([2.0, 0.0], [[1, 1], [-3, 0]], [1, 0]) == 9 * 4 / 2**2


@pytest.mark.parametrize(
    ("w_star", "y", "text"),
    [
        ([0, 1, 1], XOR, "w_star does not separate the classes: min t w*·x = -2; allowed: > 0"),
        ([1, 1], AND, "w_star has shape (2,); allowed: (3,), the bias first"),
        ([1, 1, 1], [0, 1, 2, 2], "y has shape (4,) and 3 classes; allowed: (N,), two classes"),
        ([1, 1, 1], [0, 1], "y has shape (2,), but X has 4 rows; allowed: as many"),
    ],
)
def test_bound_refuses(w_star, y, text):
    with pytest.raises(ValueError, match=re.escape("Perceptron.mistake_bound: " + text)):
        dr.historical.Perceptron().mistake_bound(w_star, CORNERS, y)


def sigmoid(u):
    return 1 / (1 + np.exp(-u))


RULES = {
    "linear": lambda u, t: (t - u, (t - u) ** 2 / 2),
    "cross_entropy": lambda u, t: (t - sigmoid(u), np.log1p(np.exp(u)) - t * u),
    "quadratic": lambda u, t: (
        (t - sigmoid(u)) * sigmoid(u) * (1 - sigmoid(u)),
        (t - sigmoid(u)) ** 2 / 2,
    ),
}


@unconverged
@pytest.mark.parametrize("mode", ["pattern", "batch"])
@pytest.mark.parametrize("rule", RULES)
def test_delta_rules_are_as_written_out(rng, rule, mode):
    X = rng.normal(size=(30, 9))
    labels = (X[:, 0] + 0.3 * rng.normal(size=30) > 0).astype(int)
    t = 2.0 * labels - 1 if rule == "linear" else labels.astype(float)
    w, b, losses, rate = np.zeros(9), 0.0, [], 0.05
    for _ in range(20):
        loss, dw, db = 0.0, np.zeros(9), 0.0
        for x, goal in zip(X, t, strict=True):
            factor, value = RULES[rule](w @ x + b, goal)
            loss += value
            if mode == "pattern":
                w, b = w + rate * factor * x, b + rate * factor
            else:
                dw, db = dw + rate / 30 * factor * x, db + rate / 30 * factor
        w, b = w + dw, b + db
        losses.append(loss / 30)
    options = {"mode": mode, "max_iter": 20, "tol": 0.0}
    unit = (
        dr.historical.Adaline(rate, **options)
        if rule == "linear"
        else dr.historical.SigmoidNeuron(rate, loss=rule, **options)
    )
    unit.fit(X, labels)
    np.testing.assert_allclose(unit.coef_[0], w, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(unit.intercept_[0], b, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(unit.loss_curve_[0], losses, rtol=1e-11)


def test_adaline_finds_the_least_squares_solution(rng):
    X = rng.normal(size=(200, 4)) * [1, 2, 0.5, 1]
    y = (X @ [1, -1, 2, 0] + rng.normal(size=200) > 0).astype(int)
    unit = dr.historical.Adaline(mode="batch", tol=1e-12, max_iter=100000).fit(X, y)
    exact = np.linalg.lstsq(np.hstack([np.ones((200, 1)), X]), 2.0 * y - 1, rcond=None)[0]
    np.testing.assert_allclose(np.r_[unit.intercept_, unit.coef_[0]], exact, atol=1e-9)


def test_too_large_a_rate_is_named():
    X = np.array([[1.0], [-1.0], [2.0]])
    text = "Adaline.fit: a weight overflowed in epoch [0-9]+: learning_rate = 50 is too large"
    with pytest.raises(dr.NonFiniteError, match=text):
        dr.historical.Adaline(50.0).fit(X, [1, 0, 1])


def test_sigmoid_neuron_is_calm_at_extremes(rng):
    """Saturated outputs give neither NaN nor a warning, and probabilities add up to one."""
    X = np.array([[1e5, 0.0], [-1e5, 0.0], [0.0, 1e5], [1e4, -1e5]])
    unit = dr.historical.SigmoidNeuron(1.0, max_iter=5, tol=1.0).fit(X, [0, 1, 2, 2])
    for given in (X, -X, X * 1e3):
        p = unit.predict_proba(given)
        np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    binary = dr.historical.SigmoidNeuron(1.0, max_iter=5, tol=1.0).fit(X, [0, 1, 1, 1])
    np.testing.assert_allclose(binary.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(binary.predict(X), binary.classes_[binary.predict_proba(X).argmax(axis=1)])


@unconverged
@pytest.mark.parametrize(
    ("unit", "least"),
    [
        (dr.historical.Perceptron(), 0.6),
        (dr.historical.Adaline(mode="batch"), 0.84),
        (dr.historical.SigmoidNeuron(), 0.9),
    ],
)
def test_three_classes_one_against_the_rest(unit, least):
    """The least-squares solution itself gets 0.847 here: a line against the middle class is a poor one."""
    X, y = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    unit = clone(unit).fit(X, names)
    assert unit.coef_.shape == (3, 4)
    assert unit.score(X, names) > least
    own = clone(unit).fit(X, names == "a")
    np.testing.assert_array_equal(unit.coef_[0], own.coef_[0])


@unconverged
def test_shuffling_depends_on_the_seed_alone(rng):
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    first, same, other = (
        dr.historical.Perceptron(max_iter=5, shuffle=True, random_state=s).fit(X, y).coef_ for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        (
            dr.historical.Perceptron(0.0),
            "Perceptron: learning_rate = 0.0 is not allowed; allowed: a number > 0",
        ),
        (dr.historical.Perceptron(max_iter=0), "Perceptron: max_iter = 0 is not allowed"),
        (
            dr.historical.Adaline("fast"),
            "Adaline: learning_rate = 'fast' is not allowed; allowed: a number > 0 or 'auto'",
        ),
        (
            dr.historical.Adaline(mode="epoch"),
            "Adaline: mode = 'epoch' is not allowed; allowed: 'pattern' or 'batch'",
        ),
        (
            dr.historical.SigmoidNeuron(loss="mse"),
            "SigmoidNeuron: loss = 'mse' is not allowed; allowed: 'cross_entropy'",
        ),
        (dr.historical.SigmoidNeuron(tol=-1), "SigmoidNeuron: tol = -1.0 is not allowed"),
    ],
)
def test_bad_parameters(unit, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        unit.fit(CORNERS, AND)
    with pytest.raises(NotFittedError):
        unit.predict(CORNERS)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="Perceptron: y holds one class, 1; allowed: at least two"):
        dr.historical.Perceptron().fit(CORNERS, [1, 1, 1, 1])


@pytest.mark.parametrize(("name", "y"), [("and", AND), ("or", OR), ("nand", NAND), ("nor", [1, 0, 0, 0])])
def test_gates(name, y):
    np.testing.assert_array_equal(dr.historical.McCullochPitts.gate(name).predict(CORNERS), y)
    if name != "nor":
        np.testing.assert_array_equal(dr.historical.NandCircuit.of(name).predict(CORNERS), y)


def test_negation():
    for unit in (dr.historical.McCullochPitts.gate("not"), dr.historical.NandCircuit.of("not")):
        np.testing.assert_array_equal(unit.predict([[0], [1]]), [1, 0])


def test_inhibition():
    """Two exciting inputs outweigh an inhibiting one, unless inhibition is absolute."""
    X = [[1, 1, 0], [1, 1, 1], [0, 0, 1]]
    weighted = dr.historical.McCullochPitts([1, 1, -1])
    np.testing.assert_array_equal(weighted.fit(X).predict(X), [1, 1, 0])
    absolute = dr.historical.McCullochPitts([1, 1, -1], inhibition="absolute")
    np.testing.assert_array_equal(absolute.predict(X), [1, 0, 0])


def test_adders_add():
    np.testing.assert_array_equal(dr.historical.NandCircuit.of("xor").predict(CORNERS), XOR)
    half = dr.historical.NandCircuit.of("half_adder").predict(CORNERS)
    np.testing.assert_array_equal(half @ [1, 2], CORNERS.sum(axis=1))
    three = np.array(list(itertools.product([0, 1], repeat=3)))
    np.testing.assert_array_equal(
        dr.historical.NandCircuit.of("full_adder").predict(three) @ [1, 2], three.sum(axis=1)
    )


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: dr.historical.McCullochPitts.gate("xor"),
            "McCullochPitts.gate: name = 'xor' is not allowed; allowed: 'and'",
        ),
        (
            lambda: dr.historical.McCullochPitts().predict([[0.5]]),
            "X[0, 0] = 0.5 is no signal; allowed: 0 and 1",
        ),
        (
            lambda: dr.historical.McCullochPitts([1]).predict(CORNERS),
            "X has shape (4, 2), but there are weights of shape (1,)",
        ),
        (
            lambda: dr.historical.McCullochPitts(inhibition="x").predict(CORNERS),
            "inhibition = 'x' is not allowed",
        ),
        (
            lambda: dr.historical.NandCircuit(2, [(0, 2)], [2]),
            "gates[0] = 2 is not allowed; allowed: signals 0 to 1",
        ),
        (
            lambda: dr.historical.NandCircuit(2, [(0, 1)], [3]),
            "outputs[0] = 3 is not allowed; allowed: signals 0 to 2",
        ),
        (
            lambda: dr.historical.NandCircuit.of("xor").predict([[0, 1, 1]]),
            "X has shape (1, 3); allowed: (N, 2)",
        ),
        (
            lambda: dr.historical.NandCircuit.of("xnor"),
            "NandCircuit.of: name = 'xnor' is not allowed; allowed: 'not'",
        ),
    ],
)
def test_circuits_refuse(call, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        call()
