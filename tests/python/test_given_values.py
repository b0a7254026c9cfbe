"""Numbers and arguments that a network cannot hold are refused where they are given."""

import numpy as np
import pytest

import deltarule as dr


@pytest.mark.parametrize("name", ["predict", "predict_classes", "predict_proba"])
def test_predict_refuses_what_is_too_large_for_its_dtype(name):
    net = dr.Sequential([dr.Dense(3)]).build(2)
    net.compile("sgd", loss="softmax_cross_entropy")
    X = np.array([[1.0, 2.0], [np.nan, 3.0], [-np.inf, 1e39]])
    with pytest.raises(ValueError, match=r"^Sequential.predict: X\[2, 1\] = 1e\+39 is too large for float32"):
        getattr(net, name)(X)
    X[2, 1] = 1
    assert np.array_equal(np.isnan(net.predict(X)).all(axis=1), [False, True, False])
    wide = dr.Sequential([dr.Dense(3)], dtype="float64").build(2)
    assert np.isfinite(wide.predict([[1e39, 0.0]])).all()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.nan, r"dense_1.bias\[1\] is nan"),
        (np.inf, r"dense_1.bias\[1\] is inf"),
        (1e39, r"dense_1.bias\[1\] = 1e\+39 is too large for float32"),
    ],
)
def test_set_weights_refuses_values(value, text):
    net = dr.Sequential([dr.Dense(3)]).build(2)
    before = net.get_weights()
    with pytest.raises(ValueError, match=rf"^Sequential.set_weights: {text}"):
        net.set_weights({"dense_1.weight": np.ones((2, 3)), "dense_1.bias": [0, value, 0]})
    assert all(np.array_equal(a, before[name]) for name, a in net.get_weights().items())


def test_set_weights_names_what_it_takes():
    net = dr.Sequential([dr.Dense(3)]).build(2)
    with pytest.raises(TypeError, match=r"weights is a list; allowed: a dict .* dense_1.weight, dense"):
        net.set_weights(list(net.get_weights().values()))


def test_arrays_that_are_not_finite_survive_copies(tmp_path):
    """What users write through views is theirs; only what is given to `set_weights` is looked at."""
    import pickle

    net = dr.Sequential([dr.Dense(3)]).build(2)
    net.parameters()["dense_1.bias"][1] = np.nan
    assert np.isnan(pickle.loads(pickle.dumps(net)).parameters()["dense_1.bias"][1])


def test_seeds_fit_into_64_bits():
    assert dr.Sequential([dr.Dense(3)], seed=2**64 - 1).build(2).seed == 2**64 - 1
    with pytest.raises(ValueError, match=r"Sequential: seed = 18446744073709551616 is .* < 2\*\*64"):
        dr.Sequential([dr.Dense(3)], seed=2**64)


@pytest.mark.parametrize("path", [None, 3])
def test_paths_are_text(path):
    net = dr.Sequential([dr.Dense(3)]).build(2)
    for operation, call in (("Sequential.save", net.save), ("load", dr.load)):
        with pytest.raises(TypeError, match=rf"^{operation}: path is {path}; allowed: the name of a file"):
            call(path)


def test_absurd_numbers_of_threads_are_cut():
    dr.set_num_threads(2**40)
    assert dr.get_num_threads() == 512
    dr.set_num_threads(None)
