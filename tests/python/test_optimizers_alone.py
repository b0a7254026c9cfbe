"""What single update rules of the catalogue promise beside their formulas."""

import numpy as np
import pytest

import deltarule as dr


def test_dampening_and_nesterov_without_momentum():
    """Both are about the velocity, and there is none (PyTorch does the same)."""
    for chosen in ({"nesterov": True}, {"dampening": 0.5}):
        w = np.zeros(3)
        dr.kernels.sgd_update(w, np.ones(3), step=1, learning_rate=0.1, **chosen)
        assert w.tolist() == [-0.1] * 3


def test_momenta_of_nadam_do_not_depend_on_where_training_went_on(rng):
    """The product of the momenta is worked out anew where a thread meets another step or another beta."""
    start, g = rng.normal(size=(2, 5))

    def after(step, **chosen):
        w, m, v = start.copy(), g * 0.1, g * g
        dr.kernels.nadam_update(w, g, m, v, step=step, **chosen)
        return w.tobytes()

    straight = [after(step) for step in range(1, 600)]
    for step in (599, 7, 300, 1, 598):
        assert after(step) == straight[step - 1]
        after(step, momentum_decay=1.0)
        after(step + 50, beta_1=0.5)
        assert after(step) == straight[step - 1]


def test_rprop_rests_after_a_turn():
    """By hand: 0.1, then 1.2 times that, then a turn (no step, half the size), then on with that size."""
    w, kept = np.zeros(1), (np.zeros(1), np.zeros(1))
    path = []
    for step, g in enumerate((1.0, 2.0, -0.5, -3.0), start=1):
        dr.kernels.rprop_update(w, np.array([g]), *kept, step=step, learning_rate=0.1)
        path.append(w[0])
    np.testing.assert_allclose(path, [-0.1, -0.22, -0.22, -0.16], rtol=1e-14)
    w, kept = np.zeros(1), (np.zeros(1), np.zeros(1))
    for step in (1, 2, 3):
        dr.kernels.rprop_update(w, np.ones(1), *kept, step=step, learning_rate=0.1, largest_step=0.11)
    np.testing.assert_allclose(w, [-0.1 - 0.11 - 0.11], rtol=1e-14)


def test_delta_rule_is_widrow_and_hoffs(rng):
    """Pattern by pattern, eta (t - y) x."""
    x, t = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    net = dr.Sequential([dr.Dense(1)], dtype="float64").build(3)
    net.compile(dr.DeltaRule(learning_rate=0.05), loss="quadratic")
    w, b = (a.copy() for a in net.parameters().values())
    net.fit(x, t, batch_size=1, epochs=2, shuffle=False, verbose=0)
    for row, goal in [*zip(x, t, strict=True)] * 2:
        error = goal - (row @ w + b)
        w += 0.05 * np.outer(row, error)
        b += 0.05 * error
    for ours, exact in zip(net.parameters().values(), (w, b), strict=True):
        np.testing.assert_allclose(ours, exact, rtol=1e-12)


@pytest.mark.parametrize(
    ("layers", "loss", "text"),
    [
        ([dr.Dense(1)], "mse", "loss 'mse' is not allowed; allowed: 'quadratic'"),
        ([dr.Dense(3), dr.Dense(1)], "quadratic", "not a single linear layer; allowed: one dense layer"),
        ([dr.Dense(1, "tanh")], "quadratic", "not a single linear layer; allowed: one dense layer"),
    ],
)
def test_delta_rule_is_for_linear_units(layers, loss, text):
    net = dr.Sequential(layers).build(3)
    net.compile("delta_rule", loss=loss)
    with pytest.raises(ValueError, match=f"optimizer 'delta_rule': .*{text}"):
        net.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
