"""Every error of the Python door: type, text, and that nothing has changed."""
# ruff: noqa: E501 - tables of texts

import re

import numpy as np
import pytest

import deltarule as dr

NAN = float("nan")


def raises(kind, text):
    return pytest.raises(kind, match=re.escape(text))


# fmt: off
BAD_FIT = [
    ({"X": "vector"}, ValueError, "Sequential.fit: X has shape (240,); allowed: (N, columns); reshape(1, -1) makes one row"),
    ({"X": "empty"}, ValueError, "Sequential.fit: X has shape (0, 6); allowed: at least one row"),
    ({"X": "no_columns"}, ValueError, "Sequential.fit: X has shape (240, 0); allowed: at least one column"),
    ({"X": "object"}, TypeError, "Sequential.fit: X has dtype object; allowed: real numbers"),
    ({"X": "complex"}, TypeError, "Sequential.fit: X has dtype complex64; allowed: real numbers (use real and"),
    ({"X": "text"}, TypeError, "Sequential.fit: X has dtype <U32; allowed: real numbers (encode text"),
    ({"X": "dates"}, TypeError, "Sequential.fit: X has dtype datetime64[s]; allowed: real numbers (dates: "),
    ({"X": "ragged"}, ValueError, "Sequential.fit: X is not an array: "),
    ({"X": "nan"}, ValueError, "Sequential.fit: X[5, 2] is nan; 2 of 1440 values are not finite; allowed: finite numbers"),
    ({"X": "inf"}, ValueError, "Sequential.fit: X[7, 1] is inf; 1 of 1440 values are not finite"),
    ({"X": "large"}, ValueError, "Sequential.fit: X[3, 0] = 1e+300 is too large for float32"),
    ({"y": "short"}, ValueError, "Sequential.fit: y has shape (239,), but X has 240 rows; allowed: as many"),
    ({"y": "scalar"}, ValueError, "Sequential.fit: y has shape (), but X has 240 rows"),
    ({"y": "floats"}, TypeError, "Sequential.fit: y has dtype float64; allowed: integer class labels (y.astype(int) makes"),
    ({"y": "halves"}, TypeError, "Sequential.fit: y has dtype float64; allowed: integer class labels"),
    ({"y": "text"}, TypeError, "Sequential.fit: y has dtype <U21; allowed: real numbers (encode text as numbers first, labels by np.unique"),
    ({"y": "one_hot"}, ValueError, 'Sequential.fit: y has shape (240, 3); allowed: (N,) integer labels (for one-hot rows use loss="softmax'),
    ({"y": "above"}, ValueError, "Sequential.fit: y[4] = 3 is not a class of the network; allowed: 0 to 2, as its last layer has 3 outputs"),
    ({"y": "below"}, ValueError, "Sequential.fit: y[4] = -1 is not a class of the network; allowed: 0 to 2"),
    ({"sample_weight": np.ones(3)}, ValueError, "Sequential.fit: sample_weight has shape (3,); allowed: (240,), one per row"),
    ({"sample_weight": np.zeros(240)}, ValueError, "Sequential.fit: sample_weight is zero for every row; allowed: at least one weight > 0"),
    ({"sample_weight": -np.eye(1, 240, 9)[0]}, ValueError, "Sequential.fit: sample_weight[9] = -1.0 is not allowed; allowed: numbers >= 0"),
    ({"sample_weight": NAN * np.ones(240)}, ValueError, "Sequential.fit: sample_weight[0] is nan; 240 of 240 values"),
    ({"sample_weight": ["a"] * 240}, TypeError, "Sequential.fit: sample_weight has dtype <U1; allowed: real numbers"),
    ({"class_weight": {3: 1.0}}, ValueError, "Sequential.fit: class_weight has the key 3; allowed: the classes 0 to 2"),
    ({"class_weight": {0: -1.0}}, ValueError, "Sequential.fit: class_weight[0] = -1.0 is not allowed"),
    ({"class_weight": {0: 0, 1: 0, 2: 0}}, ValueError, "Sequential.fit: class_weight and sample_weight together leave no row with"),
    ({"class_weight": "even"}, TypeError, "Sequential.fit: class_weight is 'even'; allowed: a dict of class: weight, \"balanced\" or None"),
    ({"batch_size": 0}, ValueError, "Sequential.fit: batch_size = 0 is not allowed; allowed: a whole number >= 1, or None for all rows"),
    ({"batch_size": 2.5}, TypeError, "Sequential.fit: batch_size is 2.5; allowed: a whole number >= 1"),
    ({"batch_size": True}, TypeError, "Sequential.fit: batch_size is True; allowed: a whole number >= 1"),
    ({"epochs": -1}, ValueError, "Sequential.fit: epochs = -1 is not allowed; allowed: a whole number >= 0"),
    ({"epochs": "3"}, TypeError, "Sequential.fit: epochs is '3'; allowed: a whole number >= 0"),
    ({"initial_epoch": 1}, ValueError, "Sequential.fit: initial_epoch = 1 is not allowed; allowed: less than epochs = 1"),
    ({"initial_epoch": -1}, ValueError, "Sequential.fit: initial_epoch = -1 is not allowed"),
    ({"shuffle": 2}, TypeError, "Sequential.fit: shuffle is 2; allowed: True or False"),
    ({"verbose": 3}, ValueError, 'Sequential.fit: verbose = 3 is not allowed; allowed: "auto", 0, 1 or 2'),
    ({"validation_split": 1.0}, ValueError, "Sequential.fit: validation_split = 1.0 is not allowed; allowed: a number with 0 <= validation_split < 1"),
    ({"validation_split": -0.1}, ValueError, "Sequential.fit: validation_split = -0.1 is not allowed"),
    ({"validation_split": 0.999}, ValueError, "Sequential.fit: validation_split = 0.999 of 240 rows leaves one part empty"),
    ({"validation_data": 3}, TypeError, "Sequential.fit: validation_data must be (X, y) or (X, y, sample_weight)"),
    ({"validation_data": (np.ones((4, 5)), np.zeros(4, int))}, ValueError, "Sequential.fit: validation_data[0] has shape (4, 5); allowed: (N, 6)"),
    ({"validation_data": (np.ones((4, 6)), np.full(4, 3))}, ValueError, "Sequential.fit: validation_data[1][0] = 3 is not a class"),
    ({"validation_data": (np.ones((0, 6)), np.zeros(0, int))}, ValueError, "Sequential.fit: validation_data[0] has shape (0, 6); allowed: at least one row"),
    ({"validation_data": (np.ones((4, 6)), np.zeros(4, int)), "validation_split": 0.5}, ValueError, "Sequential.fit: validation_data and validation_split are both given"),
    ({"callbacks": [print]}, TypeError, "Sequential.fit: callbacks[0] is <built-in function print>; allowed: a deltarule.Callback"),
    ({"callbacks": [dr.EarlyStopping]}, TypeError, "allowed: a deltarule.Callback; write it with parentheses"),
    ({"callbacks": [dr.EarlyStopping()]}, ValueError, "Sequential.fit: EarlyStopping: monitor = 'val_loss' is not measured; give validation_data or validation_split; measured: loss, accuracy"),
    ({"callbacks": [dr.EarlyStopping("acc")]}, ValueError, "Sequential.fit: EarlyStopping: monitor = 'acc' is not measured; measured: loss, accuracy, learning_rate, time"),
]
# fmt: on


def bad_data(kind, X, y):
    X64 = X.astype(np.float64)
    if kind in ("nan", "inf", "large"):
        X64[{"nan": (5, 2), "inf": (7, 1), "large": (3, 0)}[kind]] = {
            "nan": np.nan,
            "inf": np.inf,
            "large": 1e300,
        }[kind]
        if kind == "nan":
            X64[100, 0] = np.nan
        return X64
    one_off = y.copy()
    one_off[4] = -1 if kind == "below" else 3
    return {
        "vector": X[:, 0],
        "empty": X[:0],
        "no_columns": X[:, :0],
        "object": X.astype(object),
        "complex": X.astype(np.complex64),
        "dates": np.zeros((240, 6), "datetime64[s]"),
        "ragged": [[1, 2], [3]],
        "short": y[1:],
        "scalar": 1,
        "floats": y.astype(float),
        "halves": y + 0.5,
        "one_hot": np.eye(3)[y],
        "above": one_off,
        "below": one_off,
    }[kind]


@pytest.mark.parametrize("built", [False, True], ids=["unbuilt", "built"])
@pytest.mark.parametrize(("arguments", "kind", "text"), BAD_FIT)
def test_fit_refuses(blobs, classifier, weight_bytes, arguments, kind, text, built):
    X, y = blobs
    net = classifier()
    if built:
        net.fit(X, y, epochs=1)
    before = (net.built, net.epoch, net.step, net.history, net.built and weight_bytes(net))
    arguments = dict(arguments)
    for name, data in (("X", X), ("y", y)):
        given = arguments.get(name)
        if given == "text":
            arguments[name] = data.astype(str)
        elif isinstance(given, str):
            arguments[name] = bad_data(given, X, y)
    if built:
        text = text.replace("allowed: at least one column", "allowed: (N, 6)").replace(
            "(N, columns)", "(N, 6)"
        )
    with raises(kind, text):
        net.fit(**({"X": X, "y": y} | arguments))
    assert before == (net.built, net.epoch, net.step, net.history, net.built and weight_bytes(net))


def test_values_with_the_wrong_shape(curve, regressor):
    X, Y = curve
    net = regressor()
    with raises(
        ValueError, "Sequential.fit: y has shape (200, 1); allowed: (N, 2), as the last layer has 2 outputs"
    ):
        net.fit(X, Y[:, :1])
    with raises(ValueError, '(for integer labels use loss="sparse_softmax_cross_entropy")'):
        net.fit(X, np.zeros(200, int))
    with raises(ValueError, "Sequential.fit: y[3, 1] is nan; 1 of 400 values are not finite"):
        net.fit(X, np.where(np.arange(400).reshape(200, 2) == 7, np.nan, Y))
    with raises(
        ValueError,
        "the loss 'softmax_cross_entropy' needs one output per class, but the last layer has 1 output",
    ):
        regressor(outputs=1, loss="softmax_cross_entropy", metrics=[]).fit(X, Y[:, 0] > 0)
    one = regressor(outputs=1)
    with raises(ValueError, "allowed: (N, 1) or (N,), as the last layer has 1 output"):
        one.fit(X, Y)


def test_metric_that_does_not_fit_the_loss(blobs, classifier):
    X, y = blobs
    net = classifier(metrics=["mse"])
    with raises(
        ValueError,
        "Sequential.fit: the metric 'mse' compares values, but the loss 'sparse_softmax_cross_entropy'",
    ):
        net.fit(X, y)


def test_not_built_and_not_compiled(blobs):
    X, y = blobs
    net = dr.Sequential([dr.Dense(3)])
    for name in ("parameters", "gradients", "states", "get_weights"):
        with raises(
            RuntimeError,
            f"Sequential.{name}: the network is not built; fit it, build(input_width) or load one",
        ):
            getattr(net, name)()
    with raises(RuntimeError, "Sequential.predict: the network is not built"):
        net.predict(X)
    with raises(RuntimeError, "Sequential.save: the network is not built"):
        net.save("never.safetensors")
    for name in ("fit", "evaluate", "train_on_batch"):
        with raises(
            RuntimeError,
            f"Sequential.{name}: the network is not compiled; call compile(optimizer, loss) first",
        ):
            getattr(net, name)(X, y)
    assert not net.built
    with raises(RuntimeError, "Sequential.build: the network has no layers; add some"):
        dr.Sequential().build(3)
    net.build(6)
    with raises(RuntimeError, "Sequential.add: the network is built already; make a new Sequential"):
        net.add(dr.Dense(2))
    with raises(ValueError, "Sequential.build: the network is built for 6 columns, not 5"):
        net.build(5)
    with raises(
        ValueError, "Sequential.predict: X has shape (240, 5); allowed: (N, 6), as the network was built"
    ):
        net.predict(X[:, :5])


def test_predict_names_the_array_that_does_not_fit():
    net = dr.Sequential([dr.Dense(3)]).build(6)
    X = np.zeros((4, 6), np.float32)  # what is taken without a look
    for wrong, error, text in [
        ({"X": np.zeros((4, 5), np.float32)}, ValueError, "X has shape (4, 5); allowed: (N, 6)"),
        ({"out": np.zeros((5, 3), np.float32)}, ValueError, "out has shape (5, 3); allowed: (4, 3)"),
        ({"out": np.zeros((4, 3))}, TypeError, "out has dtype float64; allowed: float32"),
        ({"out": np.zeros((4, 6), np.float32)[:, ::2]}, ValueError, "out must be C-contiguous and writable"),
        ({"out": [1]}, TypeError, "out is a list; allowed: a NumPy array"),
    ]:
        with raises(error, f"Sequential.predict: {text}"):
            net.predict(**{"X": X, **wrong})


def test_backward_needs_forward_and_shape(rng):
    net = dr.Sequential([dr.Dense(3)]).build(2)
    with pytest.raises(ValueError, match="forward"):
        net.backward(np.ones((4, 3), np.float32))
    net.forward(np.ones((4, 2), np.float32))
    with raises(ValueError, "Sequential.backward: dY has shape (4, 2); allowed: (N, 3)"):
        net.backward(np.ones((4, 2), np.float32))
    with pytest.raises(ValueError, match="5"):
        net.backward(np.ones((5, 3), np.float32))


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
    ({}, ValueError, "Sequential.compile: the loss is missing"),
    ({"loss": "msee"}, ValueError, "Sequential.compile: loss: unknown loss 'msee', did you mean 'mse'?"),
    ({"loss": 3}, TypeError, "Sequential.compile: loss is a int; allowed: the name of a loss, a Loss object or its config"),
    ({"loss": "mse", "optimizer": "adm"}, ValueError, "Sequential.compile: optimizer: unknown optimizer 'adm', did you mean 'adam'?"),
    ({"loss": "mse", "optimizer": dr.Adam}, TypeError, "Sequential.compile: optimizer is the class Adam; write Adam()"),
    ({"loss": dr.Adam()}, TypeError, "Sequential.compile: loss is a Adam; allowed"),
    ({"loss": "mse", "metrics": {"name": "mae"}}, TypeError, "Sequential.compile: metrics is {'name': 'mae'}; allowed: a list"),
    ({"loss": "mse", "metrics": ["accuarcy"]}, ValueError, "Sequential.compile: metrics[0]: unknown metric 'accuarcy', did you mean 'accuracy'?"),
    ({"loss": "mse", "metrics": ["mae", "mae"]}, ValueError, "Sequential.compile: metrics holds 'mae' twice"),
    ({"loss": "mse", "clip_norm": 0}, ValueError, "Sequential.compile: clip_norm = 0.0 is not allowed; allowed: a number > 0, or None"),
    ({"loss": "mse", "clip_value": -1}, ValueError, "Sequential.compile: clip_value = -1.0 is not allowed"),
    ({"loss": "mse", "clip_norm": "1"}, TypeError, "Sequential.compile: clip_norm is '1'; allowed: a number"),
    ({"loss": {"name": "mse", "foo": 1}}, TypeError, "mse: unknown parameter 'foo'"),
],
)  # fmt: skip
def test_compile_refuses(arguments, kind, text):
    net = dr.Sequential([dr.Dense(1)])
    with raises(kind, text):
        net.compile(**arguments)
    assert net.compiled is None


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
    (lambda: dr.Sequential("relu"), TypeError, "Sequential: layers is 'relu'; allowed: a list of layers"),
    (lambda: dr.Sequential(dr.Dense(1)), TypeError, "Sequential: layers is Dense(1); allowed: a list of layers"),
    (lambda: dr.Sequential([dr.Dense(1), "relu"]), TypeError, "Sequential: layers[1] is 'relu'; allowed: a layer"),
    (lambda: dr.Sequential([dr.Dropout]), TypeError, "allowed: a layer; write it with parentheses"),
    (lambda: dr.Sequential(seed=-1), ValueError, "Sequential: seed = -1 is not allowed"),
    (lambda: dr.Sequential(seed=1.5), TypeError, "Sequential: seed is 1.5; allowed: a whole number >= 0"),
    (lambda: dr.Sequential(dtype="float16"), ValueError, 'Sequential: dtype = \'float16\' is not allowed; allowed: "float32" or "float64"'),
    (lambda: dr.Sequential(name=3), TypeError, "Sequential: name is 3; allowed: text or None"),
    (lambda: dr.Sequential([dr.Dense(1, name="a"), dr.Dense(1, name="a")]).build(2), ValueError, "Sequential.build: network: two layers are called 'a'; names must differ"),
    (lambda: dr.Sequential([dr.Dense(1)]).build(0), ValueError, "Sequential.build: input_width = 0 is not allowed"),
    (dr.Dense, TypeError, "Dense: the argument units is missing"),
    (lambda: dr.Dense(0), ValueError, "dense: units = 0 is not allowed; allowed: a whole number with 1 <= units"),
    (lambda: dr.Dense(2.5), ValueError, "dense: units = 2.5 is not allowed"),
    (lambda: dr.Dense(2, "rleu"), ValueError, "Dense: activation: unknown activation 'rleu', did you mean 'relu'?"),
    (lambda: dr.Dense(2, "relu", True), TypeError, "Dense: takes 2 positional arguments, 3 were given"),
    (lambda: dr.Dense(2, units=3), TypeError, "Dense: units is given twice"),
    (lambda: dr.Dense(2, name=7), TypeError, "Dense: name = 7 is not allowed; allowed: text, or None"),
    (lambda: dr.Dense(2, initializer="hee"), ValueError, "Dense: initializer: unknown initializer 'hee'"),
    (lambda: dr.Dense(2, bias_initializer="auto"), ValueError, "Dense: bias_initializer: unknown initializer 'auto'"),
    (lambda: dr.Dropout(1.0), ValueError, "dropout: rate = 1 is not allowed; allowed: a number with 0 <= rate < 1"),
    (lambda: dr.Adam(lr=1), TypeError, "adam: unknown parameter 'lr'"),
    (lambda: dr.Adam("fast"), ValueError, "adam: learning_rate = 'fast' is not allowed"),
    (lambda: dr.Adam(beta_1=1.0), ValueError, "adam: beta_1 = 1 is not allowed; allowed: a number with 0 <= beta_1 < 1"),
    (lambda: dr.Adam(NAN), ValueError, "adam: learning_rate = nan is not allowed"),
    (lambda: dr.Adam(schedule="cosinus"), ValueError, "Adam: schedule: unknown schedule 'cosinus', did you mean 'cosine'?"),
    (lambda: dr.Adam(schedule=3), TypeError, "Adam: schedule is a int; allowed: the name of a schedule, a Schedule object"),
    (lambda: setattr(dr.Adam(), "epsilon", 1), AttributeError, "Adam is immutable: make a new one with epsilon=1"),
    (lambda: delattr(dr.Adam(), "epsilon"), AttributeError, "Adam is immutable: epsilon cannot be deleted"),
    (lambda: dr.Adam().rho, AttributeError, "Adam has no attribute 'rho'"),
    (dr.optimizers.Optimizer, TypeError, "Optimizer is abstract: choose one of its subclasses"),
    (lambda: dr.Adam.from_config({"name": "sgd"}), ValueError, "Adam.from_config: name = 'sgd' is a SGD"),
    (lambda: dr.Adam.from_config({}), ValueError, "Adam.from_config: the key 'name' is missing"),
    (lambda: dr.set_num_threads(-1), ValueError, "set_num_threads: n = -1 is not allowed; allowed: a whole number >= 0, or None"),
    (lambda: dr.set_num_threads(1.5), TypeError, "set_num_threads: n is 1.5; allowed: a whole number >= 0"),
    (lambda: dr.kernels.gleu, AttributeError, "module 'deltarule.kernels' has no attribute 'gleu'"),
],
)  # fmt: skip
def test_objects_refuse(make, kind, text):
    with raises(kind, text):
        make()


def test_set_weights_refuses(weight_bytes):
    net = dr.Sequential([dr.Dense(2)]).build(3)
    good, before = net.get_weights(), weight_bytes(net)
    with raises(ValueError, "unknown or missing: dense_1.bias"):
        net.set_weights({"dense_1.weight": good["dense_1.weight"]})
    with raises(ValueError, "Sequential.set_weights: dense_1.bias has shape (3,); allowed: (2,)"):
        net.set_weights(good | {"dense_1.weight": np.zeros((3, 2)), "dense_1.bias": np.zeros(3)})
    assert weight_bytes(net) == before


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("standardize_1.deviation", 0.0, " holds 0; allowed: numbers > 0"),
        ("batch_norm_1.running_variance", -0.25, " holds -0.25; allowed: numbers >= 0"),
        ("dense_1.bias", np.nan, "[1] is nan"),
    ],
)
def test_set_weights_refuses_numbers(name, value, text, weight_bytes):
    net = dr.Sequential([dr.Standardize(), dr.BatchNorm(), dr.Dense(3)]).build(3)
    before, wrong = weight_bytes(net), net.get_weights()
    wrong[name][1] = value
    with raises(ValueError, f"Sequential.set_weights: {name}{text}"):
        net.set_weights(wrong)
    assert weight_bytes(net) == before


@pytest.mark.parametrize(
    "last",
    [
        [dr.Dense(3, "softmax")],
        [dr.Dense(3), dr.Activation("softmax"), dr.Dropout(0.1)],
        [dr.Dense(3, "softmax"), dr.AlphaDropout(0.1)],
        [dr.Dense(3, "log_softmax"), dr.GaussianNoise(0.1), dr.Reshape((1, 1, 3))],
    ],
)
def test_softmax_before_a_softmax_loss_warns(last):
    net = dr.Sequential(last)
    with pytest.warns(UserWarning, match="takes logits and applies the softmax itself") as caught:
        net.compile(loss="sparse_softmax_cross_entropy")
    assert caught[0].filename == __file__
    net.compile(loss="mse")  # no warning


def test_sigmoid_before_a_sigmoid_loss_warns():
    with pytest.warns(UserWarning, match="takes logits and applies the sigmoid itself"):
        dr.Sequential([dr.Dense(1, "sigmoid")]).compile(loss="sigmoid_cross_entropy")
    with pytest.warns(
        UserWarning, match="'hinge' takes margins of any size, but the last layer .* 'sigmoid'"
    ):
        dr.Sequential([dr.Dense(1, "sigmoid"), dr.GaussianNoise(0.1)]).compile(loss="hinge")


def test_not_finite_stops_and_keeps_the_last_finite_step(rng, weight_bytes):
    X = (1e3 * rng.normal(size=(64, 4))).astype(np.float32)
    Y = (1e3 * rng.normal(size=(64, 1))).astype(np.float32)
    net, twin = (
        dr.Sequential([dr.Dense(8, name="wide"), dr.Dense(1, name="out")]).build(4) for _ in range(2)
    )
    start = net.get_weights()
    for each in (net, twin):
        each.compile(dr.SGD(10.0), loss="mse")
    with pytest.raises(dr.NonFiniteError) as caught:
        net.fit(X, Y, epochs=50, batch_size=16, shuffle=False)
    with pytest.raises(dr.NonFiniteError):  # noqa: PT012 - which step fails is what is looked for
        for step in range(200):
            finite = weight_bytes(twin)
            rows = slice(16 * (step % 4), 16 * (step % 4) + 16)
            twin.train_on_batch(X[rows], Y[rows])
    assert weight_bytes(net) == weight_bytes(twin) == finite
    assert all(np.isfinite(array).all() for array in net.parameters().values())
    assert f"in epoch {step // 4 + 1}, step {step % 4 + 1}" in str(caught.value)
    for word in ("'wide'", "'out'"), ("learning_rate",), ("clip_norm",), ("standardise",):
        assert any(w in str(caught.value) for w in word)
    assert net.epoch == len(net.history) == step // 4
    net.set_weights(start)
    net.compile(dr.Adam(1e-3), loss="mse")
    assert np.isfinite(net.fit(X / 1e3, Y / 1e3)["loss"]).all()
    assert issubclass(dr.NonFiniteError, ArithmeticError)
