"""What the estimators accept, refuse and leave as it was."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

pytest.importorskip("sklearn")

import scipy.sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier

import deltarule as dr

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def state(net):
    kept = {k: v for k, v in vars(net).items() if k not in ("network_", "_best_weights")}
    return copy.deepcopy(kept), net.network_, net.network_.get_weights()


def assert_same(before, after):
    np.testing.assert_equal(after[0], before[0])
    assert after[1] is before[1]
    np.testing.assert_equal(after[2], before[2])


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    ("parameters", "change"),
    [
        ({"solver": "nope"}, lambda X, y: (X, y + 3)),
        ({"activation": "nope"}, lambda X, y: (X, y + 3)),
        ({"dtype": "nope"}, lambda X, y: (X[:, :2], y)),
        ({"tol": -1}, lambda X, y: (X[:, :2], y)),
        ({"early_stopping": True, "validation_fraction": 0.001}, lambda X, y: (X[:, :2], y + 3)),
        ({"learning_rate_init": 1e300}, lambda X, y: (X, y + 3)),
        ({"solver": "sgd", "learning_rate_init": 1e35, "warm_start": True}, lambda X, y: (X * 1e30, y)),
        ({}, lambda X, y: (np.where(X > 7, np.nan, X), y)),
        ({}, lambda X, y: (X * 1e39, y + 3)),
        ({"max_fun": 0}, lambda X, y: (X, y[:-1])),
    ],
)
def test_failed_fit_leaves_the_estimator_as_it_was(iris, parameters, change, warm):
    X, y = iris
    net = dr.MLPClassifier((5,), max_iter=2, random_state=0, warm_start=warm).fit(X, y)
    seen = net.predict_proba(X)
    net.set_params(**parameters)
    before = state(net)
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        net.fit(*change(X, y))
    assert_same(before, state(net))
    np.testing.assert_array_equal(net.predict_proba(X), seen)


def test_failed_first_calls_leave_no_attributes(iris):
    X, y = iris
    for net in (dr.MLPClassifier(solver="nope"), dr.MLPClassifier(early_stopping=True)):
        before = dict(vars(net))
        with pytest.raises(ValueError, match=r"nope|early_stopping"):
            net.partial_fit(X, y, classes=[0, 1, 2])
        assert vars(net) == before
    net = dr.MLPClassifier()
    with pytest.raises(ValueError, match="y holds 2, which is not in classes_"):
        net.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(net, "classes_")
    assert not hasattr(net, "n_features_in_")


def test_warm_start_takes_the_current_parameters(iris):
    X, y = iris
    net = dr.MLPClassifier((6,), max_iter=3, random_state=0, warm_start=True, alpha=0).fit(X, y)
    before = net.network_.get_weights()
    net.set_params(learning_rate_init=1e-30).fit(X, y)
    np.testing.assert_equal(net.network_.get_weights(), before)
    net.set_params(solver="sgd", learning_rate_init=0.1, alpha=100.0, max_iter=100).fit(X, y)
    assert type(net.network_.compiled.optimizer) is dr.SGD
    assert np.linalg.norm(net.coefs_[0]) < np.linalg.norm(before["dense_1.weight"]) / 2
    with pytest.raises(ValueError, match=r"dense_1\.weight \(4, 7\).*warm_start goes on with.*\(4, 6\)"):
        net.set_params(hidden_layer_sizes=(7,)).fit(X, y)


@pytest.mark.parametrize(
    "kind", [scipy.sparse.csr_matrix, scipy.sparse.csc_matrix, scipy.sparse.csr_array, scipy.sparse.coo_array]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sparse_inputs(kind, dtype, rng, monkeypatch):
    monkeypatch.setattr("deltarule._estimator_data._BLOCK", 7 * 20)  # so that predict takes 7 rows at a time
    X = rng.normal(size=(60, 20)) * (rng.uniform(size=(60, 20)) < 0.2)
    y, weight = np.digitize(X.sum(axis=1), [-0.5, 0.5]), rng.uniform(size=60)
    options = {"max_iter": 5, "random_state": 0, "dtype": dtype}
    for early in (False, True):
        dense = dr.MLPClassifier(early_stopping=early, **options).fit(X, y, weight)
        sparse = dr.MLPClassifier(early_stopping=early, **options).fit(kind(X), y, weight)
        np.testing.assert_array_equal(sparse.coefs_[0], dense.coefs_[0])
        for method in ("predict", "predict_proba", "predict_log_proba"):
            expected = getattr(dense, method)(X)
            np.testing.assert_allclose(getattr(sparse, method)(kind(X)), expected, rtol=1e-4, atol=1e-6)
        assert sparse.score(kind(X), y) == dense.score(X, y)
    dense.set_params(early_stopping=False).partial_fit(X, y)
    sparse.set_params(early_stopping=False).partial_fit(kind(X), y)
    np.testing.assert_array_equal(sparse.coefs_[0], dense.coefs_[0])
    regressor = dr.MLPRegressor(**options).fit(kind(X), X[:, 0])
    np.testing.assert_allclose(regressor.predict(kind(X)), regressor.predict(X), rtol=1e-4, atol=1e-6)


def test_sparse_rows_are_made_dense_some_at_a_time():
    rows, columns = 40_000, 2_000  # 320 MB if they were dense
    places = np.arange(rows, dtype=np.int32)
    X = scipy.sparse.csr_array(
        (np.ones(rows, "float32"), places % columns, np.r_[places, rows]), (rows, columns)
    )
    net = dr.MLPClassifier((4,), max_iter=1, random_state=0).fit(X[:100], places[:100] % 3)
    tracemalloc.start()
    labels = net.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40e6
    np.testing.assert_array_equal(labels[-5:], net.predict(X[-5:].toarray()))


def test_sparse_labels(rng):
    X = rng.normal(size=(60, 3))
    Y = (X > 0).astype(int)
    options = {"max_iter": 5, "random_state": 0}
    dense = dr.MLPClassifier(**options).fit(X, Y)
    for kind in (scipy.sparse.csr_matrix, scipy.sparse.csc_array):
        sparse = dr.MLPClassifier(**options).fit(X, kind(Y))
        peer = MLPClassifier(**options).fit(X, kind(Y))
        assert type(sparse.predict(X)) is type(peer.predict(X))
        np.testing.assert_array_equal(sparse.classes_, peer.classes_)
        np.testing.assert_array_equal(sparse.predict(X).toarray(), dense.predict(X))
        assert sparse.score(X, kind(Y)) == dense.score(X, Y)


@pytest.mark.parametrize("convert", [np.asarray, scipy.sparse.csr_array])
def test_values_too_large_for_float32(iris, convert):
    X, y = iris
    net = dr.MLPClassifier(max_iter=1, random_state=0).fit(X, y)
    large = np.where(np.arange(4) == 2, 1e39, X[:3])
    text = r"MLPClassifier: X\[0, 2\] = 1e\+39 is too large for float32"
    for call in (net.predict, net.predict_proba, lambda X: net.fit(X, y[:3])):
        with pytest.raises(ValueError, match=text):
            call(convert(large))
    double = dr.MLPClassifier(max_iter=1, dtype="float64").fit(X, y)
    assert np.isfinite(double.predict_proba(convert(large))).all()


def test_small_probabilities_are_exact(rng):
    X = np.linspace(-60, 60, 241)[:, None]
    net = dr.MLPClassifier((), max_iter=1, random_state=0).fit(X, X[:, 0] > 0)
    net.coefs_, net.intercepts_ = [[[1.0]]], [[0.0]]
    p, log_p = net.predict_proba(X), net.predict_log_proba(X)
    exact = np.hstack([1 / (1 + np.exp(X)), 1 / (1 + np.exp(-X))])
    np.testing.assert_allclose(p, exact, rtol=1e-5)
    np.testing.assert_allclose(log_p, -np.logaddexp(0, np.hstack([X, -X])), rtol=1e-5)
    far = net.predict_log_proba([[500.0], [-500.0]])
    np.testing.assert_allclose(far, [[-500, 0], [0, -500]])
    several = dr.MLPClassifier((), max_iter=1).fit(X, np.digitize(X[:, 0], [-1, 1]))
    several.coefs_[0] = [[-1.0, 0.0, 1.0]]
    assert np.isfinite(several.predict_log_proba([[500.0]])).all()
    labels = dr.MLPClassifier((), max_iter=1).fit(X, np.hstack([X > 0, X < 9]).astype(int))
    labels.coefs_[0] = [[1.0, -1.0]]
    assert np.isfinite(labels.predict_log_proba([[500.0]])).all()


def test_arrays_can_be_assigned(iris):
    X, y = iris
    net = dr.MLPClassifier((5, 5), max_iter=1, random_state=0).fit(X, y)
    other = dr.MLPClassifier((5, 5), max_iter=1, random_state=1).fit(X, y)
    net.coefs_[0] = other.coefs_[0].astype(float)
    np.testing.assert_array_equal(net.coefs_[0], other.coefs_[0])
    net.coefs_[1] = net.coefs_[1].T
    net.coefs_[1] *= 2
    net.coefs_[-1][:] = 0
    net.intercepts_[-1] = [1, 2, 3]
    np.testing.assert_array_equal(net.predict(X), 2)
    net.coefs_, net.intercepts_ = other.coefs_, [b.copy() for b in other.intercepts_]
    np.testing.assert_array_equal(net.predict_proba(X), other.predict_proba(X))
    first, second = net.intercepts_[0].copy(), net.intercepts_[1].copy()
    net.intercepts_[:2] = net.intercepts_[1::-1]
    np.testing.assert_array_equal(net.intercepts_[0], second)
    np.testing.assert_array_equal(net.intercepts_[1], first)
    before = net.network_.get_weights()
    with pytest.raises(ValueError, match=r"MLPClassifier: coefs_\[1\] has shape \(5, 4\); allowed: \(5, 5\)"):
        net.coefs_ = [other.coefs_[0] + 1, np.zeros((5, 4)), other.coefs_[2]]
    with pytest.raises(ValueError, match="intercepts_ is given 2 arrays; allowed: 3"):
        net.intercepts_ = other.intercepts_[:2]
    with pytest.raises(IndexError):
        net.coefs_[3] = 1
    with pytest.raises(TypeError, match="coefs_ has an array per layer"):
        net.coefs_.append(1)
    np.testing.assert_equal(net.network_.get_weights(), before)
    assert isinstance(net.coefs_, list)
    assert [len(both) for both in (net.coefs_ + net.intercepts_, pickle.loads(pickle.dumps(net.coefs_)))] == [
        6,
        3,
    ]
    copied = copy.deepcopy(net.coefs_)
    copied[0] = copied[0] * 0
    copied.append(0)
    np.testing.assert_equal(net.network_.get_weights(), before)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))
    again.coefs_[0] = again.coefs_[0] * 0
    assert not again.coefs_[0].any()


@pytest.mark.parametrize("attribute", ["coefs_", "intercepts_", "n_layers_", "n_outputs_", "out_activation_"])
def test_attributes_before_fit(attribute):
    for net in (dr.MLPClassifier(), dr.MLPRegressor()):
        assert not hasattr(net, attribute)
        with pytest.raises(NotFittedError, match=f"MLP.*: {attribute} is asked before fit"):
            getattr(net, attribute)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"hidden_layer_sizes": (3.0,)}, TypeError, "hidden_layer_sizes is (3.0,); allowed: a whole number"),
        ({"hidden_layer_sizes": "34"}, TypeError, "hidden_layer_sizes is '34'"),
        ({"hidden_layer_sizes": ("3",)}, TypeError, "hidden_layer_sizes is ('3',)"),
        ({"hidden_layer_sizes": True}, TypeError, "hidden_layer_sizes is True"),
        ({"hidden_layer_sizes": (True,)}, TypeError, "hidden_layer_sizes is (True,)"),
        ({"hidden_layer_sizes": None}, TypeError, "hidden_layer_sizes is None"),
        ({"hidden_layer_sizes": [[3, 4]]}, TypeError, "hidden_layer_sizes is [[3, 4]]"),
        ({"hidden_layer_sizes": np.array([3.5])}, TypeError, "hidden_layer_sizes is array([3.5])"),
        ({"hidden_layer_sizes": -1}, ValueError, "hidden_layer_sizes = -1 is not allowed"),
        ({"momentum": "a"}, TypeError, "momentum is 'a'; allowed: a number with 0 <= momentum < 1"),
        ({"momentum": 1.5}, ValueError, "momentum = 1.5 is not allowed"),
        ({"beta_1": 1.0}, ValueError, "beta_1 = 1.0 is not allowed"),
        ({"epsilon": 0}, ValueError, "epsilon = 0 is not allowed; allowed: a number > 0"),
        ({"early_stopping": "yes"}, TypeError, "early_stopping is 'yes'; allowed: True or False"),
        ({"shuffle": "no"}, TypeError, "shuffle is 'no'; allowed: True or False"),
        ({"warm_start": 1}, TypeError, "warm_start is 1"),
        ({"nesterovs_momentum": None}, TypeError, "nesterovs_momentum is None"),
        ({"verbose": "loud"}, TypeError, "verbose is 'loud'"),
        (
            {"learning_rate_init": 0},
            ValueError,
            "learning_rate_init = 0 is not allowed; allowed: a number > 0",
        ),
        (
            {"early_stopping": True, "validation_fraction": 0},
            ValueError,
            "validation_fraction = 0 is not allowed",
        ),
        ({"validation_fraction": 1}, ValueError, "validation_fraction = 1.0 is not allowed"),
        ({"early_stopping": True, "validation_fraction": 0.001}, ValueError, "is less than two rows"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change = 0 is not allowed"),
        (
            {"n_iter_no_change": 2.5},
            TypeError,
            "n_iter_no_change is 2.5; allowed: a whole number >= 1, or inf",
        ),
        ({"batch_size": "all"}, TypeError, "batch_size is 'all'"),
        ({"max_fun": 0}, ValueError, "max_fun = 0 is not allowed"),
        ({"dtype": "float16"}, ValueError, "dtype = 'float16' is not allowed"),
        ({"loss": "mse"}, ValueError, "loss = 'mse' is not allowed; allowed: 'squared_error' or 'poisson'"),
    ],
)
def test_parameters_that_are_not_allowed(iris, options, error, text):
    with pytest.raises(error) as caught:
        dr.MLPRegressor(**options).fit(*iris)
    assert str(caught.value).startswith("MLPRegressor: ")
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"n_iter_no_change": np.inf},
        {"hidden_layer_sizes": np.array([3, 4])},
        {"hidden_layer_sizes": np.int64(3)},
        {"hidden_layer_sizes": ()},
        {"validation_fraction": 0},
        {"verbose": 0},
        {"shuffle": np.bool_(False)},
        {"dtype": np.float64},
    ],
)
def test_parameters_that_are_allowed(iris, options):
    dr.MLPClassifier(max_iter=2, **options).fit(*iris)


def test_larger_batch_than_there_are_rows(iris):
    with pytest.warns(UserWarning, match="batch_size = 1000, but there are 150 rows"):
        dr.MLPClassifier(max_iter=1, batch_size=1000).fit(*iris)


def test_one_class(iris):
    X, _ = iris
    net, peer = (kind(max_iter=3).fit(X, ["a"] * len(X)) for kind in (dr.MLPClassifier, MLPClassifier))
    assert list(net.classes_) == list(peer.classes_) == ["a"]
    assert set(net.predict(X)) == {"a"}
    assert net.predict_proba(X).shape == peer.predict_proba(X).shape
    assert net.score(X, ["a"] * len(X)) == 1


def test_rare_classes_with_early_stopping(rng):
    """Classes of one row cannot be in both parts; scikit-learn does not ask for it with more than two."""
    y = np.r_[np.zeros(30, int), np.ones(30, int), 2]
    dr.MLPClassifier(early_stopping=True, max_iter=2).fit(rng.normal(size=(61, 3)), y)


def test_partial_fit_of_the_classifier(iris):
    X, y = iris
    net = dr.MLPClassifier(random_state=0)
    net.partial_fit(X[:60], y[:60], np.ones(60), [0, 1, 2]).partial_fit(X, y, classes=[2, 1, 0])
    with pytest.raises(ValueError, match=r"classes = \[0 1\] is not allowed; allowed: \[0 1 2\]"):
        net.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y has shape \(150, 2\); allowed: \(N,\), classes"):
        net.partial_fit(X, np.stack([y == 0, y == 1], axis=1).astype(int))
    for kind in (dr.MLPClassifier, dr.MLPRegressor):
        assert not hasattr(kind(solver="lbfgs"), "partial_fit")
        assert not hasattr(kind(solver=dr.LBFGS()), "partial_fit")
        with pytest.raises(ValueError, match="partial_fit: early_stopping = True is not allowed"):
            kind(early_stopping=True).partial_fit(
                X, y, **({"classes": y} if kind is dr.MLPClassifier else {})
            )
    labels = dr.MLPClassifier().partial_fit(X, np.stack([y == 0, y == 1], axis=1).astype(int), classes=[0, 1])
    assert labels.predict(X).shape == (150, 2)


def test_counts(rng):
    X = rng.normal(size=(400, 3))
    y = rng.poisson(np.exp(X[:, 0] - X[:, 1] / 2))
    net = dr.MLPRegressor("poisson", (20,), random_state=0, learning_rate_init=0.01, max_iter=60).fit(X, y)
    assert (net.out_activation_, net.loss) == ("exp", "poisson")
    assert (net.predict(X) > 0).all()
    assert net.score(X, np.exp(X[:, 0] - X[:, 1] / 2)) > 0.8
    with pytest.raises(ValueError, match=r"MLPRegressor: y\[2\] = -1 is no target of the loss 'poisson'"):
        net.fit(X[:3], [0, 1, -1])
    seen = net.predict(X)
    np.testing.assert_array_equal(net.set_params(loss="squared_error", dtype="float64").predict(X), seen)
    assert net.out_activation_ == "exp"
    early = dr.MLPRegressor("poisson", early_stopping=True, random_state=0).fit(X, y)
    assert max(early.validation_scores_) == early.best_validation_score_ <= 1


def test_interrupted(iris, monkeypatch):
    X, y = iris
    monkeypatch.setattr("deltarule._estimator_loop._Watch._by_loss", interrupt_in_the_third_epoch)
    net = dr.MLPClassifier(random_state=0)
    with pytest.warns(UserWarning, match="interrupted by user"):
        net.fit(X, y)
    assert net.n_iter_ == 3
    assert net.predict(X).shape == (150,)


def interrupt_in_the_third_epoch(watch):
    if watch.estimator.n_iter_ == 3:
        raise KeyboardInterrupt
    return True
