"""Memory does not grow with the number of calls.

``DELTARULE_CALLS=1000000 pytest tests/python/test_memory.py`` calls `predict` a million times and trains a
hundred thousand steps.
"""

import os
import sys

import pytest

CALLS = int(os.environ.get("DELTARULE_CALLS", "40000"))

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")

# What is done over and over, and how many calls of `predict` take as long.
WORK = {
    "predict": ("net.predict(one)", 1),
    "predict of many rows": ("net.predict(X)", 10),
    "train_on_batch": ("net.train_on_batch(X[:16], y[:16])", 10),
    "fit": ("net.fit(X, y, verbose=0)", 100),
    "evaluate": ("net.evaluate(X, y)", 20),
    "refused": ("refused(lambda: net.predict(X[:, :2])); refused(lambda: net.fit(X, y + 9))", 20),
    "new networks": ("network().fit(X[:16], y[:16], verbose=0)", 400),
    "save and load": ("net.save(path); dr.load(path)", 1000),
    "copies": ("pickle.loads(pickle.dumps(net)).predict(one); net.copy().predict(one)", 400),
}

SCRIPT = """
import gc, os, pickle
import numpy as np
import deltarule as dr

path = PATH
rng = np.random.default_rng(0)
X, y = rng.normal(size=(200, 6)).astype(np.float32), rng.integers(0, 3, 200)
one = X[:1]

def network():
    net = dr.Sequential([dr.Dense(32, "relu"), dr.BatchNorm(), dr.Dropout(0.1), dr.Dense(3)])
    net.compile("adam", loss="sparse_softmax_cross_entropy", metrics=["accuracy"])
    return net

def refused(call):
    try:
        call()
    except ValueError:
        return
    raise AssertionError("not refused")

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

net = network()
net.fit(X, y, verbose=0)

def work(calls):
    for _ in range(calls):
        ACTIVITY

work(CALLS // 4)
before = resident()
work(CALLS)
print(resident() - before)
"""


@pytest.mark.parametrize("name", WORK)
def test_memory_stays(new_process, tmp_path, name):
    activity, cost = WORK[name]
    calls = max(CALLS // cost, 20)
    script = SCRIPT.replace("ACTIVITY", activity).replace("CALLS", str(calls))
    grown = int(new_process(script.replace("PATH", repr(str(tmp_path / "net.safetensors"))), timeout=1200))
    # The allocator's own unrest, some pages; four bytes lost in every call of a million would show.
    assert grown < 1 << 20, f"{grown} bytes more after {calls} calls"
