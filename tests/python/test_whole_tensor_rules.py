"""LAMB and Muon look at a whole parameter: matrices, their place in the trainer, other libraries."""

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core
from reference.checking import assert_near
from reference.optimizers import ORACLES

TYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
CHOICES = [
    ("lamb", {}),
    ("lamb", {"weight_decay": 0.3, "epsilon": 0.1}),
    ("muon", {}),
    ("muon", {"nesterov": False, "weight_decay": 0.0}),
    ("muon", {"scale": "match_rms", "momentum": 0.5, "newton_schulz_steps": 2}),
]
SHAPES = [(1, 6), (6, 1), (5, 5), (40, 7), (7, 40), (130, 70)]


def defaults(name):
    entry = next(e for e in core.catalog()["optimizer"] if e["name"] == name)
    return {p["name"]: p["default"] for p in entry["parameters"]}


@pytest.mark.parametrize(("name", "chosen"), CHOICES)
@pytest.mark.parametrize("shape", SHAPES)
@TYPES
def test_matrices_follow_the_oracle(name, chosen, shape, dtype, rng):
    """50 steps (fewer with a large one); errors may grow with the path.

    Newton-Schulz enlarges an error in a direction of small singular value up to 3.4445**5 = 485 times.
    """
    chosen = defaults(name) | {"learning_rate": 0.1} | chosen
    w = rng.normal(size=shape).astype(dtype)
    exact, state = w.astype(float), {}
    kept = [np.zeros_like(w), np.zeros_like(w)]
    tolerance = {np.float32: 1e-5, np.float64: 1e-13}[dtype] * (100 if name == "muon" else 1)
    path = np.abs(exact).max()
    for step in range(1, 51 if w.size < 1000 else 9):
        g = rng.normal(size=shape).astype(dtype)
        untouched = g.copy()
        getattr(dr.kernels, name + "_update")(w, g, *kept, step=step, **chosen)
        assert np.array_equal(g, untouched)
        before = exact
        exact = ORACLES[name](exact, g.astype(float), state, step, **chosen)
        path += np.abs(exact - before).max()
        assert_near(w, exact, tolerance, f"step {step}", path)
    for array, state_name in zip(kept, ("first_moment", "second_moment"), strict=True):
        if state_name in state:
            assert_near(array, state[state_name], tolerance, state_name, np.abs(state[state_name]).max())


@TYPES
@pytest.mark.parametrize("rule", [dr.LAMB(0.01), dr.Muon(0.05, weight_decay=0.1)])
def test_training_applies_the_rule_to_every_parameter(rule, dtype, rng):
    """Weights as matrices; biases and gains as vectors, and so what a group or its layer says is none."""
    layers = [
        dr.Embedding([0], [4], dimension=3),
        dr.Dense(70, "tanh"),
        dr.LayerNorm(),
        dr.Dense(5, name="inner"),
        dr.Dense(2, name="head"),
    ]
    net = dr.Sequential(layers, dtype=dtype, seed=1).build(6)
    groups = [{"match": "head.weight", "as_vector": True}, {"match": "inner.*", "learning_rate_factor": 0.5}]
    net.compile(rule, loss="mse", parameter_groups=groups)
    X, y = rng.normal(size=(40, 6)).astype(dtype), rng.normal(size=(40, 2)).astype(dtype)
    X[:, 0] = rng.integers(0, 4, 40)
    update = getattr(dr.kernels, rule.entry["name"] + "_update")
    most = 1e-10 if dtype == np.float64 else 1e-3  # Newton-Schulz enlarges errors
    chosen = {k: v for k, v in rule.rule().items() if k != "name"}
    twin, kept = net.copy(), {}
    for step in range(1, 4):
        twin.backward(dr.kernels.mse(twin.forward(X), y)[1])
        gradients = {k: g.copy() for k, g in twin.gradients().items()}
        net.train_on_batch(X, y)
        for name, w in twin.parameters().items():
            kept.setdefault(name, [np.zeros_like(w.ravel()), np.zeros_like(w.ravel())])
            vector = w.ndim == 1 or "table" in name or name == "head.weight"
            rate = rule.learning_rate * (0.5 if name.startswith("inner") else 1)
            shape = (-1,) if vector else w.shape
            flat = w.reshape(shape)
            arrays = [a.reshape(shape) for a in kept[name]]
            settings = chosen | {"learning_rate": rate}
            update(flat, gradients[name].reshape(shape), *arrays, step=step, **settings)
            w[...] = flat.reshape(w.shape)
            assert_near(net.parameters()[name], w, most, name, 1)


@TYPES
def test_lamb_moves_in_proportion_to_the_weights(dtype, rng):
    w = rng.normal(size=(20, 10)).astype(dtype)
    before, size = w.copy(), np.linalg.norm(w)
    kept = [np.zeros_like(w), np.zeros_like(w)]
    dr.kernels.lamb_update(w, rng.normal(size=w.shape).astype(dtype), *kept, step=1, learning_rate=0.01)
    assert np.linalg.norm(w - before) == pytest.approx(0.01 * size, rel=1e-4)


def test_muon_steps_are_nearly_orthogonal(rng):
    """All singular values of the step come near one, whatever those of the gradient are."""
    g = rng.normal(size=(60, 30)) * np.logspace(0, -1, 30)
    w = np.zeros_like(g)
    kept = [np.zeros_like(w), np.zeros_like(w)]
    dr.kernels.muon_update(w, g, *kept, step=1, learning_rate=1.0, weight_decay=0.0)
    sigma = np.linalg.svd(w, compute_uv=False)
    assert 0.5 < sigma.min() < sigma.max() < 1.3


@pytest.mark.parametrize("rule", [dr.LAMB(0.01), dr.Muon(0.01)])
@pytest.mark.parametrize("control", [{}, {"clip_norm": 0.05, "average": dr.EMA(0.9), "l2": 1e-3}])
def test_same_bytes_for_any_number_of_threads(rule, control, rng):
    X, y = rng.normal(size=(600, 40)).astype(np.float32), rng.integers(0, 5, 600)
    results = set()
    try:
        for threads in (1, 2, 3, 4):
            dr.set_num_threads(threads)
            net = dr.Sequential([dr.Dense(200, "relu"), dr.LayerNorm(), dr.Dense(90, "tanh"), dr.Dense(5)])
            net.compile(rule, loss="sparse_softmax_cross_entropy", **control)
            history = net.fit(X, y, epochs=2, batch_size=100)
            parts = [*net.get_weights().values()] + ([*net.average_weights().values()] if control else [])
            results.add(b"".join(a.tobytes() for a in parts) + repr(history["loss"]).encode())
    finally:
        dr.set_num_threads(None)
    assert len(results) == 1


@pytest.mark.parametrize("rule", [dr.LAMB(0.01), dr.Muon(0.01)])
def test_goes_on_from_a_file(rule, rng, tmp_path):
    X, y = rng.normal(size=(200, 8)), rng.normal(size=(200, 2))

    def made():
        net = dr.Sequential([dr.Dense(20, "tanh"), dr.Dense(2)], dtype="float64")
        net.compile(rule, loss="mse", parameter_groups=[{"match": "*.bias", "weight_decay": 0.0}])
        return net

    whole, net = made(), made()
    whole.fit(X, y, epochs=4)
    net.fit(X, y, epochs=2)
    net.save(tmp_path / "net.safetensors")
    again = dr.load(tmp_path / "net.safetensors")
    again.fit(X, y, epochs=2)
    for name, array in again.parameters().items():
        assert np.array_equal(array, whole.parameters()[name]), name


@pytest.mark.parametrize("rule", [dr.LAMB(1e38), dr.Muon(1e38)])
def test_not_finite_is_noticed(rule, rng):
    X, y = rng.normal(size=(64, 8)).astype(np.float32), rng.normal(size=(64, 2)).astype(np.float32)
    net = dr.Sequential([dr.Dense(20, "tanh"), dr.Dense(2)])
    net.compile(rule, loss="mse")
    with pytest.raises(dr.NonFiniteError):
        net.fit(X, y, epochs=5)
    assert all(np.isfinite(a).all() for a in net.get_weights().values())


def test_muon_and_the_plan():
    net = dr.Sequential([dr.Dense(20, "tanh"), dr.Dense(2)]).build(8)
    net.compile(dr.Muon(newton_schulz_steps=3), loss="mse")
    assert "Muon: 11 passes over whole parameters" in net.explain_plan(32)
    net.compile("adam", loss="mse")
    assert "whole parameters" not in net.explain_plan(32)


def test_as_vector_is_true_or_false():
    net = dr.Sequential([dr.Dense(2)])
    with pytest.raises(TypeError, match=r"as_vector'\] is 1; allowed: True or False"):
        net.compile("muon", loss="mse", parameter_groups=[{"match": "*", "as_vector": 1}])


@pytest.mark.parametrize("shape", [(30, 12), (12, 30)])
def test_muon_is_torchs(shape, rng, monkeypatch):
    """torch keeps weights as (outputs, inputs), and iterates in bfloat16, which is turned off here.

    It divides by max(norm, 1e-7), where the authors' program divides by norm + 1e-7.
    """
    torch = pytest.importorskip("torch", reason="torch is not installed: no cross-check of Muon")
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda tensor: tensor)
    start = rng.normal(size=shape)
    theirs = torch.nn.Parameter(torch.tensor(start.T.copy()))
    peer = torch.optim.Muon([theirs])
    rule = dr.Muon(compat="torch")
    assert peer.defaults["lr"] == rule.learning_rate
    chosen = {k: v for k, v in rule.rule().items() if k != "name"}
    w, kept = start.copy(), [np.zeros_like(start), np.zeros_like(start)]
    for step in range(1, 51):
        g = 1e3 * rng.normal(size=shape)
        theirs.grad = torch.tensor(g.T.copy())
        peer.step()
        dr.kernels.muon_update(w, g, *kept, step=step, **chosen)
        assert_near(w, theirs.detach().numpy().T, 1e-9, f"step {step}", np.abs(w).max())
