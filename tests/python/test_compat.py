"""compat=: the defaults and the variant of another library, step by step."""

import inspect
from functools import partial

import numpy as np
import pytest

import deltarule as dr
from deltarule import _compat
from deltarule._native import core
from reference.checking import assert_near
from reference.keras_rules import RULES

STEPS = 50


def bowl(w, step):
    return 0.5 * w + np.sin(step + np.arange(w.size))


def follow(rule, w, rates):
    """Weights after every step of a rule object's kernel."""
    name, settings = rule.entry["name"], {k: v for k, v in rule.rule().items() if k != "name"}
    used = core.states_used(core.find("optimizer", name), settings)
    kept = [np.zeros_like(w) for _ in range(used)]
    for step, rate in enumerate(rates, start=1):
        update = getattr(dr.kernels, name + "_update")
        update(w, bowl(w, step), *kept, step=step, **settings | {"learning_rate": rate})
        yield w


VARIANTS = [
    *((name, {}, {}) for name in RULES),
    *((name, {"weight_decay": 0.3}, {}) for name in RULES),
    ("sgd", {"momentum": 0.8}, {"momentum": 0.8}),
    ("sgd", {"momentum": 0.8, "nesterov": True}, {"momentum": 0.8, "nesterov": True}),
    ("rmsprop", {"momentum": 0.7, "centered": True}, {"momentum": 0.7, "centered": True}),
    ("adam", {"amsgrad": True}, {"amsgrad": True}),
]
KERAS_RATES = {"sgd": 0.01, "adamw": 1e-3}


@pytest.mark.parametrize(("name", "ours", "theirs"), VARIANTS)
def test_keras(name, ours, theirs, rng):
    """With a rate that changes, which tells the two kinds of momentum apart."""
    rule = dr.optimizers.Optimizer.find(name)(compat="keras", **ours)
    assert rule.learning_rate == KERAS_RATES.get(name, 1e-3)
    decay = ours.get("weight_decay", 0.004 if name == "adamw" else 0.0)
    rates = rule.learning_rate * np.linspace(30, 1, STEPS)
    w = rng.normal(size=9)
    expected, memory = w.copy(), {}
    for step, got in enumerate(follow(rule, w, rates), start=1):
        g = bowl(expected, step)
        expected = expected - expected * decay * rates[step - 1]
        expected = RULES[name](expected, g, memory, step, rates[step - 1], **theirs)
        assert_near(got, expected, 1e-12, f"{name}, step {step}", 1)


KERAS_CLASSES = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "adamax": "Adamax",
    "lion": "Lion",
}


@pytest.fixture
def keras(monkeypatch):
    """Keras on JAX, in float64 for one test."""
    jax = pytest.importorskip("jax", reason="jax is not installed: no cross-check with Keras")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras", reason="keras is not installed: no cross-check with Keras")
    before = jax.config.jax_enable_x64, keras.config.floatx()
    jax.config.update("jax_enable_x64", True)
    keras.config.set_floatx("float64")
    yield keras
    jax.config.update("jax_enable_x64", before[0])
    keras.config.set_floatx(before[1])


def test_every_rule_of_keras_is_checked():
    assert set(KERAS_CLASSES) == set(_compat.LIBRARIES["keras"])


@pytest.mark.parametrize(("name", "ours", "theirs"), VARIANTS)
def test_keras_itself(name, ours, theirs, rng, keras):
    rule = dr.optimizers.Optimizer.find(name)(compat="keras", **ours)
    peer = getattr(keras.optimizers, KERAS_CLASSES[name])(**ours)
    assert rule.learning_rate == pytest.approx(float(peer.learning_rate))
    w = rng.normal(size=9)
    variable = keras.Variable(w.copy(), dtype="float64")  # JAX may keep the array it is given
    peer.build([variable])
    rates = rule.learning_rate * np.linspace(30, 1, STEPS)
    for step, got in enumerate(follow(rule, w, rates), start=1):
        peer.learning_rate = rates[step - 1]
        gradient = bowl(np.array(variable.value), step)
        peer.apply([keras.ops.convert_to_tensor(gradient, dtype="float64")], [variable])
        assert_near(got, np.array(variable.value), 1e-12, f"{name}, step {step}", 1)


PEERS = {
    "sgd": "SGD",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adadelta": "Adadelta",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "NAdam",
    "adamax": "Adamax",
    "radam": "RAdam",
    "rprop": "Rprop",
}


def test_every_rule_of_torch_is_checked():
    others = {"muon"}  # for matrices: test_whole_tensor_rules.py
    assert set(PEERS) | others == set(_compat.LIBRARIES["torch"])
    assert set(RULES) == set(_compat.LIBRARIES["keras"])


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("decay", [None, 0.3])
def test_torch(name, decay, rng, request):
    """Their constructor without arguments, or with what both call by the same name."""
    torch = pytest.importorskip("torch", reason="torch is not installed: its defaults are not checked")
    request.addfinalizer(partial(torch.set_default_dtype, torch.get_default_dtype()))
    torch.set_default_dtype(torch.float64)  # else NAdam keeps its product of momenta in float32
    extra = {} if decay is None or name == "rprop" else {"weight_decay": decay}
    if name == "sgd" and extra:
        extra |= {"momentum": 0.9, "dampening": 0.4}
    theirs = torch.nn.Parameter(torch.tensor(rng.normal(size=9)))
    peer = getattr(torch.optim, PEERS[name])([theirs], **extra)
    rule = dr.optimizers.Optimizer.find(name)(compat="torch", **extra)
    assert rule.learning_rate == peer.defaults["lr"]
    w = theirs.detach().numpy().copy()
    for step, got in enumerate(follow(rule, w, [rule.learning_rate] * STEPS), start=1):
        theirs.grad = torch.tensor(bowl(theirs.detach().numpy(), step))
        peer.step()
        assert_near(got, theirs.detach().numpy(), 1e-11, f"{name}, step {step}", 1)


def test_arguments_beside_it_win():
    rule = dr.Adam(compat="keras", epsilon=1e-3)
    assert (rule.epsilon, rule.epsilon_hat) == (1e-3, True)
    assert rule == dr.Adam(epsilon=1e-3, epsilon_hat=True, decoupled_weight_decay=True)
    assert "compat" not in rule.config()
    assert dr.Adam.from_config({"name": "adam", "compat": "keras"}) == dr.Adam(compat="keras")
    assert dr.Adam(compat=None) == dr.Adam()


def test_the_docstring_tells_what_it_sets():
    for name in RULES:
        cls = dr.optimizers.Optimizer.find(name)
        doc = inspect.getdoc(cls)
        for argument, value in _compat.LIBRARIES["keras"][name].items():
            assert f"{argument}={value!r}" in doc


def test_unknown_libraries_and_rules():
    with pytest.raises(
        ValueError, match=r"Adam: compat = 'jax' is not allowed; allowed: 'torch', 'keras' or N"
    ):
        dr.Adam(compat="jax")
    with pytest.raises(ValueError, match="Lion: compat = 'torch' is not allowed; allowed: 'keras' or None"):
        dr.Lion(compat="torch")
    with pytest.raises(ValueError, match="NAG: compat = 'torch' is not allowed: no other library"):
        dr.NAG(compat="torch")
