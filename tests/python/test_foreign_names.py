"""Names and habits of other libraries: what errors say to them."""

import re

import numpy as np
import pytest

import deltarule as dr


def compiled(**arguments):
    net = dr.Sequential([dr.Dense(3)])
    net.compile(**{"loss": "mse"} | arguments)
    return net


FREEZE = 'parameter_groups=[{"match": "dense_1.*", "learning_rate_factor": 0}]'
CASES = [
    (
        lambda: dr.Dense(3, kernel_initializer="he_normal"),
        "unknown parameter 'kernel_initializer', did you mean 'initializer'? known: 'units', 'activation', ",
    ),
    (
        lambda: dr.Dense(3, kernel_initializer="he_normal"),
        "'use_bias', 'initializer', 'bias_initializer', 'name'",
    ),
    (lambda: dr.Adam(lr=0.1), "adam: unknown parameter 'lr', did you mean 'learning_rate'?"),
    (lambda: dr.Adam(lr=0.1), "'schedule'"),
    (lambda: dr.Dense(3, nonsense=1), "unknown parameter 'nonsense'; known: 'units'"),
    (lambda: dr.Dense(3, trainable=False), FREEZE),
    (
        lambda: setattr(dr.Dense(3), "trainable", False),
        f"has no trainable; to freeze it, compile(..., {FREEZE})",
    ),
    (
        lambda: setattr(dr.Dense(3), "width", 1),
        "Dense is immutable and has no width; it has units, activation",
    ),
    (
        lambda: compiled(loss="sparse_categorical_crossentropy"),
        "did you mean 'sparse_softmax_cross_entropy'?",
    ),
    (lambda: compiled(loss="categorical_crossentropy"), "did you mean 'softmax_cross_entropy'?"),
    (lambda: compiled(loss="binary_crossentropy"), "did you mean 'binary_cross_entropy'?"),
    (lambda: compiled(metrics=["auc"]), "unknown metric 'auc'; there is no area under curves"),
    (
        lambda: compiled().fit((row for row in [[1.0]]), [[1.0]]),
        "X is a generator; allowed: an array or nested lists; for data that come in batches, call train_on",
    ),
    (lambda: compiled().evaluate({"a": 1}, [[1.0]]), "Sequential.evaluate: X is a dict; allowed: an array"),
]


@pytest.mark.parametrize(("call", "text"), CASES, ids=[str(i) for i in range(len(CASES))])
def test_errors_lead_to_what_is_here(call, text):
    with pytest.raises((TypeError, ValueError, AttributeError), match=re.escape(text)):
        call()


def test_every_hint_names_something():
    from deltarule import _foreign

    for family, names in _foreign._NAMES.items():
        for ours in names.values():
            assert family == "argument" or (family, ours) in dr._declaration.Declaration.registry


def test_one_metric_is_a_list_of_one():
    net = compiled(metrics="mae")
    assert net.fit(np.zeros((4, 2)), np.zeros((4, 3)), verbose=0)["mae"]


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        (
            lambda: [dr.Dense(3), dr.Linear(10)],
            "layers[1] is Linear(total_steps=10); allowed: a layer; Linear is a learning-rate schedule, ",
        ),
        (lambda: [dr.Linear], "allowed: a layer; Linear is a learning-rate schedule, did you mean Dense?"),
        (lambda: [dr.Residual([dr.Linear(3)])], "Residual: block[0] is a Linear; allowed: the name of a la"),
        (lambda: [dr.Residual([dr.Linear(3)])], "is a learning-rate schedule, did you mean Dense?"),
        (lambda: [dr.activations.Relu()], "a layer; Relu is an activation, write Activation(Relu())"),
        (lambda: [dr.activations.Softmax], "a layer; Softmax is an activation, write Activation(Softmax())"),
        (lambda: [dr.SGD()], "Sequential: layers[0] is SGD(); allowed: a layer; SGD is an optimizer"),
        (lambda: [dr.Dense(3, dr.Adam())], "object or its config; Adam is an optimizer"),
        (lambda: [dr.Dense(3, dr.Dense(3))], "an ActivationFunction object or its config; Dense is a layer"),
    ],
)
def test_objects_of_other_families(layers, text):
    with pytest.raises(TypeError) as caught:
        dr.Sequential(layers())
    assert text in str(caught.value)


def test_add_says_so_too():
    with pytest.raises(TypeError, match=r"layers\[1\] is Linear.*, did you mean Dense\?"):
        dr.Sequential([dr.Dense(3)]).add(dr.Linear(10))
