"""Importing beside other libraries with threads of their own, in any order; all of them at work."""

import importlib.util
from itertools import permutations

import pytest

PEERS = [name for name in ("torch", "sklearn", "xgboost") if importlib.util.find_spec(name)]

SCRIPT = """
import threading
import numpy as np
IMPORTS

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 20)).astype(np.float32)
y = (X[:, 0] * X[:, 1] > 0).astype(int)

def deltarule_works():
    dr = deltarule
    dr.set_num_threads(2)
    net = dr.Sequential([dr.Dense(128, "relu"), dr.Dense(128, "relu"), dr.Dense(2)], seed=1)
    net.compile("adam", loss="sparse_softmax_cross_entropy")
    net.fit(X, y, epochs=5, batch_size=128, verbose=0)
    return net.predict(X).tobytes()

def torch_works():
    torch.set_num_threads(2)
    w = torch.randn(300, 300, requires_grad=True)
    for _ in range(3):
        (torch.randn(300, 300) @ w).tanh().sum().backward()
    assert torch.isfinite(w.grad).all()

def sklearn_works():
    from sklearn.cluster import KMeans
    from sklearn.ensemble import HistGradientBoostingClassifier
    KMeans(3, n_init=2).fit(X)
    assert HistGradientBoostingClassifier(max_iter=5).fit(X, y).score(X, y) > 0.5

def xgboost_works():
    xgboost.XGBClassifier(n_estimators=5, n_jobs=2).fit(X, y).predict(X)

alone = deltarule_works()
others = [globals()[name + "_works"] for name in PEERS]
for other in others:  # by turns
    other()
    assert deltarule_works() == alone
errors = []

def guarded(work):
    try:
        for _ in range(3):
            work()
    except BaseException as error:
        errors.append(error)

threads = [threading.Thread(target=guarded, args=[other]) for other in others]  # and at once
for thread in threads:
    thread.start()
assert all(deltarule_works() == alone for _ in range(5))
for thread in threads:
    thread.join()
assert not errors, errors
print(__import__("hashlib").sha256(alone).hexdigest())
"""


def orders():
    """All orders of two, and each library first, last and in the middle of more."""
    names = ["deltarule", *PEERS]
    if len(names) < 3:
        return list(permutations(names))
    turned = [names[i:] + names[:i] for i in range(len(names))]
    return turned + [order[::-1] for order in turned]


@pytest.mark.skipif(not PEERS, reason="none of torch, scikit-learn and xgboost is installed")
def test_any_order_of_imports(new_process):
    digests = {}
    for order in orders():
        script = SCRIPT.replace("IMPORTS", "\n".join(f"import {name}" for name in order))
        digests[tuple(order)] = new_process(script.replace("PEERS", repr(PEERS)), timeout=300)
    assert len(set(digests.values())) == 1, digests
