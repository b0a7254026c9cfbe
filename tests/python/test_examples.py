"""The examples that claim something: their direction in a small setting, and a figure that is written."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import deltarule as dr

FOLDER = Path(__file__).parents[2] / "examples" / "lectures"


@pytest.fixture
def example(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def test_sigmoid_gradients_vanish_with_depth_and_relu_gradients_do_not(example):
    ratio = example("vanishing_gradients").reaching_first
    assert ratio("sigmoid, Glorot", 8, seeds=2) < 1e-3
    assert ratio("sigmoid, Glorot", 8, seeds=2) < ratio("sigmoid, Glorot", 4, seeds=2) / 10
    assert 0.2 < ratio("ReLU, He", 8, seeds=2) < 5
    assert 0.2 < ratio("tanh, Glorot", 8, seeds=2) < 5


def test_saturated_neuron_learns_slowly_under_the_quadratic_cost_only(example):
    one_neuron = example("slow_learning").one_neuron
    assert one_neuron("quadratic", 2.0, 100)[-1] > 0.9
    assert one_neuron("cross-entropy", 2.0, 100)[-1] < 0.1


def test_he_keeps_the_size_through_relu_layers(example):
    module = example("initial_variance")
    he = module.mean_squares("relu", module.SPREADS["He, √(2/M)"], layers=10)
    lecun = module.mean_squares("relu", module.SPREADS["LeCun, Glorot, √(1/M)"], layers=10)
    assert 0.5 < he[-1] < 2
    assert lecun[-1] == pytest.approx(he[-1] / 2**10, rel=1e-9)  # the same draws, 1/√2 as large
    assert module.declared_spread("he_normal") == pytest.approx(module.SPREADS["He, √(2/M)"], rel=0.02)


def test_normalisation_trains_where_the_plain_network_does_not(example):
    train = example("normalization").train
    plain = train("none", 0.3, 0.1, epochs=5)
    assert train("batch norm", 0.3, 0.1, epochs=5) < plain / 1.5
    assert train("layer norm", 0.3, 0.1, epochs=10) < plain


def test_momentum_is_faster_on_the_ravine_and_adagrad_minds_its_direction(example):
    module = example("ravine")

    def cost(rule, rate, turn):
        return module.costs(module.walk(rule, rate, turn, 100))[-1]

    assert cost("Momentum", 0.005, 0) < cost("SGD", 0.01, 0) / 100
    assert cost("Momentum", 0.005, 30) == pytest.approx(cost("Momentum", 0.005, 0), rel=1e-6)
    assert cost("AdaGrad", 1, 0) < cost("AdaGrad", 1, 30) / 10


@pytest.mark.parametrize("condition", [5, 20])
def test_rate_of_convergence_is_one_minus_the_inverse_condition_number(example, condition):
    rate = example("convergence_rate").measured_rate
    assert rate(condition, 1) == pytest.approx(1 - 1 / condition, rel=1e-4)
    best = 2 * condition / (condition + 1)
    assert rate(condition, best) == pytest.approx((condition - 1) / (condition + 1), rel=1e-4)


def test_descent_diverges_beyond_two_over_the_largest_eigenvalue(example):
    errors = example("convergence_rate").errors
    eigenvalues = np.geomspace(1, 10, 8)
    assert errors(eigenvalues, 0.198, 300)[-1] < 0.1
    assert errors(eigenvalues, 0.202, 300)[-1] > 10


def test_elu_lowers_the_loss_faster_than_relu(example):
    learn = example("elu_relu").learn
    assert learn("elu", 0, epochs=4)[0][-1] < 0.7 * learn("relu", 0, epochs=4)[0][-1]


def test_selu_returns_to_variance_one_and_with_other_weights_does_not(example):
    module = example("self_normalization")
    assert abs(module.moments("selu", "lecun_normal", 0, 3)[20, 1] - 1) < 0.15
    assert module.moments("selu", "he_normal", 0, 1)[20, 1] > 10
    assert abs(module.after_dropout(dr.AlphaDropout(0.2))[1] - 1) < 0.02
    assert module.after_dropout(dr.Dropout(0.2))[1] > 1.2


def test_a_bounded_loss_stands_wrong_labels(example):
    module = example("label_noise")
    bounded = module.learn(module.LOSSES["alpha = ∞: 1 - p"], 0.4, seed=0)
    assert bounded > module.learn(module.LOSSES["cross-entropy (alpha = 1)"], 0.4, seed=0) + 0.1


def test_losses_of_the_table_learn(example):
    learn = example("loss_table").learn
    for loss in ("squared_hinge", "cauchy_schwarz", "tanimoto"):
        assert learn(loss, 0.0, seed=0)[-1] > 0.95


def test_convolutions_read_digits(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    module = importlib.import_module("lenet")
    side, split = module.images("digits")
    assert module.accuracy(module.lenet(side), split, epochs=20) > 0.97


def test_widths_and_rates_are_searched_at_once(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER.parent))
    module = importlib.import_module("width_and_rate")
    widths, rates = [4, 32], [1e-4, 1e-2]
    results = module.search(widths, rates, folds=3, epochs=15)
    accuracy = module.accuracy_map(results, widths, rates)
    assert results.best().configuration["width"] == 32
    assert accuracy[1, 1] > 0.94
    assert (accuracy[1] > accuracy[0]).all()
    assert (accuracy[:, 1] > accuracy[:, 0]).all()
    monkeypatch.setattr(module, "WIDTHS", widths)
    monkeypatch.setattr(module, "RATES", rates)
    module.draw(accuracy, str(tmp_path / "map.svg"))
    assert (tmp_path / "map.svg").read_text().rstrip().endswith("</svg>")


def test_main_writes_the_figure_and_prints_the_tables(example, monkeypatch, tmp_path, capsys):
    figure = tmp_path / "figure.svg"
    monkeypatch.setattr(sys, "argv", ["slow_learning.py", str(figure)])
    example("slow_learning").main()
    assert figure.read_text().rstrip().endswith("</svg>")
    assert "| cross-entropy | 0.98 | 17 |" in capsys.readouterr().out


def test_curvature_helps_on_ill_conditioned_problems(example):
    module = example("second_order")
    for problem, epochs in zip(module.PROBLEMS, (60, 150), strict=True):
        ends = {name: module.best(problem, name, epochs)[1][-1] for name in module.RULES}
        first_order = min(ends["Adam"], ends["SGD, momentum 0.9"])
        assert ends["NaturalGradient, unit-wise"] < 0.3 * first_order, ends
    least_squares = next(iter(module.PROBLEMS))
    assert (
        module.best(least_squares, "LBFGS", 100)[1][-1] < 0.3 * module.best(least_squares, "Adam", 100)[1][-1]
    )
