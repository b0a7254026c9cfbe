"""Every update rule of the catalogue: trajectories against its oracle, toy problems, bad arguments."""

from functools import partial

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near, cases
from reference.optimizers import ORACLES

# A rule that looks at more than a weight and its gradient needs a network, and has tests of its own.
ENTRIES = [e for e in core.catalog()["optimizer"] if e["reach"] in ("element", "tensor")]
CASES = cases(ENTRIES, most=2)
BY_NAME = [pytest.param(e, id=e["name"]) for e in ENTRIES]
TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def combined(**chosen):
    """Settings of one rule that act on each other, for every rule that knows them all."""
    result = []
    for entry in ENTRIES:
        defaults = {p["name"]: p["default"] for p in entry["parameters"]}
        if chosen.keys() <= defaults.keys():
            name = "-".join([entry["name"], *(f"{k}={v}" for k, v in chosen.items())])
            result.append(pytest.param(entry, defaults | chosen, id=name))
    return result


COMBINED = [
    *combined(momentum=0.9, nesterov=True),
    *combined(momentum=0.9, dampening=0.9),
    *combined(momentum=0.8, dampening=0.3, nesterov=True, weight_decay=0.1),
    *combined(amsgrad=True, weight_decay=0.1, beta_2=0.5),
    *combined(epsilon=0.1, eps_inside=True, momentum=0.9),
    *combined(centered=True, momentum=0.9, eps_inside=True),
    *combined(centered=True, weight_decay=0.1),
    *combined(weight_decay=0.1, decoupled_weight_decay=True),
    *combined(momentum=0.9, rate_in_buffer=True),
    *combined(momentum=0.9, nesterov=True, rate_in_buffer=True),
    *combined(momentum=0.9, dampening=0.5, dampen_first_step=False),
    *combined(momentum=0.8, averaged=True, weight_decay=0.1),
    *combined(eps_inside=True, initial_accumulator=0.1, learning_rate_decay=0.1),
    *combined(epsilon=0.01, epsilon_hat=True),
    *combined(epsilon=0.01, epsilon_in_maximum=False),
    *combined(beta_2=0.3, epsilon=1e-3),
]


def states(entry, chosen, w):
    """The arrays that this choice of parameters keeps, by name."""
    used = core.states_used(core.find("optimizer", entry["name"]), chosen)
    return {name: np.zeros_like(w) for name in entry["states"][:used]}


def run(entry, chosen, w, gradient, steps, kept=None, first=1):
    update = getattr(dr.kernels, entry["name"] + "_update")
    kept = states(entry, chosen, w) if kept is None else kept
    for step in range(first, first + steps):
        update(w, gradient(w, step), *kept.values(), step=step, **chosen)
    return kept


def bowl(w, step):
    """A gradient with a part of its own at every step, so that no parameter is without effect."""
    return (0.5 * w + np.sin(step + np.arange(w.size)).reshape(w.shape)).astype(w.dtype)


@pytest.mark.parametrize(("entry", "chosen"), [*CASES, *COMBINED])
@TYPES
def test_trajectory_is_the_oracles(entry, chosen, dtype, rng):
    """50 steps, each with the gradient at the kernel's own weights. The error may grow with the path."""
    start = rng.normal(size=37).astype(dtype)
    w, path = start.copy(), np.zeros(37)
    exact, exact_states = start.astype(np.longdouble), {}
    base, travelled = exact, np.zeros(37)
    kept = states(entry, chosen, w)
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for step in range(1, 51):
        g = bowl(w, step)
        run(entry, chosen, w, lambda _, __, g=g: g, 1, kept, step)
        before = exact
        exact = ORACLES[entry["name"]](before, g.astype(np.longdouble), exact_states, step, **chosen)
        path += abs((exact - before).astype(float))
        size = np.abs(start) + path
        if "base_point" in exact_states:  # the weights are a mean of points that move further
            travelled += abs(exact_states["base_point"] - base).astype(float)
            base, size = exact_states["base_point"], size + travelled
        assert_near(w, exact, tolerance, f"{entry['name']} {chosen}, step {step}", size)
    for name, array in kept.items():
        if name in exact_states:
            size = np.abs(exact_states[name]).max() + (travelled.max() if name.endswith("_point") else 0)
            assert_near(array, exact_states[name], tolerance, f"{entry['name']} {chosen}: {name}", size)
    assert set(exact_states) <= set(kept), "a state array that the oracle needs is not kept"


def changed(case):
    entry, chosen = case.values
    return {p["name"] for p in entry["parameters"] if chosen[p["name"]] != p["default"]}


# These act together with another one only: with momentum, dampening, weight decay, or with large steps.
SECONDARY = {"dampening", "nesterov", "dampen_first_step", "rate_in_buffer", "decoupled_weight_decay"}
SECONDARY |= {"largest_step", "warmup_steps"}  # a warmup of one step is none
ACTING = [case for case in [*CASES, *COMBINED] if changed(case) - SECONDARY]


@pytest.mark.parametrize(("entry", "chosen"), ACTING)
def test_every_parameter_acts(entry, chosen, rng):
    """A changed parameter changes the weights; one of Muon's, of a matrix or of a vector."""
    defaults = {p["name"]: p["default"] for p in entry["parameters"]}
    changes = []
    for shape in ((20,), (4, 5)):
        start = rng.normal(size=shape)
        w, plain = start.copy(), start.copy()
        run(entry, chosen, w, bowl, 30)
        run(entry, defaults, plain, bowl, 30)
        changes.append(not np.array_equal(w, plain))
    assert any(changes) if entry["name"] == "muon" else all(changes)


# Steps of a size that the rule sets itself need another rate than 0.1 and 1e-3, which suit the others.
PARABOLA_RATES = {"adagrad": 1.0, "adadelta": 10.0, "muon": 0.1 / 0.015}
ROSENBROCK_RATES = {"adagrad": 0.1, "adadelta": 0.3, "amsgrad": 0.01, "rprop": 0.01, "lamb": 0.01}
ROSENBROCK_RATES |= {"muon": 1e-3 / 0.015}


def undecayed(entry, **chosen):
    """Defaults without weight decay."""
    defaults = {p["name"]: p["default"] for p in entry["parameters"]}
    return defaults | ({"weight_decay": 0.0} if "weight_decay" in defaults else {}) | chosen


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_solves_a_parabola(entry, dtype):
    goal = np.array([3, -2, 0.5], dtype)
    w = np.zeros(3, dtype)
    steps = 3000
    rate = PARABOLA_RATES.get(entry["name"], 0.1)

    def gradient(w, _):
        return 2 * (w - goal)

    chosen = undecayed(entry)
    kept = states(entry, chosen, w)
    for step in range(1, steps + 1):
        decayed = chosen | {"learning_rate": rate * (1 - step / steps)}
        run(entry, decayed, w, gradient, 1, kept, step)
    assert_near(w, goal, 1e-3, entry["name"], 1)


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_gets_down_on_rosenbrock(entry, dtype):
    def value(w):
        return float((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2)

    def gradient(w, _):
        u = w[1] - w[0] ** 2
        return np.array([-2 * (1 - w[0]) - 400 * w[0] * u, 200 * u], dtype)

    w = np.array([-1.2, 1], dtype)
    chosen = undecayed(entry, learning_rate=ROSENBROCK_RATES.get(entry["name"], 1e-3))
    run(entry, chosen, w, gradient, 12_000)
    assert value(w) < 0.3, f"{value(w)} at {w}, from 24.2"


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_zero_gradient_and_zero_rate(entry, dtype):
    chosen = undecayed(entry)
    w = np.array([1.5, -2, 0], dtype)
    run(entry, chosen, w, lambda w, _: np.zeros_like(w), 3)
    assert w.tolist() == [1.5, -2, 0]
    if entry["name"] == "rprop":  # its rate is the first step, and steps have a lower limit of their own
        return
    run(entry, chosen | {"learning_rate": 0.0}, w, bowl, 3)
    assert w.tolist() == [1.5, -2, 0]


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_extreme_gradients(entry, dtype):
    """Gradients as small as the type has, and large ones whose square it still holds, give finite steps."""
    info = np.finfo(dtype)
    g = np.array([info.smallest_subnormal, info.tiny, 1e-20, info.max**0.45, -(info.max**0.45)], dtype)
    w = np.zeros_like(g)
    run(entry, {p["name"]: p["default"] for p in entry["parameters"]}, w, lambda *_: g, 5)
    assert np.isfinite(w).all()
    assert (np.sign(w) * np.sign(g) <= 0).all()


@pytest.mark.parametrize("entry", BY_NAME)
@TYPES
def test_nan_gradient_is_not_hidden(entry, dtype):
    g = np.ones(20, dtype)
    g[[3, 19]] = np.nan
    w = np.zeros_like(g)
    run(entry, {p["name"]: p["default"] for p in entry["parameters"]}, w, lambda *_: g, 1)
    assert np.flatnonzero(np.isnan(w)).tolist() == [3, 19]


@pytest.mark.parametrize(("entry", "chosen"), COMBINED)
@TYPES
def test_bits_do_not_depend_on_the_place_or_threads(entry, chosen, dtype, rng):
    start = rng.normal(size=70_001).astype(dtype)
    g = rng.normal(size=start.size).astype(dtype)
    results = []
    try:
        for threads in (1, 2, 3):
            dr.set_num_threads(threads)
            w = start.copy()
            kept = run(entry, chosen, w, lambda *_: g, 3)
            results.append(w.tobytes() + b"".join(a.tobytes() for a in kept.values()))
    finally:
        dr.set_num_threads(0)
    assert results[0] == results[1] == results[2]
    if entry["name"] == "lamb":  # every step looks at the norms of all
        return
    for n in range(1, 40):
        part = start[n : 2 * n].copy()
        run(entry, chosen, part, lambda *_, n=n: g[n : 2 * n], 3)
        assert part.tobytes() == w[n : 2 * n].tobytes(), n


@pytest.mark.parametrize("entry", BY_NAME)
def test_states_go_on_where_they_were(entry, rng):
    chosen = {p["name"]: p["default"] for p in entry["parameters"]}
    start = rng.normal(size=9)
    whole, parts = start.copy(), start.copy()
    run(entry, chosen, whole, bowl, 10)
    kept = run(entry, chosen, parts, bowl, 4)
    run(entry, chosen, parts, bowl, 6, {k: v.copy() for k, v in kept.items()}, 5)
    assert np.array_equal(whole, parts)


@pytest.mark.parametrize("entry", BY_NAME)
def test_bad_arguments(entry):
    """Refused before anything is written."""
    update, name = getattr(dr.kernels, entry["name"] + "_update"), entry["name"]
    w = np.ones(4)
    kept = list(states(entry, {}, w).values())
    g = np.ones(4)
    for step in (0, -1):
        with pytest.raises(ValueError, match=rf"{name}_update: step = {step} is not allowed"):
            update(w, g, *kept, step=step)
    with pytest.raises(TypeError, match="step"):
        update(w, g, *kept)
    with pytest.raises(TypeError, match=rf"{name}_update: \d state arrays were given; these parameters need"):
        update(w, g, *kept, np.zeros(4), np.zeros(4), np.zeros(4), np.zeros(4), step=1)
    with pytest.raises(ValueError, match=rf"{name}_update: g has shape \(3,\); allowed: \(4,\)"):
        update(w, g[:3], *kept, step=1)
    with pytest.raises(TypeError, match=rf"{name}_update: w is a list; allowed: a NumPy array"):
        update([1.0], [1.0], step=1)
    with pytest.raises(TypeError, match=rf"{name}_update: w has dtype int64"):
        update(np.ones(4, int), g, *kept, step=1)
    for parameter in entry["parameters"]:
        for value in (np.nan, -0.1) if parameter["kind"] == "real" else (0.5,):
            with pytest.raises((ValueError, TypeError), match=rf"{parameter['name']}"):
                update(w, g, *kept, step=1, **{parameter["name"]: value})
    assert (w == 1).all()
    assert all((a == 0).all() for a in kept)


def torch_rules():
    common = {"learning_rate": 0.05, "weight_decay": 0.1}
    decoupled = common | {"decoupled_weight_decay": True}
    return [
        ("sgd", "SGD", common, {}),
        ("sgd", "SGD", common | {"momentum": 0.9}, {}),
        ("sgd", "SGD", common | {"momentum": 0.9, "nesterov": True}, {}),
        ("sgd", "SGD", common | {"momentum": 0.9, "dampening": 0.3, "dampen_first_step": False}, {}),
        ("momentum", "SGD", common, {}),
        ("nag", "SGD", common, {"nesterov": True}),
        ("adagrad", "Adagrad", common, {}),
        ("adagrad", "Adagrad", common | {"initial_accumulator": 0.1, "learning_rate_decay": 0.01}, {}),
        ("adadelta", "Adadelta", common | {"learning_rate": 1.0, "rho": 0.95}, {}),
        ("adam", "Adam", common, {}),
        ("adam", "Adam", decoupled, {}),
        ("adam", "Adam", common | {"amsgrad": True, "beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-3}, {}),
        ("amsgrad", "Adam", common, {"amsgrad": True}),
        ("adamw", "AdamW", common, {}),
        ("adamw", "AdamW", common | {"amsgrad": True}, {}),
        ("nadam", "NAdam", common, {}),
        ("nadam", "NAdam", decoupled | {"momentum_decay": 0.1}, {}),
        ("nadamw", "NAdam", common, {"decoupled_weight_decay": True}),
        ("adamax", "Adamax", common, {}),
        ("radam", "RAdam", common, {}),
        ("radam", "RAdam", decoupled | {"beta_2": 0.9}, {}),
        ("rprop", "Rprop", {"learning_rate": 0.05, "decrease": 0.4, "largest_step": 0.3}, {}),
        ("rmsprop", "RMSprop", common, {}),
        ("rmsprop", "RMSprop", common | {"centered": True, "momentum": 0.7, "beta": 0.9}, {}),
    ]


TORCH_WORDS = {
    "learning_rate": "lr",
    "epsilon": "eps",
    "beta": "alpha",
    "initial_accumulator": "initial_accumulator_value",
    "learning_rate_decay": "lr_decay",
}
OURS_ALONE = {
    *("beta_1", "beta_2", "decrease", "increase", "smallest_step", "largest_step", "averaged"),
    *("eps_inside", "rate_in_buffer", "dampen_first_step", "epsilon_hat", "epsilon_in_maximum"),
}


def torch_settings(chosen, peer):
    """Our parameters by PyTorch's names."""
    given = {TORCH_WORDS.get(k, k): v for k, v in chosen.items() if k not in OURS_ALONE}
    if peer not in ("Adam", "NAdam", "RAdam"):
        given.pop("decoupled_weight_decay", None)
    if "beta_1" in chosen:
        given["betas"] = (chosen["beta_1"], chosen["beta_2"])
    if "decrease" in chosen:
        given["etas"] = (chosen["decrease"], chosen["increase"])
        given["step_sizes"] = (chosen["smallest_step"], chosen["largest_step"])
    return given


@pytest.mark.parametrize(("name", "peer", "chosen", "extra"), torch_rules())
def test_same_as_torch(name, peer, chosen, extra, rng, request):
    """PyTorch leaves dampening out of the first step; apart from that its formulas are ours."""
    torch = pytest.importorskip("torch", reason="torch is not installed: no cross-check of the update rules")
    entry = next(e for e in ENTRIES if e["name"] == name)
    chosen = {p["name"]: p["default"] for p in entry["parameters"]} | chosen
    request.addfinalizer(partial(torch.set_default_dtype, torch.get_default_dtype()))
    torch.set_default_dtype(torch.float64)  # else NAdam keeps its product of momenta in float32
    start = rng.normal(size=12)
    theirs = torch.nn.Parameter(torch.tensor(start))
    rule = getattr(torch.optim, peer)([theirs], **torch_settings(chosen, peer) | extra)
    w = start.copy()
    kept = states(entry, chosen, w)
    for step in range(1, 51):
        g = bowl(w, step)
        theirs.grad = torch.tensor(g)
        rule.step()
        run(entry, chosen, w, lambda *_, g=g: g, 1, kept, step)
    assert_near(w, theirs.detach().numpy(), 1e-11, name, 1)
