"""Functions of the user that do not fit: refused where they are registered, or where they are used."""

import numpy as np
import pytest

import deltarule as dr


def quadratic(outputs, targets):
    error = outputs - targets
    return (error**2).sum(axis=1) / 2, error


def descent(parameters, gradient, learning_rate, step):
    parameters -= np.asarray(learning_rate, dtype=parameters.dtype) * gradient


def data(rng, rows=200):
    return rng.normal(size=(rows, 4)).astype("float32"), rng.normal(size=(rows, 3)).astype("float32")


def test_wrong_gradients_are_refused():
    with pytest.raises(ValueError, match=r"'bad_square'.*does not agree"):
        dr.custom.activation(lambda x: x * x, lambda x: x, name="bad_square")
    with pytest.raises(ValueError, match="unknown activation 'bad_square'"):
        dr.Dense(3, "bad_square")
    with pytest.raises(ValueError, match=r"'bad_loss'.*does not agree"):
        dr.custom.loss(lambda y, t: (((y - t) ** 2).sum(axis=1), y - t), name="bad_loss")
    with pytest.raises(ValueError, match="not elementwise"):
        dr.custom.activation(lambda x: x - x.mean(), lambda x: x, name="centred")

    class Wrong:
        def build(self, input_width):
            return input_width, {"w": ((input_width,), "ones")}

        def forward(self, x, parameters, training):
            return x * parameters["w"]

        def backward(self, x, y, dy, parameters):
            return dy * parameters["w"], {"w": dy.sum(axis=0)}

    with pytest.raises(ValueError, match=r"layer 'Wrong'.*does not agree"):
        dr.custom.layer(Wrong)


@pytest.mark.parametrize(
    ("function", "error", "text"),
    [
        (lambda y, t: (y - t).sum(), TypeError, r"returned a .*expected \(loss, gradient\)"),
        (lambda y, t: ((y - t)[:, 0], (y - t)[:, :1]), ValueError, r"gradient: shape \(\d+, 1\), expected"),
        (lambda y, t: ((y - t)[:1, 0], y - t), ValueError, r"loss: shape \(1,\), expected"),
        (lambda y, t: ((y - t)[:, 0], (y - t).astype(complex)), TypeError, "dtype complex"),
        (lambda y, t: ((y - t)[:, 0], None), TypeError, "gradient: "),
    ],
)
def test_results_are_checked(rng, function, error, text):
    X, y = data(rng)
    net = dr.Sequential([dr.Dense(3)], seed=0)
    net.compile(dr.SGD(0.1), loss=dr.custom.loss(function, name="checked", check=False))
    with pytest.raises(error, match=text):
        net.fit(X, y, epochs=1, verbose=0)


def test_errors_of_registration():
    with pytest.raises(ValueError, match="'relu' is one of the catalogue"):
        dr.custom.activation(np.abs, np.sign, name="relu")
    with pytest.raises(ValueError, match="'mse' is one of the catalogue"):
        dr.custom.loss(quadratic, name="mse")
    with pytest.raises(ValueError, match="targets = 'classes' is not allowed"):
        dr.custom.loss(quadratic, name="q", targets="classes")
    with pytest.raises(TypeError, match="has no method backward"):
        dr.custom.layer(type("Half", (), {"build": lambda s, n: n, "forward": lambda s: 0}))

    class Text:
        def __init__(self, text="a"):
            self.text = text

        build = forward = backward = lambda self: None

    with pytest.raises(TypeError, match="the argument text is not allowed"):
        dr.custom.layer(Text)
    net = dr.Sequential([dr.Dense(3)])
    net.build(2)
    groups = [{"match": "dense_1.*", "learning_rate_factor": 0.1}]
    net.compile(dr.custom.optimizer(descent, name="grouped")(), loss="mse", parameter_groups=groups)
    with pytest.raises(ValueError, match="learning_rate_factor are not allowed"):
        net.fit(np.zeros((4, 2)), np.zeros((4, 3)), epochs=1, verbose=0)


def test_not_finite_weights_are_refused(rng):
    X, y = data(rng)

    def explode(parameters, gradient, learning_rate, step):
        if step == 3:
            parameters[-1] = np.inf

    net = dr.Sequential([dr.Dense(3)], seed=0)
    net.compile(dr.custom.optimizer(explode, name="explode")(), loss="mse")
    with pytest.raises(dr.NonFiniteError, match=r"layer 'dense_1'.*'explode'"):
        net.fit(X, y, epochs=1, batch_size=50, verbose=0)
    assert net.step == 2
    assert np.isfinite(net.predict(X)).all()
