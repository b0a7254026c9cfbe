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
    wrong = [np.nan, np.inf, -1, *([0, 1.5] if parameter["kind"] == "integer" else [])]
    for value in wrong:
        chain = [{"name": entry["name"], parameter["name"]: value}]
        with pytest.raises((ValueError, TypeError), match=parameter["name"]):
            rates(chain, 0.1)
    with pytest.raises(ValueError, match=rf"{entry['name']}: unknown parameter 'nonsense'"):
        rates([{"name": entry["name"], "nonsense": 1}], 0.1)


def test_unknown_name():
    with pytest.raises(ValueError, match="unknown schedule 'cosin', did you mean 'cosine'"):
        rates([{"name": "cosin"}], 0.1)
