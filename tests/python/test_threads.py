"""Threads: the same bits for any number, fork, concurrent use, interruption."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core


@pytest.fixture(autouse=True)
def default_threads():
    yield
    dr.set_num_threads(None)


def everything(dtype, loss, batch):
    """Trains with all that uses random numbers and batch statistics, large enough for several threads."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(1500, 40)).astype(dtype)
    net = dr.Sequential(
        [
            dr.Standardize(),
            dr.Dense(96, "relu"),
            dr.BatchNorm(),
            dr.Dropout(0.3),
            dr.Dense(64),
            dr.LearnedSwish(),
            dr.Residual(
                [
                    dr.LayerNorm(),
                    dr.Branches(
                        [
                            [dr.Dense(40, "tanh"), dr.BatchNorm()],
                            [dr.Residual([dr.WeightNorm(dr.Dense(64, "tanh")), dr.PReLU(shared=True)])],
                            [],
                            [dr.Dropout(0.2)],
                        ],
                        "concat",
                    ),
                    dr.Dense(64),
                ]
            ),
            dr.LayerNorm(),
            dr.GaussianNoise(0.2),
            dr.WeightNorm(dr.Dense(33)),
            dr.AdaptiveReLU(),
            dr.RMSNorm(),
            dr.AlphaDropout(0.2),
            dr.Dense(5),
        ],
        seed=2,
        dtype=dtype,
    )
    clip = {"clip_norm": 1.0} if loss == "mse" else {}
    y = rng.integers(0, 5, 1500) if loss != "mse" else rng.normal(size=(1500, 5))
    net.compile(dr.AdamW(0.01), loss=loss, **clip)
    history = net.fit(X, y, epochs=2, batch_size=batch, validation_split=0.2)
    figures = repr((history["loss"], history["val_loss"])).encode()
    arrays = [*net.get_weights().values(), net.predict(X)]
    return figures + b"".join(a.tobytes() for a in arrays)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", ["sparse_softmax_cross_entropy", "mse"])
@pytest.mark.parametrize("batch", [7, 128, 1000])
def test_same_bytes_for_any_number_of_threads(dtype, loss, batch):
    results = set()
    for threads in (1, 2, 3, 4):
        dr.set_num_threads(threads)
        assert dr.get_num_threads() == threads
        results.add(everything(dtype, loss, batch))
    assert len(results) == 1


@pytest.mark.parametrize("batch", [9, 20, 32, 50, 100, 600, 1000])
def test_same_bytes_however_the_rows_are_shared_out(batch):
    """Nothing is added up over row tiles here, so their number follows the threads."""
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(1000, 200)).astype(np.float32), rng.integers(0, 10, 1000)
    results = set()
    for threads in (1, 2, 3, 5, 8):
        dr.set_num_threads(threads)
        net = dr.Sequential(
            [dr.Dense(500, "gelu"), dr.LayerNorm(), dr.Dropout(0.2), dr.Dense(300, "tanh"), dr.Dense(10)]
        )
        net.compile("adam", loss="sparse_softmax_cross_entropy")
        net.fit(X, y, batch_size=batch, epochs=1)
        results.add(b"".join(w.tobytes() for w in net.get_weights().values()))
    assert len(results) == 1


@pytest.mark.parametrize(
    ("batch", "threads", "tiles"),
    [
        (32, 1, "1 row tiles of 32 rows"),
        (32, 2, "2 row tiles of 16 rows"),
        (50, 2, "2 row tiles of 25 rows"),
        (128, 3, "6 row tiles of 22 rows"),
        (128, 8, "8 row tiles of 16 rows"),
        (64, 64, "8 row tiles of 8 rows"),
        (4, 4, "1 row tiles of 4 rows"),
    ],
)
def test_every_thread_gets_as_many_rows(batch, threads, tiles):
    dr.set_num_threads(threads)
    net = dr.Sequential([dr.Dense(2000, "relu"), dr.Dense(1000)]).build(1000)
    net.compile("adam", loss="mse")
    assert tiles in net.explain_plan(batch)


def test_row_tiles_that_are_added_up_do_not_follow_the_threads():
    dr.set_num_threads(8)
    for summed in (dr.BatchNorm(), dr.Residual([dr.BatchNorm()])):
        net = dr.Sequential([dr.Dense(1000, "relu"), summed, dr.Dense(1000)]).build(1000)
        net.compile("adam", loss="mse")
        assert "4 row tiles of 32 rows" in net.explain_plan(128)


@pytest.mark.slow
def test_same_bytes_for_large_layers():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(600, 300)).astype(np.float32), rng.integers(0, 10, 600)
    results = set()
    for threads in (1, 2, 3, 4):
        dr.set_num_threads(threads)
        net = dr.Sequential([dr.Dense(1024, "relu"), dr.Residual([dr.Dense(1024, "relu")]), dr.Dense(10)])
        net.compile("adam", loss="sparse_softmax_cross_entropy")
        net.fit(X, y, batch_size=256)
        results.add(net.parameters()["residual_1.dense_1.weight"].tobytes() + net.predict(X).tobytes())
    assert len(results) == 1


def test_setting_threads():
    default = dr.get_num_threads()
    assert 1 <= default <= os.cpu_count()
    dr.set_num_threads(1)
    assert dr.get_num_threads() == 1
    for back in (0, None):
        dr.set_num_threads(back)
        assert dr.get_num_threads() == default


def test_environment_limits_threads(new_process):
    code = "import deltarule as dr; print(dr.get_num_threads())"
    assert new_process(code, OMP_NUM_THREADS="1") == "1"
    available = int(new_process(code, OMP_NUM_THREADS=""))
    assert new_process(code, OMP_NUM_THREADS="1000") == str(available)  # never more than there are CPUs


KEPT_OFF = """
import os, time
import numpy as np, deltarule as dr

before = os.sched_getaffinity(0)
own = set(os.listdir("/proc/self/task"))
dr.set_num_threads(2)
a = np.ones((600, 600), np.float32)
for _ in range(5):
    dr.kernels.matmul(a, a)
    time.sleep(0.02)
(other,) = set(os.listdir("/proc/self/task")) - own
print(os.sched_getaffinity(0) == before, len(before - os.sched_getaffinity(int(other))))
"""


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
    reason="needs Linux and two processors",
)
def test_threads_keep_off_the_core_of_their_caller(new_process):
    assert new_process(KEPT_OFF).split() == ["True", "1"]


def test_waiting_can_be_measured():
    assert core.phase_seconds(2, 10) > 0
    assert core.rewrite_seconds(4096, 10) > 0


def test_concurrent_predict(rng):
    net = dr.Sequential(
        [dr.Dense(128, "tanh"), dr.BatchNorm(), dr.Dense(64, "softplus"), dr.Dense(4, "softmax")]
    )
    net.build(20)
    inputs = [rng.normal(size=(n, 20)).astype(np.float32) for n in (1, 3, 64, 1000, 5000)]
    expected = [net.predict(X) for X in inputs]
    barrier = threading.Barrier(8)

    def work(seed):
        barrier.wait()
        order = np.random.default_rng(seed).integers(0, len(inputs), 60)
        return all(np.array_equal(net.predict(inputs[i]), expected[i]) for i in order)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.parametrize("widths", [(40, 200, 3), (700, 1100, 900, 5)], ids=["small", "large weights"])
def test_predictions_have_the_same_bits_on_every_number_of_threads(rng, widths):
    net = dr.Sequential([*(dr.Dense(w, "tanh") for w in widths[1:-1]), dr.Dense(widths[-1])])
    net.build(widths[0])
    X = rng.normal(size=(700, widths[0])).astype(np.float32)
    try:
        for rows in (1, 2, 17, 128, 129, 200, 256, 700):
            results = []
            for threads in (1, 2, 3):
                dr.set_num_threads(threads)
                results.append(net.predict(X[:rows]))
            assert all(np.array_equal(results[0], r) for r in results[1:])
            assert np.array_equal(results[0][0], net.predict(X[:1])[0])
    finally:
        dr.set_num_threads(None)


def test_networks_train_side_by_side(blobs, classifier, weight_bytes):
    X, y = blobs
    alone = classifier()
    alone.fit(X, y, epochs=20)

    def work(_):
        net = classifier()
        net.fit(X, y, epochs=20)
        return weight_bytes(net)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(work, range(4))) == {weight_bytes(alone)}


def test_python_runs_while_training(rng):
    """The lock is free: another thread counts while an epoch runs."""
    X, y = rng.normal(size=(4000, 200)).astype(np.float32), rng.integers(0, 3, 4000)
    net = dr.Sequential([dr.Dense(512, "relu"), dr.Dense(512, "relu"), dr.Dense(3)])
    net.compile("adam", loss="sparse_softmax_cross_entropy")
    net.fit(X[:10], y[:10])
    times, done = [], threading.Event()

    def count():
        while not done.is_set():
            times.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    start = time.perf_counter()
    net.fit(X, y, epochs=1)
    stop = time.perf_counter()
    done.set()
    other.join()
    inside = [t for t in times if start < t < stop]
    assert len(inside) > 10
    assert max(np.diff([start, *inside, stop])) < 0.5 * (stop - start)


def test_fork_goes_on_single_threaded(blobs, weight_bytes, forked):
    X, y = blobs
    dr.set_num_threads(4)
    big = dr.Sequential([dr.Dense(512, "relu"), dr.Dense(512, "relu"), dr.Dense(3)])
    big.compile("adam", loss="sparse_softmax_cross_entropy")
    big.fit(X, y)  # the team is running
    net, twin = big.copy(), big.copy()

    def in_the_child():
        net.fit(X, y, epochs=2)
        return f"{dr.get_num_threads()} {weight_bytes(net).hex()[:4000]}"

    threads, digits = forked(in_the_child).split()
    twin.fit(X, y, epochs=2)
    assert threads == "1"
    assert digits == weight_bytes(twin).hex()[:4000]


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import deltarule as dr

rng = np.random.default_rng(0)
X, y = rng.normal(size=(20000, 100)).astype(np.float32), rng.integers(0, 3, 20000)
net = dr.Sequential([dr.Dense(256, "relu"), dr.Dense(256, "relu"), dr.Dense(3)])
net.compile("OPTIMIZER", loss="sparse_softmax_cross_entropy")
net.fit(X[:64], y[:64])
signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background may ignore it
sent = []

def interrupt():
    time.sleep(0.3)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
try:
    net.fit(X, y, epochs=100000, batch_size=BATCH)
except KeyboardInterrupt:
    late = time.perf_counter() - sent[0]
    finite = all(np.isfinite(a).all() for a in net.parameters().values())
    history = len(net.history) == net.epoch - 1
    net.fit(X[:64], y[:64])
    print(late, finite, history, np.isfinite(net.evaluate(X, y)["loss"]))
"""


posix = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


@posix
@pytest.mark.parametrize(("optimizer", "batch"), [("adam", "32"), ("adam", "20000"), ("lbfgs", "20000")])
def test_interruption_leaves_a_usable_network(new_process, optimizer, batch):
    script = INTERRUPTED.replace("BATCH", batch).replace("OPTIMIZER", optimizer)
    late, *checks = new_process(script).split()
    assert checks == ["True", "True", "True"]
    assert float(late) < 10
