"""The estimators beside scikit-learn's own, from equal weights: the same steps, losses, rates and texts."""

import inspect
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.9")

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

import deltarule as dr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TASKS = ["regression", "two targets", "counts", "two counts", "two classes", "three classes", "labels"]


@pytest.fixture
def task(request, rng):
    """Estimators of both, rows and targets."""
    X = rng.normal(size=(60, 4))
    z = X @ rng.normal(size=(4, 2))
    goals = {
        "regression": z[:, 0],
        "two targets": z,
        "counts": rng.poisson(np.exp(z[:, 0] / 2)),
        "two counts": rng.poisson(np.exp(z / 2)),
        "two classes": z[:, 0] > 0,
        "three classes": np.digitize(z[:, 0], [-1, 1]),
        "labels": (z > 0).astype(int),
    }
    name = request.param
    if name in ("two classes", "three classes", "labels"):
        return dr.MLPClassifier, MLPClassifier, {}, X, goals[name]
    more = {"loss": "poisson"} if "counts" in name else {}
    return dr.MLPRegressor, MLPRegressor, more, X, goals[name]


def twins(task, **options):
    """Both, fitted for an epoch and then given the same weights."""
    ours, theirs, more, X, y = task
    start = {"hidden_layer_sizes": (7, 5), "activation": "tanh", "max_iter": 1, "shuffle": False, "tol": 0.0}
    start |= {"warm_start": True, "random_state": 0} | more | options
    mine, peer = ours(dtype="float64", **start).fit(X, y), theirs(**start).fit(X, y)
    share_weights(mine, peer)
    return mine, peer


def share_weights(mine, peer):
    peer.coefs_ = [w.copy() for w in mine.coefs_]
    peer.intercepts_ = [b.copy() for b in mine.intercepts_]
    peer.best_loss_ = mine.best_loss_


def assert_equal_weights(mine, peer, **tolerance):
    for ours, theirs in zip(mine.coefs_ + mine.intercepts_, peer.coefs_ + peer.intercepts_, strict=True):
        np.testing.assert_allclose(ours, theirs, **{"rtol": 1e-9, "atol": 1e-11} | tolerance)


SOLVERS = {
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.02},
    "sgd without Nesterov": {"solver": "sgd", "learning_rate_init": 0.02, "nesterovs_momentum": False},
}


@pytest.mark.parametrize("task", TASKS, indirect=True)
@pytest.mark.parametrize("solver", SOLVERS)
def test_weights_and_losses_with_a_penalty(task, solver):
    mine, peer = twins(task)
    changed = {"max_iter": 8, "alpha": 2.0, "batch_size": 60} | SOLVERS[solver]
    X, y = task[3:]
    mine.set_params(**changed).fit(X, y)
    peer.set_params(**changed).fit(X, y)
    assert_equal_weights(mine, peer)
    np.testing.assert_allclose(mine.loss_curve_[1:], peer.loss_curve_[1:], rtol=1e-9)
    assert mine.loss_ == pytest.approx(peer.loss_, rel=1e-9)
    assert (mine.n_iter_, mine.t_) == (peer.n_iter_, peer.t_) == (8, 9 * 60)
    assert mine.out_activation_ == peer.out_activation_
    np.testing.assert_allclose(mine.predict(X), peer.predict(X), rtol=1e-9)


@pytest.mark.parametrize("task", ["two targets", "three classes"], indirect=True)
def test_small_batches_with_weights(task, rng):
    mine, peer = twins(task)
    X, y = task[3:]
    weight = np.repeat(rng.uniform(0.5, 2, size=20), 3)
    weight = np.tile(weight[:20], 3)  # the same sum in every batch, which scikit-learn divides alpha by
    changed = {"max_iter": 5, "alpha": 1.0, "batch_size": 20, "learning_rate_init": 0.01}
    mine.set_params(**changed).fit(X, y, weight)
    peer.set_params(**changed).fit(X, y, weight)
    assert_equal_weights(mine, peer)
    # The penalty is that of a line through the weights at both ends of the epoch.
    np.testing.assert_allclose(mine.loss_curve_[1:], peer.loss_curve_[1:], rtol=1e-3)


@pytest.mark.parametrize("task", ["two targets"], indirect=True)
@pytest.mark.parametrize("alpha", [0.0, 50.0])
def test_training_ends_where_scikit_learn_ends(task, alpha):
    """`tol` sees the loss with its penalty."""
    mine, peer = twins(task)
    X, y = task[3:]
    changed = {
        "max_iter": 300,
        "alpha": alpha,
        "tol": 1e-2,
        "n_iter_no_change": 3,
        "learning_rate_init": 0.02,
    }
    mine.set_params(**changed).fit(X, y)
    peer.set_params(**changed).fit(X, y)
    assert mine.n_iter_ == peer.n_iter_ < 300
    assert mine.best_loss_ == pytest.approx(peer.best_loss_)


@pytest.mark.parametrize("task", ["regression"], indirect=True)
@pytest.mark.parametrize(
    "rate",
    [
        {"learning_rate": "invscaling", "power_t": 0.3},
        {"learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 2},
    ],
)
def test_rates_of_sgd(task, rate):
    mine, peer = twins(task)
    X, y = task[3:]
    changed = {"max_iter": 25, "solver": "sgd", "learning_rate_init": 0.1} | rate
    mine.set_params(**changed).fit(X, y)
    peer.set_params(**changed).fit(X, y)
    assert mine.network_.learning_rate == pytest.approx(peer._optimizer.learning_rate)
    assert mine.network_.learning_rate < 0.1
    assert_equal_weights(mine, peer)


@pytest.mark.parametrize("task", ["two targets", "two counts", "two classes", "labels"], indirect=True)
@pytest.mark.parametrize("solver", SOLVERS)
def test_partial_fit_goes_on_with_the_optimizer(task, solver):
    """The penalty follows alpha and the number of rows."""
    X, y = task[3:]
    mine, peer = twins(task)
    for one in (mine, peer):
        one.set_params(learning_rate="invscaling", **SOLVERS[solver]).fit(X, y)
        one.set_params(warm_start=False)
    for rows, alpha in ((60, 0.1), (60, 1.0), (30, 1.0), (50, 3.0)):
        for one in (mine, peer):
            one.set_params(alpha=alpha).partial_fit(X[:rows], y[:rows])
        assert (mine.n_iter_, mine.t_) == (peer.n_iter_, peer.t_)
    assert_equal_weights(mine, peer)
    assert mine.loss_curve_[1:] == pytest.approx(peer.loss_curve_[1:])


@pytest.mark.parametrize("task", TASKS, indirect=True)
def test_lbfgs_takes_all_rows_and_reports_the_final_loss(task):
    mine, peer = twins(task)
    X, y = task[3:]
    changed = {"solver": "lbfgs", "batch_size": 7, "early_stopping": True, "alpha": 5.0, "tol": 1e-5}
    mine.set_params(max_iter=500, **changed).fit(X, y)
    peer.set_params(max_iter=500, **changed).fit(X, y)
    assert mine.n_iter_ - mine.network_.step in (0, 1)  # the last epoch may find that nothing is left to do
    if np.ndim(y) == 2 and task[0] is dr.MLPRegressor and not task[2]:
        return  # there scikit-learn's loss is not what its gradients belong to, and its search gets lost
    assert mine.loss_ == pytest.approx(peer.loss_, rel=0.02)


def test_lbfgs_within_max_fun(rng):
    X = rng.normal(size=(50, 3))
    y = np.sin(X).sum(axis=1)
    net = dr.MLPRegressor(solver="lbfgs", max_fun=6, random_state=0, tol=0)
    with pytest.warns(ConvergenceWarning, match="max_fun = 6 evaluations are over"):
        net.fit(X, y)
    assert net.n_iter_ == 5


def test_no_warning_where_the_last_epoch_converges(rng):
    X, y = rng.normal(size=(50, 3)), rng.normal(size=50)
    net = dr.MLPRegressor(max_iter=3, n_iter_no_change=1, tol=1e9, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(X, y)
    assert net.n_iter_ == 3


@pytest.mark.parametrize("task", ["two classes"], indirect=True)
@pytest.mark.parametrize(
    "options",
    [
        {"early_stopping": True, "validation_fraction": 0.3, "tol": 1e9},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9},
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e9, "learning_rate_init": 1e-6},
        {"tol": 1e9},
    ],
)
def test_verbose_text(task, options, capsys):
    ours, theirs, _, X, y = task
    options = {"verbose": True, "n_iter_no_change": 2, "random_state": 0, "max_iter": 5} | options
    texts = []
    for one in (ours(**options), theirs(**options)):
        one.fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        texts.append([line.split(", loss")[0].split(": ")[0] for line in lines])
        assert f"Iteration 1, loss = {one.loss_curve_[0]:.8f}" == lines[0]
        if one.early_stopping:
            assert lines[1] == f"Validation score: {one.validation_scores_[0]:f}"
    assert texts[0] == texts[1]
    assert "consecutive epochs" in texts[0][-1] or "Iteration" in texts[0][-1]


def test_initial_weights_have_the_bounds_of_scikit_learn(rng):
    X, y = rng.normal(size=(5, 300)), rng.normal(size=5)
    for activation in ("identity", "logistic", "tanh", "relu"):
        options = {
            "hidden_layer_sizes": (200, 250),
            "activation": activation,
            "random_state": 0,
            "max_iter": 1,
        }
        mine = dr.MLPRegressor(**options, learning_rate_init=1e-30).fit(X, y)
        peer = MLPRegressor(**options, learning_rate_init=1e-30).fit(X, y)
        for ours, theirs in zip(
            mine.coefs_ + mine.intercepts_[:2], peer.coefs_ + peer.intercepts_[:2], strict=True
        ):
            assert np.abs(ours).max() == pytest.approx(np.abs(theirs).max(), rel=0.05)
            assert ours.std() == pytest.approx(theirs.std(), rel=0.15)
        first, second = (dr.MLPRegressor(**options).fit(X, y) for _ in range(2))
        assert (first.coefs_[0] == second.coefs_[0]).all()


def test_signatures_are_those_of_scikit_learn():
    for ours, theirs, beyond in (
        (dr.MLPClassifier, MLPClassifier, ["dtype", "class_weight"]),
        (dr.MLPRegressor, MLPRegressor, ["dtype"]),
    ):
        mine, peer = (inspect.signature(kind).parameters for kind in (ours, theirs))
        assert list(mine) == list(peer) + beyond
        for name in peer:
            assert (mine[name].default, mine[name].kind) == (peer[name].default, peer[name].kind)
        for method in ("fit", "partial_fit", "predict", "score"):
            names = (list(inspect.signature(getattr(kind, method)).parameters) for kind in (ours, theirs))
            assert len({tuple(n) for n in names}) == 1


def test_tags_are_those_of_scikit_learn():
    for ours, theirs in ((dr.MLPClassifier, MLPClassifier), (dr.MLPRegressor, MLPRegressor)):
        assert ours().__sklearn_tags__() == theirs().__sklearn_tags__()
