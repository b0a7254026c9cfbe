"""Every learning-rate schedule of the catalogue against its formula."""

import numpy as np
import pytest

from deltarule._native import core
from reference.checking import assert_near, cases
from reference.schedules import ORACLES

ENTRIES = core.catalog()["schedule"]
CASES = cases(ENTRIES, most=5)
STEPS = np.concatenate([np.arange(120), [999, 1000, 1001, 5000, 10**6, 10**9]]).astype(float)


def rates(chain, rate, steps=STEPS):
    return core.scheduled_rate([dict(link) for link in chain], rate, np.asarray(steps, float))


def expected(chain, rate, step):
    if not chain:
        return rate
    settings = {
        p["name"]: p["default"] for e in ENTRIES if e["name"] == chain[0]["name"] for p in e["parameters"]
    }
    settings |= {k: v for k, v in chain[0].items() if k != "name"}
    return ORACLES[chain[0]["name"]](step, rate, lambda inner: expected(chain[1:], rate, inner), **settings)


def bounded_steps(chosen):
    """A factor above 1 grows without end, as asked: only the steps before that."""
    return STEPS[:100] if chosen.get("factor", 0) > 1 else STEPS


@pytest.mark.parametrize(("entry", "chosen"), CASES)
@pytest.mark.parametrize("rate", [1.0, 0.01, 3e-7])
def test_is_the_formula(entry, chosen, rate):
    chain = [{"name": entry["name"], **chosen}]
    steps = bounded_steps(chosen)
    wanted = [expected(chain, rate, int(step)) for step in steps]
    size = max(rate, chosen.get("final_learning_rate", 0), np.max(wanted))
    if entry["name"] in ("step", "exponential", "power_law", "multi_step"):  # no sums: every digit
        size = np.maximum(np.abs(wanted), np.finfo(float).tiny)
    assert_near(rates(chain, rate, steps), wanted, 1e-13, f"{entry['name']} {chosen}", size)


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_warmup_wraps_any_other(entry, chosen):
    for warm in (1, 7, 50):
        chain = [{"name": "warmup", "warmup_steps": warm}, {"name": entry["name"], **chosen}]
        steps = bounded_steps(chosen)
        wanted = [expected(chain, 0.1, int(step)) for step in steps]
        assert_near(rates(chain, 0.1, steps), wanted, 1e-13, f"warmup of {entry['name']}", np.max(wanted))


@pytest.mark.parametrize(("entry", "chosen"), CASES)
def test_never_negative_nor_infinite(entry, chosen):
    got = rates([{"name": entry["name"], **chosen}], 0.1, bounded_steps(chosen))
    assert np.isfinite(got).all()
    assert (got >= 0).all()


def test_landmarks():
    """Figures that can be checked by hand."""
    cosine = {"name": "cosine", "total_steps": 100, "final_learning_rate": 0.2}
    assert_near(rates([cosine], 1, [0, 50, 100, 200]), [1, 0.6, 0.2, 0.2], 1e-15, "cosine", 1)
    linear = {"name": "linear", "total_steps": 4}
    assert rates([linear], 8, [0, 1, 2, 3, 4, 5]).tolist() == [8, 6, 4, 2, 0, 0]
    exponential = {"name": "exponential", "factor": 0.5, "decay_steps": 10}
    assert_near(rates([exponential], 1, [0, 10, 15, 20]), [1, 0.5, 0.5**1.5, 0.25], 1e-15, "exponential")
    warmup = {"name": "warmup", "warmup_steps": 4}
    assert rates([warmup, linear], 8, [0, 1, 2, 3, 4, 5, 8]).tolist() == [2, 4, 6, 8, 8, 6, 0]
    assert rates([], 0.3, [0, 7]).tolist() == [0.3, 0.3]
    assert rates([linear], 8, []).shape == (0,)


@pytest.mark.parametrize(
    ("entry", "parameter"),
    [pytest.param(e, p, id=f"{e['name']}-{p['name']}") for e in ENTRIES for p in e["parameters"]],
)
def test_parameter_out_of_range(entry, parameter):
    wrong = {
        "real": [np.nan, np.inf, -np.inf, 1 if parameter["high"] == 0 else -1],
        "integer": [np.nan, np.inf, -1, 0, 1.5],
        "integer_list": [(0,), (2, 1.5), (np.nan,), (2, np.inf), "nonsense"],
        "choice": ["nonsense", 0],
    }[parameter["kind"]]
    for value in wrong:
        chain = [{"name": entry["name"], parameter["name"]: value}]
        with pytest.raises((ValueError, TypeError), match=parameter["name"]):
            rates(chain, 0.1)
    with pytest.raises(ValueError, match=rf"{entry['name']}: unknown parameter 'nonsense'"):
        rates([{"name": entry["name"], "nonsense": 1}], 0.1)


def test_lists_of_milestones():
    import json

    import deltarule as dr

    schedule = dr.MultiStepDecay(factor=0.5, milestones=[2, 5])
    assert schedule.milestones == (2, 5)
    assert schedule(np.arange(7), 8.0).tolist() == [8, 8, 4, 4, 4, 2, 2]
    again = dr.schedules.Schedule.from_config(json.loads(json.dumps(schedule.config())))
    assert again == schedule
    assert hash(again) == hash(schedule)
    with pytest.raises(
        ValueError, match=r"milestones = \(5, 0\) is not allowed; allowed: a list of .* whole"
    ):
        dr.MultiStepDecay(milestones=[5, 0])
    with pytest.raises(TypeError, match=r"milestones = .*: expected .* a list of numbers"):
        dr.MultiStepDecay(milestones=["a"])
    with pytest.raises(ValueError, match=r"factor = \(1, 2\) is not allowed"):
        dr.MultiStepDecay(factor=[1, 2])


def test_a_list_is_saved(tmp_path, rng):
    import deltarule as dr

    net = dr.Sequential([dr.Dense(1)]).build(2)
    rule = dr.SGD(0.1, schedule=dr.Warmup(2, then=dr.MultiStepDecay(milestones=(3, 9))))
    net.compile(rule, loss="mse")
    net.fit(rng.normal(size=(8, 2)), rng.normal(size=8), batch_size=2, verbose=0)
    net.save(tmp_path / "net.safetensors")
    loaded = dr.load(tmp_path / "net.safetensors")
    assert loaded.compiled.optimizer == rule
    assert loaded.learning_rate == net.learning_rate


TORCH = [
    (
        "multi_step",
        {"factor": 0.3, "milestones": (3, 7, 20)},
        "MultiStepLR",
        {"milestones": [3, 7, 20], "gamma": 0.3},
    ),
    ("step", {"factor": 0.3, "decay_steps": 6}, "StepLR", {"step_size": 6, "gamma": 0.3}),
    ("polynomial", {"total_steps": 20, "power": 2.5}, "PolynomialLR", {"total_iters": 20, "power": 2.5}),
    (
        "cosine_restarts",
        {"first_cycle_steps": 4, "cycle_factor": 3, "final_learning_rate": 0.01},
        "CosineAnnealingWarmRestarts",
        {"T_0": 4, "T_mult": 3, "eta_min": 0.01},
    ),
    ("one_cycle", {"total_steps": 40}, "OneCycleLR", {"max_lr": 0.1, "total_steps": 40}),
    (
        "one_cycle",
        {"total_steps": 40, "rise": 0.11, "initial_divisor": 3, "final_divisor": 7, "annealing": "linear"},
        "OneCycleLR",
        {
            "max_lr": 0.1,
            "total_steps": 40,
            "pct_start": 0.11,
            "div_factor": 3,
            "final_div_factor": 7,
            "anneal_strategy": "linear",
        },
    ),
]


@pytest.mark.parametrize(("name", "chosen", "peer", "given"), TORCH)
def test_same_as_torch(name, chosen, peer, given):
    torch = pytest.importorskip("torch", reason="torch is not installed: no cross-check of the schedules")
    rule = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = getattr(torch.optim.lr_scheduler, peer)(rule, **given)
    wanted = []
    for _ in range(40):
        wanted.append(rule.param_groups[0]["lr"])
        rule.step()
        if len(wanted) < 40:
            schedule.step()
    got = rates([{"name": name, **chosen}], 0.1, np.arange(40))
    assert_near(got, wanted, 1e-12, name, np.maximum(wanted, 1e-6))


def net_and_data(rng, schedule):
    import deltarule as dr

    net = dr.Sequential([dr.Dense(1)], dtype="float64").build(3)
    net.compile(dr.SGD(0.1, schedule=schedule), loss="mse")
    return net, rng.normal(size=(20, 3)), rng.normal(size=20)


def test_a_function_is_a_schedule(rng):
    """The same bits as the schedule that it computes, and in the history."""
    asked = []

    def function(step):
        asked.append(step)
        return 0.2 * 0.5 ** (step // 3)

    import deltarule as dr

    plain, x, y = net_and_data(rng, dr.StepDecay(0.5, decay_steps=3))
    plain.learning_rate = 0.2
    net, *_ = net_and_data(rng, function)
    net.set_weights(plain.get_weights())
    for one in (plain, net):
        one.fit(x, y, batch_size=5, epochs=2, verbose=0)
        one.train_on_batch(x, y)
    assert asked == list(range(9))
    assert net.history["learning_rate"] == plain.history["learning_rate"] == [0.1, 0.05]
    for ours, theirs in zip(net.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert net.learning_rate == plain.learning_rate == 0.2 * 0.5**3
    assert net.compiled.optimizer.schedule(np.array([[0, 3]])).tolist() == [[0.2, 0.1]]
    twin = net.copy()
    assert twin.train_on_batch(x, y) == net.train_on_batch(x, y)


def test_a_function_between_batches(rng):
    """Reading the rate in the middle of an epoch leaves the rates of the other steps alone."""
    import deltarule as dr

    nets = []
    for callbacks in ((), [dr.LambdaCallback(on_batch_end=lambda *_: nets[-1].learning_rate)]):
        rng = np.random.default_rng(3)
        net, x, y = net_and_data(rng, lambda step: 0.1 / (step + 1))
        nets.append(net)
        net.fit(x, y, batch_size=4, verbose=0, callbacks=callbacks)
    for a, b in zip(nets[0].get_weights(), nets[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, "fast", None])
def test_a_function_gives_a_bad_rate(rng, bad):
    """Before the epoch begins."""
    net, x, y = net_and_data(rng, lambda step: bad if step == 3 else 0.1)
    before = net.get_weights()
    with pytest.raises(ValueError, match=r"schedule: the function gave .* for step 3; allowed: a finite"):
        net.fit(x, y, batch_size=5, verbose=0)
    for a, b in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_function_cannot_be_saved_or_set(rng, tmp_path):
    net, x, y = net_and_data(rng, lambda step: 0.1)
    net.fit(x, y, verbose=0)
    with pytest.raises(TypeError, match="the learning-rate schedule is a Python function"):
        net.save(tmp_path / "net.safetensors")
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match=r"cannot be saved; write it with deltarule\.schedules"):
        net.compiled.optimizer.config()
    with pytest.raises(RuntimeError, match="learning_rate cannot be set: a Python function gives it"):
        net.learning_rate = 0.1


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown schedule 'cosin', did you mean 'cosine'"):
        rates([{"name": "cosin"}], 0.1)
