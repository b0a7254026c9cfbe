"""One line per cross-check with PyTorch, forward and backward, where it is installed."""

import numpy as np
import pytest

import deltarule as dr
from reference.checking import assert_near

torch = pytest.importorskip("torch", reason="torch is not installed: no cross-check of values and gradients")
F = torch.nn.functional

ELEMENTWISE = [
    ("identity", {}, lambda x: x * 1),
    ("sigmoid", {}, torch.sigmoid),
    ("sigmoid", {"slope": 2.5}, lambda x: torch.sigmoid(2.5 * x)),
    ("tanh", {}, torch.tanh),
    ("relu", {}, torch.relu),
    ("leaky_relu", {"alpha": 0.2}, lambda x: F.leaky_relu(x, 0.2)),
    ("elu", {"alpha": 1.3}, lambda x: F.elu(x, 1.3)),
    ("gelu", {}, F.gelu),
    ("gelu", {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
    ("swish", {}, F.silu),
    ("softplus", {"k": 2.0}, lambda x: F.softplus(x, beta=2.0, threshold=1e9)),
    ("softmax", {}, lambda x: F.softmax(x, dim=-1)),
    ("log_softmax", {}, lambda x: F.log_softmax(x, dim=-1)),
    ("glu", {}, F.glu),
    ("swiglu", {}, lambda x: x[:, :20] * F.silu(x[:, 20:])),
    ("geglu", {}, lambda x: x[:, :20] * F.gelu(x[:, 20:])),
    ("reglu", {}, lambda x: x[:, :20] * F.relu(x[:, 20:])),
    ("log_sigmoid", {}, F.logsigmoid),
    ("softsign", {}, F.softsign),
    ("hard_tanh", {"min_value": -0.5, "max_value": 2.0}, lambda x: F.hardtanh(x, -0.5, 2.0)),
    ("hard_sigmoid", {}, F.hardsigmoid),
    ("hard_swish", {}, F.hardswish),
    ("relu6", {}, F.relu6),
    ("threshold", {"threshold": 0.3, "value": -2.0}, lambda x: F.threshold(x, 0.3, -2.0)),
    ("squared_relu", {}, lambda x: torch.relu(x) ** 2),
    ("celu", {"alpha": 1.3}, lambda x: F.celu(x, 1.3)),
    ("selu", {}, F.selu),
    ("mish", {}, F.mish),
    ("tanhshrink", {}, F.tanhshrink),
    ("softshrink", {"threshold": 0.7}, lambda x: F.softshrink(x, 0.7)),
    ("hardshrink", {"threshold": 0.7}, lambda x: F.hardshrink(x, 0.7)),
    ("sin", {"omega": 30.0}, lambda x: torch.sin(30.0 * x)),
]


# PyTorch keeps 1/6 and 1/alpha in float32 there, for float64 arrays too.
COARSE_THERE = {"hard_sigmoid": 2e-7, "celu": 2e-7}


@pytest.mark.parametrize(("name", "chosen", "theirs"), ELEMENTWISE)
def test_activation(name, chosen, theirs, rng):
    x = rng.normal(size=(30, 40)) * 3
    peer = torch.tensor(x, requires_grad=True)
    result = theirs(peer)
    dy = rng.normal(size=tuple(result.shape))
    result.backward(torch.tensor(dy))
    y = getattr(dr.kernels, name)(x, **chosen)
    tolerance = COARSE_THERE.get(name, 1e-12)
    assert_near(y, result.detach().numpy(), tolerance, name, 1)
    dx = getattr(dr.kernels, name + "_backward")(x, y, dy, **chosen)
    assert_near(dx, peer.grad.numpy(), tolerance, name, 1)


def bce(z, t, w):
    return (
        F.binary_cross_entropy_with_logits(z, t, pos_weight=torch.tensor(w), reduction="none").sum(1).mean()
    )


LOSSES = [
    ("mse", {}, "values", F.mse_loss),
    ("mae", {}, "values", F.l1_loss),
    ("huber", {}, "values", F.huber_loss),
    ("huber", {"delta": 0.4}, "values", lambda y, t: F.huber_loss(y, t, delta=0.4)),
    ("poisson_nll", {}, "soft", F.poisson_nll_loss),
    ("poisson_nll", {"full": True}, "counts", lambda y, t: F.poisson_nll_loss(y, t, full=True)),
    ("poisson_nll", {"log_input": False}, "rates", lambda y, t: F.poisson_nll_loss(y, t, log_input=False)),
    ("binary_cross_entropy", {}, "probabilities", F.binary_cross_entropy),
    ("kl_divergence", {}, "soft", lambda y, t: F.kl_div(y, t, reduction="batchmean")),
    ("multiclass_hinge", {}, "label", lambda z, t: 6 * F.multi_margin_loss(z, t)),
    (
        "gaussian_nll",
        {"log_variance": False, "full": True},
        "half",
        lambda y, t: F.gaussian_nll_loss(y[:, :3], t, y[:, 3:], full=True),
    ),
    ("gaussian_nll", {}, "half", lambda y, t: F.gaussian_nll_loss(y[:, :3], t, torch.exp(y[:, 3:]))),
    ("log_likelihood", {}, "likelihood", lambda p, t: F.nll_loss(torch.log(p), t)),
    ("quadratic", {}, "values", lambda y, t: ((y - t) ** 2).sum(1).mean() / 2),
    ("sigmoid_cross_entropy", {}, "soft", lambda z, t: bce(z, t, 1.0)),
    ("sigmoid_cross_entropy", {"pos_weight": 3.0}, "soft", lambda z, t: bce(z, t, 3.0)),
    ("softmax_cross_entropy", {}, "soft", F.cross_entropy),
    (
        "softmax_cross_entropy",
        {"label_smoothing": 0.2},
        "soft",
        lambda z, t: F.cross_entropy(z, t, label_smoothing=0.2),
    ),
    ("sparse_softmax_cross_entropy", {}, "label", F.cross_entropy),
    (
        "sparse_softmax_cross_entropy",
        {"label_smoothing": 0.2},
        "label",
        lambda z, t: F.cross_entropy(z, t, label_smoothing=0.2),
    ),
]


@pytest.mark.parametrize(("name", "chosen", "kind", "theirs"), LOSSES)
def test_loss(name, chosen, kind, theirs, rng):
    y = rng.normal(size=(25, 6)) * 4
    target = {
        "values": rng.normal(size=y.shape),
        "soft": rng.dirichlet(np.ones(6), 25),
        "label": rng.integers(0, 6, 25),
        "counts": rng.poisson(3, y.shape) * 1.0,
        "rates": rng.poisson(3, y.shape) * 1.0,
        "probabilities": rng.uniform(size=y.shape),
        "half": rng.normal(size=(25, 3)),
        "likelihood": rng.integers(0, 6, 25),
    }
    if kind in ("rates", "probabilities", "likelihood", "half"):
        y = rng.uniform(0.01, 0.99, y.shape)
    peer = torch.tensor(y, requires_grad=True)
    result = theirs(peer, torch.tensor(target[kind]))
    result.backward()
    loss, gradient = getattr(dr.kernels, name)(y, target[kind], **chosen)
    assert loss == pytest.approx(result.item(), rel=1e-12)
    assert_near(gradient, peer.grad.numpy(), 1e-12, name, 1)


@pytest.mark.parametrize("shared", [False, True])
def test_prelu(shared, rng):
    x, dy = rng.normal(size=(2, 20, 7))
    net = dr.Sequential([dr.PReLU(shared=shared)], dtype="float64").build(7)
    ours = net.parameters()["prelu_1.alpha"]
    ours[...] = rng.normal(size=ours.shape)
    peers = [torch.tensor(a, requires_grad=True) for a in (x, ours)]
    result = F.prelu(*peers)
    result.backward(torch.tensor(dy))
    assert_near(net.forward(x, True), result.detach().numpy(), 1e-15, "prelu")
    assert_near(net.backward(dy), peers[0].grad.numpy(), 1e-15, "prelu, dx")
    assert_near(net.gradients()["prelu_1.alpha"], peers[1].grad.numpy(), 1e-13, "prelu, alpha", 1)


def test_weight_norm(rng):
    x, dy = rng.normal(size=(20, 7)), rng.normal(size=(20, 5))
    net = dr.Sequential([dr.WeightNorm(dr.Dense(5, name="d"), name="w")], dtype="float64").build(7)
    for array in net.parameters().values():
        array[...] = rng.normal(size=array.shape)
    names = ("w.d.weight", "w.gain", "w.d.bias")
    v, gain, bias = (torch.tensor(net.parameters()[n], requires_grad=True) for n in names)
    peer = torch.tensor(x, requires_grad=True)
    result = peer @ torch._weight_norm(v, gain[None], 1) + bias
    result.backward(torch.tensor(dy))
    assert_near(net.forward(x, True), result.detach().numpy(), 1e-13, "weight_norm", 1)
    assert_near(net.backward(dy), peer.grad.numpy(), 1e-13, "dx", 1)
    for name, theirs in zip(names, (v, gain, bias), strict=True):
        assert_near(net.gradients()[name], theirs.grad.numpy(), 1e-13, name, 10)


@pytest.mark.parametrize("layer", ["batch_norm", "layer_norm"])
def test_normalisation(layer, rng):
    x, dy = rng.normal(size=(2, 20, 7))
    gain, shift = rng.normal(size=(2, 7))
    peers = [torch.tensor(a, requires_grad=True) for a in (x, gain, shift)]
    if layer == "batch_norm":
        result = F.batch_norm(peers[0], None, None, peers[1], peers[2], training=True, eps=1e-5)
    else:
        result = F.layer_norm(peers[0], (7,), peers[1], peers[2], eps=1e-5)
    result.backward(torch.tensor(dy))
    y, mean, inverse = getattr(dr.kernels, layer + "_forward")(x, gain, shift, epsilon=1e-5)
    assert_near(y, result.detach().numpy(), 1e-12, layer, 1)
    for ours, theirs in zip(
        getattr(dr.kernels, layer + "_backward")(x, gain, mean, inverse, dy), peers, strict=True
    ):
        assert_near(ours, theirs.grad.numpy(), 1e-11, layer, 1)


def test_a_whole_network_trains_alike(rng):
    """20 steps of AdamW on the same weights."""
    net = dr.Sequential([dr.Dense(20, "gelu"), dr.LayerNorm(), dr.Dense(4)], seed=3, dtype="float64").build(6)
    net.compile(dr.AdamW(learning_rate=0.01), loss="sparse_softmax_cross_entropy")
    peer = torch.nn.Sequential(
        torch.nn.Linear(6, 20), torch.nn.GELU(), torch.nn.LayerNorm(20), torch.nn.Linear(20, 4)
    ).double()
    with torch.no_grad():
        for theirs, (name, ours) in zip(peer.parameters(), net.parameters().items(), strict=True):
            theirs.copy_(torch.tensor(ours.T if name.endswith("weight") else ours))
    rule = torch.optim.AdamW(peer.parameters(), lr=0.01, weight_decay=0.01)
    for _ in range(20):
        x, y = rng.normal(size=(16, 6)), rng.integers(0, 4, 16)
        rule.zero_grad()
        loss = F.cross_entropy(peer(torch.tensor(x)), torch.tensor(y))
        loss.backward()
        rule.step()
        figures = net.train_on_batch(x, y)
        assert figures["loss"] == pytest.approx(loss.item(), rel=1e-9)
    for theirs, (name, ours) in zip(peer.parameters(), net.parameters().items(), strict=True):
        wanted = theirs.detach().numpy()
        assert_near(ours.T if name.endswith("weight") else ours, wanted, 1e-8, name, 1)
