"""Python functions as activations, losses, rules and layers: they train as the catalogue's own do."""

import pickle
import threading

import numpy as np
import pytest

import deltarule as dr
from deltarule.diagnostics import gradient_check


def quadratic(outputs, targets):
    """Half the squared error, per row."""
    error = outputs - targets
    return (error**2).sum(axis=1) / 2, error


def descent(parameters, gradient, learning_rate, step):
    """Plain gradient descent."""
    parameters -= np.asarray(learning_rate, dtype=parameters.dtype) * gradient


@dr.custom.layer
class Scale:
    """Multiplies every column by a number that is trained."""

    def __init__(self, start=1.0, shift=False):
        self.start, self.shift = start, shift

    def build(self, input_width):
        arrays = {"factor": ((input_width,), {"name": "constant", "value": self.start})}
        return input_width, arrays | ({"offset": ((input_width,), "zeros")} if self.shift else {})

    def forward(self, x, parameters, training):
        return x * parameters["factor"] + (parameters["offset"] if self.shift else 0)

    def backward(self, x, y, dy, parameters):
        gradients = {"factor": (dy * x).sum(axis=0)}
        return dy * parameters["factor"], gradients | ({"offset": dy.sum(axis=0)} if self.shift else {})


SQUARE = dr.custom.activation(lambda x: x * x, lambda x: x + x, name="own_square")


def data(rng, rows=200, dtype="float32"):
    return rng.normal(size=(rows, 4)).astype(dtype), rng.normal(size=(rows, 3)).astype(dtype)


def trained(layers, X, y, optimizer=None, loss="quadratic", epochs=3, **arguments):
    net = dr.Sequential(layers, seed=3, dtype=str(X.dtype))
    net.compile(optimizer or dr.SGD(0.05), loss=loss)
    history = net.fit(X, y, epochs=epochs, batch_size=50, verbose=0, **arguments)
    return net, history


def same_weights(a, b):
    return all(np.array_equal(x, b.get_weights()[name]) for name, x in a.get_weights().items())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_trains_like_the_catalogue(rng, dtype):
    X, y = data(rng, dtype=dtype)
    layers = [dr.Dense(8, "tanh"), dr.Dense(3)]
    weight = rng.uniform(0, 2, len(X)).astype(dtype)
    own, history = trained(layers, X, y, loss=quadratic, sample_weight=weight)
    theirs, expected = trained(layers, X, y, sample_weight=weight)
    assert same_weights(own, theirs)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    assert own.evaluate(X, y)["loss"] == pytest.approx(theirs.evaluate(X, y)["loss"], rel=1e-6)


def test_loss_of_a_batch(rng):
    def mean_quadratic(outputs, targets):
        error = outputs - targets
        return (error**2).sum() / 2 / len(error), error / len(error)

    X, y = data(rng)
    own, history = trained([dr.Dense(3)], X, y, loss=mean_quadratic)
    _, expected = trained([dr.Dense(3)], X, y)
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-5)
    with pytest.raises(ValueError, match="rows cannot be weighted"):
        own.fit(X, y, epochs=1, verbose=0, sample_weight=np.ones(len(X)))


def test_loss_of_labels(rng):
    def cross_entropy(outputs, labels):
        z = outputs - outputs.max(axis=1, keepdims=True)
        log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        gradient = np.exp(log_p)
        rows = np.arange(len(labels))
        gradient[rows, labels] -= 1
        return -log_p[rows, labels], gradient

    loss = dr.custom.loss(cross_entropy, targets="labels", name="own_cross_entropy")
    X, y = rng.normal(size=(90, 4)), rng.integers(0, 3, 90)
    layers = [dr.Dense(6, "relu"), dr.Dense(3)]
    net, _ = trained(layers, X, y, loss=loss)
    expected, _ = trained(layers, X, y, loss="sparse_softmax_cross_entropy")
    for name, array in net.get_weights().items():
        np.testing.assert_allclose(array, expected.get_weights()[name], rtol=0, atol=1e-12)
    assert gradient_check(net, X[:9], y[:9]).ok
    assert loss(net.predict(X), y) == pytest.approx(net.evaluate(X, y)["loss"], rel=1e-12)


def test_optimizer_trains_like_the_catalogue(rng):
    X, y = data(rng)
    layers = [dr.Dense(8, "tanh"), dr.Dense(3)]
    own, _ = trained(layers, X, y, optimizer=dr.custom.optimizer(descent, name="own_descent")(0.05))
    theirs, _ = trained(layers, X, y)
    for name, array in own.get_weights().items():
        np.testing.assert_allclose(array, theirs.get_weights()[name], rtol=0, atol=1e-6)


def test_optimizer_sees_schedule_step_and_clipped_gradient(rng):
    seen = []

    def watch(parameters, gradient, learning_rate, step):
        seen.append((learning_rate, step, float(np.linalg.norm(gradient))))
        return parameters - np.float32(learning_rate) * gradient

    X, y = data(rng)
    rule = dr.custom.optimizer(watch, name="watch")
    net = dr.Sequential([dr.Dense(3)], seed=0)
    net.compile(rule(0.1, schedule=dr.StepDecay(factor=0.5, decay_steps=2)), loss="mse", clip_norm=0.01)
    net.fit(X, y, epochs=1, batch_size=50, verbose=0)
    assert [s for _, s, _ in seen] == [1, 2, 3, 4]
    assert [r for r, _, _ in seen] == pytest.approx([0.1, 0.1, 0.05, 0.05])
    assert [n for _, _, n in seen] == pytest.approx([0.01] * 4, rel=1e-5)


@pytest.mark.parametrize("average", [dr.EMA(0.5), dr.SWA(1)], ids=repr)
def test_average_moves_along_with_an_own_rule(rng, average):
    X, y = data(rng)
    averages = []
    for rule in (dr.custom.optimizer(descent, name="averaged_descent")(0.05), dr.SGD(0.05)):
        net = dr.Sequential([dr.Dense(3)], seed=3)
        net.compile(rule, loss="quadratic", average=average)
        net.fit(X, y, epochs=3, batch_size=50, verbose=0)
        averages.append(net.average_weights())
    for name, array in averages[1].items():
        np.testing.assert_allclose(averages[0][name], array, rtol=0, atol=1e-6)


def test_activation_trains_like_the_catalogue(rng):
    X, y = data(rng)
    pair = (np.tanh, lambda x: 1 - np.tanh(x) ** 2)
    own, _ = trained([dr.Dense(8, pair), dr.Dense(3)], X, y)
    alone, _ = trained([dr.Dense(8), dr.Activation(pair), dr.Dense(3)], X, y)
    theirs, _ = trained([dr.Dense(8, "tanh"), dr.Dense(3)], X, y)
    for name, array in theirs.get_weights().items():
        np.testing.assert_allclose(own.get_weights()[name], array, rtol=0, atol=1e-6)
        np.testing.assert_allclose(alone.get_weights()[name], array, rtol=0, atol=1e-6)
    np.testing.assert_allclose(own.predict(X[:1]), theirs.predict(X[:1]), atol=1e-6)
    assert SQUARE(np.array([3.0])) == 9.0


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads(rng, threads):
    X, y = data(rng, 700)
    layers = [dr.Dense(90, SQUARE), Scale(start=0.5), dr.Dense(90, "tanh"), dr.Dense(3)]
    before = dr.get_num_threads()
    nets = []
    try:
        for count in (1, threads):
            dr.set_num_threads(count)
            net = dr.Sequential(layers, seed=3)
            net.compile(dr.Adam(1e-3), loss=quadratic)
            net.fit(X, y, epochs=2, batch_size=350, verbose=0)
            nets.append((net, net.predict(X)))
    finally:
        dr.set_num_threads(before)
    assert same_weights(nets[0][0], nets[1][0])
    assert np.array_equal(nets[0][1], nets[1][1])


def test_layer(rng, tmp_path):
    X, y = data(rng, dtype="float64")
    layers = [dr.Dense(8, "tanh"), Scale(2.0, shift=True), dr.Dense(3)]
    net, history = trained(layers, X, y, optimizer=dr.Adam(0.01))
    assert history["loss"][-1] < history["loss"][0]
    weights = net.get_weights()
    assert weights["Scale_1.factor"].shape == weights["Scale_1.offset"].shape == (8,)
    assert gradient_check(net, X[:8], y[:8]).ok
    assert repr(Scale(2.0)) == "Scale(start=2.0)"
    nested = dr.Sequential([dr.Residual([dr.Dense(4), Scale()]), dr.Dense(3)], dtype="float64")
    nested.build(4)
    nested.compile(dr.SGD(0.1), loss=quadratic)
    assert gradient_check(nested, X[:8], y[:8]).ok
    # a model file names the class, and pickles name it too
    net.save(tmp_path / "net.safetensors")
    assert np.array_equal(dr.load(tmp_path / "net.safetensors").predict(X), net.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(net)).predict(X), net.predict(X))
    assert pickle.loads(pickle.dumps(Scale(3.0))) == Scale(3.0)


def test_exceptions_leave_the_last_finished_step(rng):
    X, y = data(rng)
    calls = []

    def third(outputs, targets):
        calls.append(0)
        if len(calls) == 3:
            raise KeyError("mine")
        return quadratic(outputs, targets)

    net = dr.Sequential([dr.Dense(3)], seed=0)
    net.compile(dr.SGD(0.05), loss=dr.custom.loss(third, check=False))
    with pytest.raises(KeyError, match="mine"):
        net.fit(X, y, epochs=1, batch_size=50, shuffle=False, verbose=0)
    assert net.step == 2
    expected = dr.Sequential([dr.Dense(3)], seed=0)
    expected.compile(dr.SGD(0.05), loss=quadratic)
    expected.fit(X[:100], y[:100], epochs=1, batch_size=50, shuffle=False, verbose=0)
    assert same_weights(net, expected)
    net.fit(X, y, epochs=1, verbose=0)  # and goes on


@pytest.mark.parametrize("where", ["activation", "derivative", "forward", "backward", "optimizer"])
def test_exceptions_from_everywhere(rng, where):
    X, y = data(rng, 700)
    armed = []

    def may(here, value):
        if armed and where == here:
            raise ZeroDivisionError(here)
        return value

    class Pass:
        def build(self, input_width):
            return input_width, {}

        def forward(self, x, parameters, training):
            return may("forward", x)

        def backward(self, x, y, dy, parameters):
            return may("backward", dy), {}

    own = dr.custom.layer(Pass, name=f"Pass_{where}")
    f = (lambda x: may("activation", np.tanh(x)), lambda x: may("derivative", 1 - np.tanh(x) ** 2))

    def rule(parameters, gradient, learning_rate, step):
        parameters -= 0.1 * gradient
        may("optimizer", 0)

    net = dr.Sequential([dr.Dense(90, f), own(), dr.Dense(90), dr.Dense(3)], seed=0)
    net.compile(dr.custom.optimizer(rule, name=f"rule_{where}")(), loss="mse")
    net.fit(X, y, epochs=1, batch_size=350, verbose=0)
    before = net.get_weights()
    armed.append(1)
    with pytest.raises(ZeroDivisionError, match=where):
        net.fit(X, y, epochs=1, batch_size=350, verbose=0)
    assert all(np.array_equal(a, before[name]) for name, a in net.get_weights().items())
    if where in ("activation", "forward"):
        for rows in (1, 700):
            with pytest.raises(ZeroDivisionError):
                net.predict(X[:rows])
        with pytest.raises(ZeroDivisionError):
            net.evaluate(X, y)
    armed.clear()
    assert np.isfinite(net.predict(X)).all()
    assert net.fit(X, y, epochs=1, verbose=0)


def test_predict_from_several_python_threads(rng):
    X, y = data(rng, 300)
    net, _ = trained([dr.Dense(30, SQUARE), Scale(), dr.Dense(3)], X, y)
    expected = net.predict(X)
    results = [None] * 6

    def run(i):
        results[i] = all(np.array_equal(net.predict(X), expected) for _ in range(20))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert results == [True] * 6


def test_functions_given_directly_keep_apart(rng):
    X, y = data(rng)
    losses = [
        lambda o, t, k=k: ((o - t)[:, 0] ** 2 * k, np.c_[2 * k * (o - t)[:, :1], 0 * (o - t)[:, 1:]])
        for k in (1, 9)
    ]
    nets = [dr.Sequential([dr.Dense(3)], seed=0) for _ in losses]
    for net, loss in zip(nets, losses, strict=True):
        net.compile(dr.SGD(0.01), loss=loss)
        net.build(4)
    figures = [net.evaluate(X, y)["loss"] for net in nets]
    assert figures[1] == pytest.approx(9 * figures[0], rel=1e-5)
    again = dr.Sequential([dr.Dense(3)], seed=0)
    again.compile(dr.SGD(0.01), loss=losses[0])
    assert again.compiled.loss == nets[0].compiled.loss


def test_explain_plan_says_where_everything_meets(rng):
    X, y = data(rng)
    net, _ = trained([dr.Dense(3)], X, y, loss=quadratic)
    assert "all rows at once" in net.explain_plan(50)


def test_python_code_sees_subnormal_numbers_while_training_flushes_them(rng):
    """Training treats them as zero; what it calls in between computes as usual, and so does what follows."""
    seen = []

    def loss(prediction, target):
        seen.append(np.float32(1e-38) / np.float32(10))
        return ((prediction - target) ** 2).sum(1), 2 * (prediction - target)

    net = dr.Sequential([dr.Dense(1)]).build(3)
    net.compile("sgd", loss=dr.custom.loss(loss, name="tiny_numbers"))
    seen.clear()
    net.fit(rng.normal(size=(8, 3)).astype("float32"), np.zeros((8, 1), "float32"), epochs=2, verbose=0)
    assert len(seen) == 2
    assert min(seen) > 0
    assert np.float32(1e-38) / np.float32(10) > 0
