"""Objects and functions made from the catalogue: they ask the library what exists."""

import inspect
import pickle

import numpy as np
import pytest

import deltarule as dr
from deltarule import _families
from deltarule._from_catalog import CATALOG

BASES = {
    "activation": dr.activations.ActivationFunction,
    "row_op": dr.activations.RowOperation,
    "loss": dr.losses.Loss,
    "optimizer": dr.optimizers.Optimizer,
    "initializer": dr.initializers.Initializer,
    "schedule": dr.schedules.Schedule,
    "metric": dr.metrics.Metric,
    "layer": dr.layers.Layer,
}
ENTRIES = [(family, entry) for family, entries in CATALOG.items() for entry in entries]
entries = pytest.mark.parametrize(("family", "entry"), ENTRIES, ids=[f"{f}-{e['name']}" for f, e in ENTRIES])
ELEMENTWISE = [e for e in CATALOG["optimizer"] if e["reach"] == "element"]
NEEDED = {
    "dense": {"units": 7},
    "rbf": {"units": 7},
    "reshape": {"shape": (4, 3, 2)},
    "conv_2d": {"filters": 7},
    "embedding": {"columns": (0,), "cardinalities": (2,)},
    "residual": {"block": (dr.Dense(3, "tanh", name="inner"), dr.Residual([dr.Dropout()]))},
    "weight_norm": {"layer": dr.Dense(3, "tanh", name="inner")},
    "branches": {"branches": ((dr.Dense(3),), ())},
}


def make(family, entry):
    return BASES[family].find(entry["name"])(**NEEDED.get(entry["name"], {}))


def inside(parameter):
    """A value other than the default, in the legal range."""
    default, low, high = parameter["default"], parameter["low"], parameter["high"]
    if parameter["kind"] == "boolean":
        return not default
    if parameter["kind"] == "choice":
        return next(c for c in parameter["choices"] if c != default)
    if parameter["kind"] == "integer":
        return default + 1
    if parameter["kind"] == "integer_list":
        return tuple(v + 1 for v in default) or (2,)
    if parameter["kind"] == "real_list":
        return tuple(v + 0.5 for v in default)
    candidates = [default / 2 + 0.125, default / 2, default + 0.5]
    return next(
        c for c in candidates if c != default and (low is None or c > low) and (high is None or c < high)
    )


def outside(parameter):
    if parameter["kind"] == "choice":
        return "no such choice"
    if parameter["kind"] == "boolean":
        return 2
    if parameter["kind"].endswith("list"):
        low = parameter["low"]
        return (*parameter["default"][1:], low - 1) if low is not None else (float("nan"),)
    if parameter["low"] is not None:
        return parameter["low"] - 1
    return float("inf") if parameter["high_open"] else parameter["high"] + 1


def test_families_are_complete():
    assert (
        set(CATALOG)
        == set(BASES)
        == {b.family for b in vars(_families).values() if getattr(b, "family", None)}
    )


@entries
def test_name_and_aliases(family, entry):
    thing = make(family, entry)
    assert isinstance(thing, BASES[family])
    for alias in entry["aliases"]:
        assert BASES[family].find(alias) is type(thing)
    if entry["class_name"]:
        assert type(thing).__name__ == entry["class_name"]
        assert getattr(dr, entry["class_name"], None) is type(thing) or family == "metric"


@entries
def test_signature_defaults_and_attributes(family, entry):
    thing = make(family, entry)
    parameters = inspect.signature(type(thing)).parameters
    assert {p["name"] for p in entry["parameters"]} <= set(parameters)
    for p in entry["parameters"]:
        required = p["name"] in NEEDED.get(entry["name"], {})
        assert parameters[p["name"]].default == (inspect.Parameter.empty if required else p["default"])
        if not required:
            assert getattr(thing, p["name"]) == p["default"]
        assert p["name"] in dir(thing)


@entries
def test_docstring(family, entry):
    doc = inspect.getdoc(type(make(family, entry)))
    assert doc.startswith(entry["summary"])
    for text in (
        entry["formula"],
        entry["source"],
        repr(entry["name"]),
        *(p["meaning"][1:] for p in entry["parameters"]),
    ):
        assert text in doc
    section = doc.split("Notes\n")[0].splitlines()
    described = [line.split(" : ")[0] for line in section if " : " in line and line[0] != " "]
    assert described == list(inspect.signature(type(make(family, entry))).parameters)


@entries
def test_config_equality_hash_repr_pickle(family, entry):
    thing = make(family, entry)
    changed = type(thing)(
        **NEEDED.get(entry["name"], {}) | {p["name"]: inside(p) for p in entry["parameters"]}
    )
    names = vars(dr) | vars(dr.activations) | vars(dr.metrics)
    for one in (thing, changed):
        assert BASES[family].from_config(one.config()) == one
        assert type(one).from_config(one.config()) == one
        twin = pickle.loads(pickle.dumps(one))
        assert twin == one
        assert hash(twin) == hash(one)
        assert eval(repr(one), dict(names)) == one
    assert (thing == changed) is (not entry["parameters"])
    assert thing != entry["name"]


@entries
def test_ranges(family, entry):
    cls = type(make(family, entry))
    for p in entry["parameters"]:
        given = NEEDED.get(entry["name"], {})
        assert getattr(cls(**given | {p["name"]: inside(p)}), p["name"]) == inside(p)
        with pytest.raises(
            ValueError, match=f"{entry['name']}: {p['name']} = .* is not allowed; allowed: "
        ) as caught:
            cls(**given | {p["name"]: outside(p)})
        assert p["range"] in str(caught.value)


@entries
def test_unknown_parameter(family, entry):
    with pytest.raises(TypeError, match=f"{entry['name']}: unknown parameter 'nonsense'"):
        type(make(family, entry))(**NEEDED.get(entry["name"], {}), nonsense=1)


@pytest.mark.parametrize("name", dr.kernels.__all__)
def test_kernels_have_signatures_and_docstrings(name):
    kernel = getattr(dr.kernels, name)
    assert inspect.getdoc(kernel)
    assert inspect.signature(kernel).parameters
    assert name in dir(dr.kernels)


def test_kernel_names_follow_the_catalogue():
    expected = set()
    for family, suffixes in {
        "activation": ("", "_backward"),
        "row_op": ("", "_backward"),
        "loss": ("",),
        "optimizer": ("_update",),
    }.items():
        for entry in ELEMENTWISE if family == "optimizer" else CATALOG[family]:
            expected |= {n + s for n in (entry["name"], *entry["aliases"]) for s in suffixes}
    assert expected <= set(dr.kernels.__all__)
    assert dr.kernels.silu is dr.kernels.swish


@pytest.mark.parametrize("entry", CATALOG["activation"] + CATALOG["row_op"], ids=lambda e: e["name"])
def test_activation_objects_call_their_kernels(entry, rng):
    function = dr.activations.ActivationFunction.make(entry["name"], "test", "f")
    x = rng.normal(size=(3, 4))
    y = function(x)
    np.testing.assert_array_equal(y, getattr(dr.kernels, entry["name"])(x))
    out = np.empty_like(y)
    assert function(x, out=out) is out
    backward = getattr(dr.kernels, entry["name"] + "_backward")
    unread = {"x": entry["reads"] in ("nothing", "output"), "y": entry["reads"] in ("nothing", "input")}
    full = backward(x, y, y)
    np.testing.assert_array_equal(backward(None if unread["x"] else x, None if unread["y"] else y, y), full)
    for argument, position in (("x", 0), ("y", 1)):
        if not unread[argument]:
            given = [x, y, y]
            given[position] = None
            with pytest.raises(TypeError, match=f"{entry['name']}_backward: {argument} is None"):
                backward(*given)


@pytest.mark.parametrize("entry", CATALOG["loss"], ids=lambda e: e["name"])
def test_loss_objects_call_their_kernels(entry, rng):
    loss = dr.losses.Loss.make(entry["name"], "test", "loss")
    z = rng.normal(size=(5, 3 * entry["outputs_per_target"]))
    target = rng.integers(0, 3, 5) if entry["target"] == "label" else rng.dirichlet(np.ones(3), 5)
    weight = rng.uniform(size=5)
    kernel = getattr(dr.kernels, entry["name"])
    value, gradient = kernel(z, target, weight)
    assert loss(z, target, weight) == value
    rows, plain = kernel(z, target, weight, "none")
    assert value == pytest.approx(rows.sum() / weight.sum(), rel=1e-14)
    np.testing.assert_allclose(gradient, plain / weight.sum(), rtol=1e-13)
    assert kernel(z, target, weight, reduction="sum")[0] == pytest.approx(rows.sum(), rel=1e-14)
    with pytest.raises(
        ValueError, match="reduction = 'average' is not allowed; allowed: 'mean', 'sum' or 'none'"
    ):
        kernel(z, target, reduction="average")


@pytest.mark.parametrize("entry", ELEMENTWISE, ids=lambda e: e["name"])
def test_update_kernels_work_in_place(entry, rng):
    update = getattr(dr.kernels, entry["name"] + "_update")
    needed = [
        n
        for n, p in inspect.signature(update).parameters.items()
        if n in entry["states"] and p.default is inspect.Parameter.empty
    ]
    w, g = rng.normal(size=(2, 3, 4))
    before, states = w.copy(), {name: np.zeros_like(w) for name in needed}
    assert update(w, g, *states.values(), step=1) is None
    assert (np.sign(before - w) == np.sign(g)).all()
    again = before.copy()
    update(again, g, **{name: np.zeros_like(w) for name in needed}, step=1)
    np.testing.assert_array_equal(again, w)
    name = f"{entry['name']}_update"
    with pytest.raises(
        TypeError,
        match=f"{name}: {len(needed) + 1} state arrays were given; these parameters need {len(needed)}",
    ):
        update(w, g, *states.values(), np.zeros_like(w), step=1)
    with pytest.raises(ValueError, match=f"{name}: step = 0 is not allowed; allowed: a whole number >= 1"):
        update(w, g, *states.values(), step=0)
    with pytest.raises(TypeError, match=f"{name}: w is a list; allowed: a NumPy array"):
        update([1.0], [1.0], step=1)
    with pytest.raises(ValueError, match=f"{name}: g has shape"):
        update(w, g[:2], *states.values(), step=1)


@pytest.mark.parametrize("entry", CATALOG["initializer"], ids=lambda e: e["name"])
def test_initializers_make_what_networks_get(entry):
    initializer = dr.initializers.Initializer.make(entry["name"], "test", "initializer")
    w = initializer((300, 50), seed=3)
    assert w.shape == (300, 50)
    assert w.dtype == np.float32
    np.testing.assert_array_equal(w, initializer((300, 50), seed=3))
    if w.std() > 0:
        assert abs(w.mean()) < 0.01
        assert not np.array_equal(w, initializer((300, 50), seed=4))


def test_schedules_evaluate_numbers_and_arrays():
    steps = np.arange(12).reshape(3, 4)
    cosine = dr.Cosine(10, final_learning_rate=0.1)
    expected = 0.1 + 0.4 * 0.5 * (1 + np.cos(np.pi * np.minimum(steps / 10, 1)))
    np.testing.assert_allclose(cosine(steps, 0.5), expected, rtol=1e-14)
    assert isinstance(cosine(3, 0.5), float)
    assert cosine(3, 0.5) == cosine(steps, 0.5)[0, 3]
    np.testing.assert_allclose(dr.Exponential(0.5, decay_steps=2)(steps), 0.5 ** (steps / 2), rtol=1e-14)
    warm = dr.Warmup(4, then=cosine)
    np.testing.assert_allclose(warm(np.arange(4), 0.5), 0.5 * np.array([1, 2, 3, 4]) / 4, rtol=1e-14)
    np.testing.assert_allclose(warm(4 + steps, 0.5), cosine(steps, 0.5), rtol=1e-14)
    np.testing.assert_array_equal(dr.Warmup(2)(np.arange(5), 0.2), [0.1, 0.2, 0.2, 0.2, 0.2])


def test_chains_of_schedules():
    schedule = dr.Warmup(3, then=dr.Warmup(4, then="cosine"))
    chain = schedule.chain()
    assert [c["name"] for c in chain] == ["warmup", "warmup", "cosine"]
    assert dr.schedules.Schedule.from_chain(chain) == schedule
    assert dr.schedules.Schedule.from_chain([]) is None
    assert dr.Adam(schedule=schedule.config()).schedule == schedule
    assert not hasattr(dr.Cosine(), "then")


def test_numpy_scalars_are_numbers():
    assert dr.Adam(np.float32(0.5)).learning_rate == 0.5
    assert dr.Dense(np.int64(3)) == dr.Dense(3)
    assert dr.SGD(nesterov=np.True_).nesterov is True


def test_higher_is_better():
    assert {e["name"] for e in CATALOG["metric"] if dr.metrics.Metric.find(e["name"]).higher_is_better()} >= {
        "accuracy",
        "r2",
    }
    assert not dr.metrics.Metric.find("mse").higher_is_better()


def test_metric_objects(rng):
    z, t = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    assert dr.metrics.Accuracy()(z, t) == pytest.approx((z.argmax(axis=1) == t).mean())
    assert dr.metrics.TopK(3)(z, t) == 1.0
    y = rng.normal(size=20)
    assert dr.metrics.Metric.find("r2")()(y, y) == 1.0
    assert dr.metrics.Metric.find("mae")()(y, y + 0.5) == pytest.approx(0.5)
    assert dr.metrics.Accuracy()(np.array([0.2, 0.8]), np.array([0, 1])) == 1.0
