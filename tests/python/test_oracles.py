"""The catalogue and the oracles name the same things, and the oracles are right where that can be seen."""

import importlib

import mpmath
import numpy as np
import pytest

from deltarule._native import core
from reference import activations, wide
from reference.checking import rounded, settings

CATALOG = core.catalog()
MODULES = {
    "activation": "activations",
    "row_op": "row_ops",
    "loss": "losses",
    "optimizer": "optimizers",
    "initializer": "initializers",
    "schedule": "schedules",
    "metric": "metrics",
    "layer": "layers",
}


@pytest.mark.parametrize("family", CATALOG)
def test_every_name_has_an_oracle(family):
    assert family in MODULES, (
        f"the family {family!r} is new: name its oracles' module in MODULES of {__file__}"
    )
    path = f"tests/reference/{MODULES[family]}.py"
    oracles = importlib.import_module(f"reference.{MODULES[family]}").ORACLES
    names = [entry["name"] for entry in CATALOG[family]]
    missing = [name for name in names if name not in oracles]
    assert not missing, f"no oracle for the {family} {', '.join(missing)}: write it in {path}"
    unknown = [name for name in oracles if name not in names]
    assert not unknown, f"{path} has oracles for {', '.join(unknown)}, which the catalogue does not have"


@pytest.mark.parametrize(
    "entry", [pytest.param(e, id=f"{f}-{e['name']}") for f, entries in CATALOG.items() for e in entries]
)
def test_declaration_is_complete(entry):
    """What documentation, stubs and these tests are made of."""
    assert entry["summary"].endswith("."), entry["summary"]
    assert entry["max_ulp"] > 0
    for parameter in entry["parameters"]:
        where = f"{entry['name']}, {parameter['name']}"
        assert parameter["meaning"], where
        assert parameter["range"], where
        if parameter["kind"] == "choice":
            assert parameter["default"] in parameter["choices"], where
        elif parameter["kind"] != "boolean":
            low, high, default = parameter["low"], parameter["high"], parameter["default"]
            for value in default if parameter["kind"].endswith("list") else (default,):
                assert low is None or value >= low, where
                assert high is None or value <= high, where
    assert len({str(s) for s in settings(entry)}) == len(settings(entry))


@pytest.mark.parametrize("family", CATALOG)
def test_names_and_aliases_are_unique(family):
    names = [n for e in CATALOG[family] for n in (e["name"], *e["aliases"])]
    assert len(names) == len(set(names))


def exact(function, xs):
    with mpmath.workdps(40):
        return np.array([wide.WIDE(mpmath.nstr(function(mpmath.mpf(float(x))), 25)) for x in xs])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (wide.logistic, lambda x: 1 / (1 + mpmath.exp(-x))),
        (wide.softplus, lambda x: mpmath.log1p(mpmath.exp(x))),
        (wide.normal_pdf, mpmath.npdf),
        (wide.normal_cdf, lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2),
        (np.tanh, mpmath.tanh),
        (np.expm1, mpmath.expm1),
    ],
    ids=["logistic", "softplus", "normal_pdf", "normal_cdf", "tanh", "expm1"],
)
def test_wide_functions_are_better_than_double(ours, theirs):
    rng = np.random.default_rng(1)
    x = np.concatenate([np.linspace(-38, 38, 400), rng.normal(size=300), 10.0 ** rng.uniform(-300, 1, 100)])
    wanted = exact(theirs, x)
    error = np.abs(ours(wide.wide(x)) - wanted) / np.abs(wanted)
    assert error.max() < 4e-16, x[error.argmax()]


@pytest.mark.skipif(np.finfo(np.longdouble).nmant < 60, reason="long double is double here")
def test_the_tails_of_the_normal_distribution():
    x = np.concatenate([np.linspace(-38.5, -2, 300), [-2.999999, -3, -3.000001, 3]])
    wanted = exact(lambda t: mpmath.erfc(-t / mpmath.sqrt(2)) / 2, x)
    assert (np.abs(wide.normal_cdf(wide.wide(x)) - wanted) / wanted).max() < 1e-16


@pytest.mark.parametrize(
    ("entry", "chosen"),
    [
        pytest.param(e, s, id="-".join([e["name"], *(f"{k}={v}" for k, v in s.items())]))
        for e in CATALOG["activation"]
        for s in settings(e)
        if not s.get("straight_through")  # a stand-in for the derivative
    ],
)
def test_the_oracles_derivatives_are_derivatives(entry, chosen):
    """The oracle's slope is the difference quotient of the oracle's value."""
    oracle = activations.ORACLES[entry["name"]]
    x = wide.wide(np.random.default_rng(2).uniform(-6, 6, 500))
    for place in activations.places(entry["name"], chosen):
        x = x[np.abs(x - place) > 0.01]
    h = wide.WIDE(1e-4)
    chosen = rounded(chosen, np.float64)
    f = [oracle.forward(x + k * h, **chosen) for k in (1, -1, 2, -2)]
    numeric = (8 * (f[0] - f[1]) - (f[2] - f[3])) / (12 * h)
    slope = sum(oracle.slopes(x, oracle.forward(x, **chosen), **chosen))
    assert np.abs(slope - numeric).max() < 1e-9 * max(1, float(np.abs(slope).max()))


@pytest.mark.parametrize("omega", [1.7, 30.0])
def test_the_sine_of_a_product_that_is_not_rounded(omega):
    """Its argument has more digits than any type; mpmath takes it whole."""
    x = np.concatenate([np.linspace(-50, 50, 101), 10.0 ** np.linspace(3, 30, 60)])
    with mpmath.workdps(80):
        wanted = [mpmath.nstr(mpmath.sin(mpmath.mpf(float(v)) * mpmath.mpf(omega)), 25) for v in x]
    got = activations.sin(wide.wide(x), wide.WIDE(omega))
    assert np.abs(got - np.array([wide.WIDE(w) for w in wanted])).max() < 1e-17


def test_the_oracle_of_tanhshrink_keeps_its_digits_near_zero():
    x = 10.0 ** np.linspace(-100, 1, 200)
    with mpmath.workdps(400):
        wanted = [mpmath.nstr(v - mpmath.tanh(v), 25) for v in map(mpmath.mpf, map(float, x))]
    wanted = np.array([wide.WIDE(w) for w in wanted])
    assert (np.abs(activations.tanhshrink(wide.wide(x)) - wanted) / wanted).max() < 1e-16
