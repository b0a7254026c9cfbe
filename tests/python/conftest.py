import os
import platform
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core


def pytest_report_header():
    config = core.config()
    shown = ", ".join(f"{k} {config[k]}" for k in ("isa", "compiler", "eigen", "openmp") if k in config)
    return (
        f"deltarule {dr.__version__} ({shown}), {dr.get_num_threads()} threads of {os.cpu_count()} CPUs, "
        f"numpy {np.__version__}, {platform.machine()}"
    )


@pytest.fixture
def rng():
    return np.random.default_rng(20240501)


@pytest.fixture
def blobs(rng):
    """Three overlapping clouds in six dimensions: inputs and integer labels."""
    y = rng.integers(0, 3, 240)
    centres = rng.normal(size=(3, 6))
    return (centres[y] + 0.7 * rng.normal(size=(240, 6))).astype(np.float32), y


@pytest.fixture
def curve(rng):
    """A smooth function of three inputs with two outputs."""
    X = rng.uniform(-1, 1, (200, 3)).astype(np.float32)
    Y = np.stack([np.sin(2 * X[:, 0]) + X[:, 1], X[:, 1] * X[:, 2]], axis=1)
    return X, Y.astype(np.float32)


def classifier(seed=0, dtype="float32", **compiled):
    net = dr.Sequential([dr.Dense(16, "relu"), dr.Dense(3)], seed=seed, dtype=dtype)
    options = {"optimizer": dr.Adam(0.01), "loss": "sparse_softmax_cross_entropy", "metrics": ["accuracy"]}
    net.compile(**(options | compiled))
    return net


def regressor(seed=0, dtype="float32", outputs=2, **compiled):
    net = dr.Sequential([dr.Dense(16, "tanh"), dr.Dense(outputs)], seed=seed, dtype=dtype)
    net.compile(**({"optimizer": dr.Adam(0.01), "loss": "mse", "metrics": ["mae"]} | compiled))
    return net


@pytest.fixture(name="classifier")
def classifier_fixture():
    """Makes small compiled classifiers with three classes."""
    return classifier


@pytest.fixture(name="regressor")
def regressor_fixture():
    """Makes small compiled regressors with two outputs."""
    return regressor


@pytest.fixture
def weight_bytes():
    """All parameters and statistics of a network as bytes."""
    return lambda net: b"".join(a.tobytes() for a in net.get_weights().values())


@pytest.fixture
def new_process(tmp_path):
    """Runs Python code in a new process and returns what it printed."""

    def run(code, timeout=120, **environment):
        script = tmp_path / "script.py"
        script.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, str(script)],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def two_threads():
    dr.set_num_threads(2)
    yield
    dr.set_num_threads(None)


@pytest.fixture
def forked():
    """Calls a function in a child of `fork` and returns the text that it returned there."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")

    def run(function):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                os.write(writing, function().encode())
            finally:
                os._exit(0)
        os.close(writing)
        deadline = time.monotonic() + 60
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                pytest.fail("the child hangs")
            time.sleep(0.01)
        with os.fdopen(reading) as pipe:
            return pipe.read()

    return run
