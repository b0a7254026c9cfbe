"""What names of the user's own functions mean: objects keep their function, a name means the newest."""

import json
import pickle
import struct

import numpy as np
import pytest

import deltarule as dr
from deltarule import _registered
from deltarule.diagnostics import gradient_check

X = np.array([[-1.0], [2.0]])


def leaky(k, **name):
    return dr.custom.activation(
        lambda x: np.where(x > 0, x, k * x), lambda x: np.where(x > 0, 1, k) + 0 * x, **name
    )


def scaled_loss(k):
    def squared(outputs, targets):
        return k * ((outputs - targets) ** 2).sum(axis=1), 2 * k * (outputs - targets)

    return squared


def step_of(size):
    def rule(parameters, gradient, learning_rate, step):
        parameters -= size

    return rule


def times(k, **name):
    @dr.custom.layer(**name)
    class Times:
        """Multiplies by a number."""

        def build(self, input_width):
            return input_width, {"unused": ((input_width,), "zeros")}

        def forward(self, x, parameters, training):
            return k * x

        def backward(self, x, y, dy, parameters):
            return k * dy, {"unused": np.zeros(dy.shape[1])}

    return Times


def identity_net(*layers, loss="mse", optimizer="sgd"):
    net = dr.Sequential([dr.Dense(1), *layers], dtype="float64")
    net.compile(optimizer, loss=loss)
    net.build(1)
    net.set_weights(
        {
            n: np.ones(a.shape) if n.endswith("weight") else np.zeros(a.shape)
            for n, a in net.get_weights().items()
        }
    )
    return net


def slope(activation):
    return float(identity_net(dr.Activation(activation)).predict(X)[0, 0]) * -1


@pytest.mark.parametrize("name", [{}, {"name": "one_name_for_two"}], ids=["unnamed", "named"])
def test_activations_of_a_factory_stay_apart(name):
    made = [leaky(k, **name) for k in (0.1, 0.9)]
    assert [slope(f) for f in made] == pytest.approx([0.1, 0.9])
    assert made[0] != made[1]
    assert [float(f(np.array([-1.0]))[0]) for f in made] == pytest.approx([-0.1, -0.9])
    both = identity_net(*map(dr.Activation, made))
    assert both.predict(X)[0, 0] == pytest.approx(-0.09)
    assert gradient_check(both, X, X).ok
    if name:
        assert slope("one_name_for_two") == pytest.approx(0.9)
    else:
        assert made[0].config() != made[1].config()


def test_losses_of_a_factory_stay_apart():
    for options in ({}, {"name": "one_loss_for_two"}):
        made = [dr.custom.loss(scaled_loss(k), **options) for k in (1, 9)]
        nets = [identity_net(loss=loss) for loss in made]
        a, b = (net.evaluate(X, 0 * X)["loss"] for net in nets)
        assert (a, b) == pytest.approx((2.5, 22.5))
        assert [loss(X, 0 * X) for loss in made] == pytest.approx([2.5, 22.5])


def test_rules_of_one_name_stay_apart():
    for options in ({}, {"name": "rr"}):
        made = [dr.custom.optimizer(step_of(k), **options) for k in (0.25, 0.5)]
        moved = []
        for rule in made:
            net = identity_net(optimizer=rule(0.1))
            net.train_on_batch(X, X)
            moved.append(1 - net.get_weights()["dense_1.weight"][0, 0])
        assert moved == pytest.approx([0.25, 0.5])


def test_layers_of_one_name_stay_apart():
    made = [times(k, name="TimesK") for k in (2, 3)]
    net = identity_net(made[0](), made[1](), made[0](name="mine"))
    assert net.predict([[1.0]]) == pytest.approx(12)
    assert [n for n in net.get_weights() if "unused" in n] == [
        "TimesK_1.unused", "TimesK_2.unused", "mine.unused",
    ]  # fmt: skip
    inside = identity_net(dr.Residual([made[0]()]), dr.Branches([[made[0]()], [made[1]()]]))
    assert inside.predict([[1.0]]) == pytest.approx(15)
    assert "branches_1.TimesK_2.unused" in inside.get_weights()


def test_definitions_run_again_keep_their_name_and_newest_counts():
    def cell(k):
        space = {"__name__": "notebook", "np": np}
        exec(f"def bent(x):\n    return {k} * x\n\ndef slope(x):\n    return {k} + 0 * x\n", space)
        return dr.custom.activation(space["bent"], space["slope"])

    first, second = cell(2), cell(5)
    assert first.entry["name"] == second.entry["name"] == "bent"
    assert (slope(first), slope(second), slope("bent")) == pytest.approx((2, 5, 5))


def test_the_routes_agree():
    f, g = (lambda x: 2 * x), (lambda x: 2 + 0 * x)
    registered = dr.custom.activation(f, g)
    assert dr.Dense(1, (f, g)).activation == registered
    tanh = dr.custom.activation(np.tanh, lambda x: 1 - np.tanh(x) ** 2)
    assert tanh.entry["name"].startswith("tanh_")
    labels = dr.custom.loss(scaled_loss(1), from_logits=True)
    net = dr.Sequential([dr.Dense(1)])
    net.compile("sgd", loss=labels.functions[0])
    assert net.compiled.loss == labels


def test_copies_and_pickles_keep_their_functions():
    def network(k):
        f = leaky(k, name="kept_activation")
        loss = dr.custom.loss(scaled_loss(k), name="kept_loss")
        rule = dr.custom.optimizer(step_of(k), name="kept_rule")
        return identity_net(dr.Activation(f), loss=loss, optimizer=rule(0.1))

    early, unbuilt = network(0.25), dr.Sequential([dr.Dense(1, leaky(0.25, name="kept_activation"))])
    early.train_on_batch(X, X)
    texts = pickle.dumps(early), pickle.dumps(unbuilt), pickle.dumps(early.layers[1].activation)
    network(0.5)
    late = early.copy(), pickle.loads(texts[0]), pickle.loads(pickle.dumps(early))
    before = early.get_weights()
    expected = early.predict(X), early.evaluate(X, X)
    early.train_on_batch(X, X)
    assert before["dense_1.weight"] - early.get_weights()["dense_1.weight"] == pytest.approx(0.25)
    for net in late:
        assert np.array_equal(net.predict(X), expected[0])
        assert net.evaluate(X, X) == expected[1]
        net.train_on_batch(X, X)
        assert np.array_equal(net.get_weights()["dense_1.weight"], early.get_weights()["dense_1.weight"])
    assert slope(pickle.loads(texts[2])) == pytest.approx(0.25)
    built = pickle.loads(texts[1]).build(1)
    single = built.to_bfloat16()
    built.set_weights({"dense_1.weight": [[1]], "dense_1.bias": [0]})
    assert built.predict(X)[0, 0] == pytest.approx(-0.25)
    assert np.array_equal(pickle.loads(pickle.dumps(single)).predict(X), single.predict(X))


def test_a_pickle_of_another_process_goes_by_name(monkeypatch):
    text = pickle.dumps(leaky(0.25, name="from_elsewhere"))
    leaky(0.75, name="from_elsewhere")
    monkeypatch.setattr(_registered, "_by_token", {})
    assert slope(pickle.loads(text)) == pytest.approx(0.75)


def test_files_hold_plain_names(tmp_path):
    path = tmp_path / "net.safetensors"
    older, newer = leaky(0.25, name="filed"), leaky(0.5, name="filed")
    rules = [dr.custom.optimizer(step_of(k), name="filed_rule") for k in (0.25, 0.5)]
    net = identity_net(dr.Activation(older), optimizer=rules[0](0.1))
    net.train_on_batch(X, X)
    net.save(path)
    head = path.read_bytes()
    head = json.loads(head[8 : 8 + struct.unpack("<Q", head[:8])[0]])["__metadata__"]
    assert "filed" in str(head)
    assert "filed." not in str(head)
    loaded = dr.load(path)
    assert loaded.step == 1
    twin = identity_net(dr.Activation(newer))
    twin.set_weights(net.get_weights())
    assert np.array_equal(loaded.predict(X), twin.predict(X))
    both = identity_net(dr.Activation(older), dr.Activation(newer))
    path.unlink()
    with pytest.raises(ValueError, match=r"two functions of the activation name 'filed'.*names of their own"):
        both.save(path)
    assert not path.exists()


def test_a_file_says_what_to_register(tmp_path):
    path = tmp_path / "net.safetensors"
    identity_net(dr.Activation(leaky(0.25, name="snake_a"))).save(path)
    path.write_bytes(path.read_bytes().replace(b"snake_a", b"snake_b"))
    with pytest.raises(dr.FormatError, match=r"register it first with deltarule.custom.activation\("):
        dr.load(path)
