"""`repr` of every class with every kind of argument: it never fails, and where it can be code it is."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._declaration import Declaration
from deltarule._from_catalog import CATALOG

CLASSES = [Declaration.registry[family, entry["name"]] for family in CATALOG for entry in CATALOG[family]]
classes = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.family}-{cls.entry['name']}")
NEEDED = {
    "units": 7,
    "filters": 7,
    "shape": (4, 3, 2),
    "columns": (0,),
    "cardinalities": (2,),
    "block": [dr.Dense(3, "tanh", name="inner"), dr.Residual([dr.Dropout()])],
    "layer": dr.Dense(3, "tanh", name="inner"),
    "branches": [[dr.Dense(3)], []],
}


def halving(step):
    return 0.1 / (step + 1)


def cubed(x):
    return x**3


def cubed_slope(x):
    return 3 * x**2


CUBE = dr.custom.activation(cubed, cubed_slope, name="cube_to_show")
NAMES = vars(dr) | vars(dr.activations) | vars(dr.metrics) | {"halving": halving}
GIVEN = {
    "activation": ["tanh", dr.activations.LeakyRelu(), dr.activations.LeakyRelu(alpha=0.5), "softmax"],
    "initializer": ["zeros", dr.ConstantValue(value=2.0), "auto"],
    "bias_initializer": ["zeros", dr.ConstantValue(value=2.0)],
    "schedule": ["cosine", dr.Cosine(7), dr.Warmup(3, then=dr.Warmup(4, then="linear")), None],
    "then": ["cosine", dr.Cosine(7), None],
    "name": ["shown", None],
    "compat": [None],
}


def needed(cls):
    return {name: NEEDED[name] for name in cls.required}


@classes
def test_every_argument(cls):
    for argument, extra in cls.extras.items():
        for value in [] if extra.required else [extra.default, *GIVEN[argument]]:
            if value in ("softmax", "auto") and extra.default != value:
                continue  # for some layers only
            thing = cls(**needed(cls), **{argument: value})
            assert eval(repr(thing), dict(NAMES)) == thing


@classes
def test_functions(cls):
    assert eval(repr(cls(**needed(cls))), dict(NAMES)) == cls(**needed(cls))
    if "schedule" in cls.extras:
        text = repr(cls(schedule=halving))
        assert text == f"{cls.__name__}(schedule=ScheduleFunction({halving!r}))"
    if "activation" in cls.extras:
        assert "activation='cube_to_show'" in repr(cls(**needed(cls), activation=CUBE))
        assert "activation='cube_to_show'" in repr(cls(**needed(cls), activation=(cubed, cubed_slope)))


@dr.custom.layer
class Shift:
    """Adds a number."""

    def __init__(self, by=1.0):
        self.by = by

    def build(self, input_width):
        return input_width, {}

    def forward(self, x, parameters, training):
        return x + self.by

    def backward(self, x, y, dy, parameters):
        return dy, {}


def descent_to_show(parameters, gradient, learning_rate, step):
    parameters -= learning_rate * gradient


def quadratic_to_show(outputs, targets):
    return ((outputs - targets) ** 2).sum(axis=1) / 2, outputs - targets


def test_own_classes():
    assert repr(CUBE) == "cube_to_show()"
    assert repr(Shift()) == "Shift()"
    assert repr(dr.Residual([Shift(2.0, name="a")])) == "Residual([Shift(by=2.0, name='a')])"
    rule, loss = dr.custom.optimizer(descent_to_show), dr.custom.loss(quadratic_to_show)
    assert repr(rule()) == "descent_to_show()"
    assert repr(rule(schedule="cosine")) == "descent_to_show(schedule='cosine')"
    assert repr(rule(schedule=halving)).startswith("descent_to_show(schedule=ScheduleFunction(<function")
    assert repr(loss) == "quadratic_to_show()"


def test_what_holds_an_optimizer(capsys):
    net = dr.Sequential([dr.Dense(1)])
    net.compile(dr.Adam(schedule=halving), loss="mse")
    assert "ScheduleFunction(<function halving" in repr(net.compiled)
    X = np.linspace(-1, 1, 20, dtype="float32")[:, None]
    rules = [dr.SGD(schedule=halving), dr.SGD()]
    results = dr.fit_many(
        X, X, dr.grid(optimizer=rules), build=lambda: dr.Sequential([dr.Dense(1)]), loss="mse", verbose=2
    )
    assert sorted(line.split()[0] for line in capsys.readouterr().out.splitlines()) == ["1/2", "2/2"]
    assert [record["optimizer"][:4] for record in results.records()] == ["SGD(", "SGD("]
    with pytest.raises(TypeError, match="cannot be saved"):
        rules[0].config()
