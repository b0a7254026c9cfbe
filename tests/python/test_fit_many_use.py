"""Many networks at once: configurations, errors, failures, threads, interruption."""

import os
import threading
import time

import numpy as np
import pytest

import deltarule as dr
from reference.many_networks import COMMON, LOSS, ROWS, build, two_classes

pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def data(rng):
    return two_classes(rng)


# ---- configurations


def test_splitters_of_scikit_learn(data):
    selection = pytest.importorskip("sklearn.model_selection")
    folds = list(selection.StratifiedKFold(3).split(*data))
    results = dr.fit_many(*data, dr.grid(fold=folds, seed=[0, 1]), build=build, **COMMON)
    assert len(results.means()) == 1
    assert len(results.means(by=["fold"])) == 3
    assert [len(g.results) for g in results.means(by="fold")] == [2, 2, 2]


def test_settings_go_where_they_belong(data):
    seen = []

    def make(units, seed=4, **others):
        seen.append((units, seed, others))
        return build(units)

    results = dr.fit_many(
        *data,
        [{"units": 3}, {"units": 6, "seed": 9, "slope": 0.1, "epochs": 5, "learning_rate": 0.3}],
        build=make,
        optimizer=dr.SGD(0.1, momentum=0.5),
        **COMMON,
    )
    assert seen == [(3, 4, {}), (6, 9, {"slope": 0.1})]
    assert [len(r.history) for r in results] == [2, 5]
    rules = [r.model.compiled.optimizer for r in results]
    assert [(r.learning_rate, r.momentum) for r in rules] == [(0.1, 0.5), (0.3, 0.5)]
    assert [r.model.layers[0].units for r in results] == [3, 6]


def test_a_compiled_model_keeps_what_is_not_given(data):
    base = build()
    base.compile("sgd", loss=LOSS, metrics=["accuracy"], clip_norm=2.0)
    results = dr.fit_many(*data, [{}, {"optimizer": "adam"}, {"seed": 3}], model=base, verbose=0)
    assert [type(r.model.compiled.optimizer).__name__ for r in results] == ["SGD", "Adam", "SGD"]
    assert {r.model.compiled.control.clip_norm for r in results} == {2.0}
    assert [r.model.seed for r in results] == [0, 0, 3]
    assert not base.built


def test_rows_in_every_form(data):
    mask = np.arange(ROWS) % 3 == 0
    forms = [mask, np.flatnonzero(mask), list(range(0, ROWS, 3)), slice(0, None, 3), range(0, ROWS, 3)]
    results = dr.fit_many(*data, dr.grid(rows=forms), build=build, validation_rows=~mask, **COMMON)
    assert len({r.model.predict(data[0]).tobytes() for r in results}) == 1
    assert len({str(r.score) for r in results}) == 1
    wide = dr.fit_many(data[0].tolist(), data[1].tolist(), [{"rows": mask}], build=build, **COMMON)
    assert wide[0].model.predict(data[0]).tobytes() == results[0].model.predict(data[0]).tobytes()


def failing():
    raise KeyError("no such thing")


def needing(width):
    return build(width)


WRONG = {
    "no dict": (3, TypeError, "it is 3; allowed: a dict of settings"),
    "typo": (
        {"epoch": 3},
        TypeError,
        "'epoch' is no setting nor an argument of build; did you mean 'epochs'",
    ),
    "two sources": ({"model": build(), "layers": []}, ValueError, "model and layers are given"),
    "no source": ({"build": None}, ValueError, "none is given; allowed: one of model, build, layers"),
    "build returns none": ({"build": lambda: None}, TypeError, "build returned None; allowed: a Sequential"),
    "build fails": ({"build": failing}, RuntimeError, "KeyError: 'no such thing'"),
    "build needs": ({"build": needing}, ValueError, "build needs width"),
    "model": ({"model": dr.Dense(3)}, TypeError, "model is Dense.3.; allowed: a Sequential"),
    "built": (
        {"model": build().build(4), "seed": 1},
        ValueError,
        "seed is given, but the model has its weights",
    ),
    "dtype": ({"dtype": "float64"}, ValueError, "dtype is given with build"),
    "columns": ({"model": build().build(9)}, ValueError, "the network is built for 9 columns, not 4"),
    "loss": ({"loss": "mse_"}, ValueError, "loss: unknown loss 'mse_'"),
    "no loss": ({"loss": None}, ValueError, "the loss is missing"),
    "outputs": ({"layers": [dr.Dense(1)]}, ValueError, "needs one output per class"),
    "targets": ({"loss": "mse"}, ValueError, r"y has shape \(90,\); allowed: \(N, 2\)"),
    "epochs": ({"epochs": 0}, ValueError, "epochs = 0 is not allowed"),
    "batch": ({"batch_size": "large"}, TypeError, "batch_size is 'large'"),
    "rows": ({"rows": [1, 90]}, ValueError, r"rows\[1\] = 90 is no row; allowed: 0 to 89"),
    "negative rows": ({"rows": [1, -1]}, ValueError, r"rows\[1\] = -1 is no row"),
    "no rows": ({"rows": np.zeros(ROWS, bool)}, ValueError, "rows is empty"),
    "real rows": ({"rows": [0.5]}, TypeError, "rows has dtype float64"),
    "short mask": ({"rows": [True, False]}, TypeError, r"rows has dtype bool and shape \(2,\)"),
    "held out": ({"fold": ([1], [99])}, ValueError, r"validation_rows\[0\] = 99 is no row"),
    "fold": ({"fold": 3}, TypeError, "fold is 3; allowed: a pair"),
    "fold and rows": ({"fold": ([1], [2]), "rows": [1]}, ValueError, "fold is given with rows"),
    "split too": ({"fold": ([1], [2]), "validation_split": 0.5}, ValueError, "are both given"),
    "monitor": ({"callbacks": dr.EarlyStopping()}, ValueError, "monitor = 'val_loss' is not measured"),
    "callback": ({"callbacks": [3]}, TypeError, r"callbacks\[0\] is 3"),
    "plateau": (
        {
            "callbacks": [dr.ReduceLROnPlateau(monitor="loss")],
            "optimizer": dr.SGD(0.1, schedule=dr.Exponential()),
        },
        ValueError,
        "the optimizer has a schedule",
    ),
    "weights": ({"sample_weight": [1, 2]}, ValueError, r"sample_weight has shape \(2,\)"),
    "no weight": (
        {"sample_weight": np.arange(ROWS) > 5, "rows": [1, 2]},
        ValueError,
        "sample_weight is zero for every training row",
    ),
    "groups": (
        {"parameter_groups": [{"match": "nothing", "l2": 1.0}]},
        ValueError,
        "matches no",
    ),
}


@pytest.mark.parametrize(("wrong", "kind", "text"), WRONG.values(), ids=WRONG)
def test_errors_come_before_training_and_name_the_configuration(data, wrong, kind, text):
    begun = []
    callback = dr.LambdaCallback(on_train_begin=begun.append)
    configurations = [{"callbacks": callback}, {}, wrong, {}]
    with pytest.raises(kind, match=rf"^fit_many: configuration 2: .*{text}"):
        dr.fit_many(*data, configurations, build=build, **COMMON)
    assert begun == []


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"X": np.zeros(5)}, ValueError, r"X has shape \(5,\)"),
        ({"X": np.zeros((0, 4)), "y": []}, ValueError, r"X has shape \(0, 4\)"),
        ({"X": np.full((ROWS, 4), np.nan)}, ValueError, r"X\[0, 0\] is nan"),
        ({"y": [0, 1]}, ValueError, r"y has shape \(2,\), but X has 90 rows"),
        ({"configurations": {"units": 3}}, TypeError, "configurations is {'units': 3}; allowed: a list"),
        ({"threads": 0}, ValueError, "threads = 0 is not allowed"),
        ({"verbose": 3}, ValueError, "verbose = 3 is not allowed"),
    ],
)
def test_errors_of_what_all_share(data, arguments, kind, text):
    given = {"X": data[0], "y": data[1], "configurations": [{}], "build": build, **COMMON} | arguments
    with pytest.raises(kind, match=f"^fit_many: {text}"):
        dr.fit_many(**given)


def test_nothing_to_do(data):
    results = dr.fit_many(*data, [], build=build, **COMMON)
    assert len(results) == 0
    assert repr(results) == "FitResults(no configurations)"
    assert results.records() == []


# ---- failures


def exploding():
    return {"optimizer": dr.SGD(1e30), "activation": "relu", "epochs": 50}


class Raising(dr.Callback):
    def on_epoch_end(self, epoch, logs):
        if epoch == 1:
            raise OSError("the disk is full")


def test_failures_leave_the_others_alone(data):
    good = {"units": 6, "epochs": 4}
    expected = build(6)
    expected.compile("adam", loss=LOSS)
    expected.fit(*data, epochs=4, verbose=0)
    configurations = [good, exploding(), {"callbacks": Raising(), "epochs": 5}, good]
    with pytest.warns(
        UserWarning, match=r"2 of 4 configurations failed: 1 \(NonFiniteError: .*; 2 \(OSError"
    ):
        results = dr.fit_many(*data, configurations, build=build, **COMMON)
    assert [r.status for r in results] == ["finished", "failed", "failed", "finished"]
    for i in (0, 3):
        assert results[i].model.predict(data[0]).tobytes() == expected.predict(data[0]).tobytes()
    assert isinstance(results[1].error, dr.NonFiniteError)
    assert all(np.isfinite(a).all() for a in results[1].model.parameters().values())
    assert len(results[2].history) == 2
    assert [r.number for r in results.failed] == [1, 2]
    assert [r.number for r in results.finished] == [0, 3]
    assert results.best().number == 0
    assert "failed" in repr(results)
    assert "NonFinite" in repr(results[1]) or "not finite" in repr(results[1])
    assert [r["status"] for r in results.records()] == [r.status for r in results]
    results[2].model.fit(*data, epochs=1, verbose=0)  # and it trains on
    with (
        pytest.warns(UserWarning, match="1 of 1 configurations failed"),
        pytest.raises(ValueError, match="none of the 1 results is finished"),
    ):
        dr.fit_many(*data, [exploding()], build=build, **COMMON).best()


# ---- threads


def test_a_network_has_one_thread_while_others_wait(data):
    """And those of the others when it is the last."""
    dr.set_num_threads(4)
    seen = []
    watch = dr.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dr.get_num_threads()))
    dr.fit_many(*data, [{}] * 6, build=build, callbacks=watch, threads=1, **COMMON)
    assert set(seen) == {1}
    seen.clear()
    dr.fit_many(*data, [{}], build=build, callbacks=watch, **COMMON)
    assert set(seen) == {4}
    seen.clear()
    dr.fit_many(*data, [{}, {}], build=build, callbacks=watch, threads=4, **COMMON)
    assert set(seen) <= {2, 4}
    assert dr.get_num_threads() == 4


def test_fit_many_inside_fit_many(data):
    X, y = data

    class Inner(dr.Callback):
        def on_train_end(self, logs):
            self.results = dr.fit_many(X, y, [{"seed": i} for i in range(3)], build=build, **COMMON)

    outer = dr.fit_many(X, y, [{"callbacks": Inner()} for _ in range(4)], build=build, **COMMON)
    expected = dr.fit_many(X, y, [{"seed": i} for i in range(3)], build=build, **COMMON)
    for result in outer:
        inner = result.callbacks[0].results
        assert [r.model.predict(X).tobytes() for r in inner] == [
            r.model.predict(X).tobytes() for r in expected
        ]


def test_in_a_forked_child(data, forked):
    def digits():
        results = dr.fit_many(*data, dr.grid(seed=range(5)), build=build, **COMMON)
        return "".join(r.model.predict(data[0]).tobytes().hex()[:200] for r in results)

    expected = digits()  # the pool is running
    assert forked(digits) == expected


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import deltarule as dr

rng = np.random.default_rng(0)
X, y = rng.normal(size=(500, 20)).astype(np.float32), rng.integers(0, 3, 500)
layers = [dr.Dense(32, "relu"), dr.Dense(3)]
signal.signal(signal.SIGINT, signal.default_int_handler)  # a runner in the background may ignore it
sent = []

def interrupt():
    time.sleep(0.5)
    sent.append(time.perf_counter())
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
common = {"layers": layers, "loss": "sparse_softmax_cross_entropy", "callbacks": CALLBACKS}
try:
    dr.fit_many(X, y, [{"epochs": 1}, *[{"epochs": 10**9}] * LONG, {"epochs": 2}], threads=THREADS, **common)
except KeyboardInterrupt as stop:
    late, results = time.perf_counter() - sent[0], stop.results
    begun = [r for r in results if r.status != "not begun"]
    finite = all(np.isfinite(a).all() for r in begun for a in r.model.parameters().values())
    counted = all(len(r.history) == r.model.epoch > 0 for r in begun)
    for r in results:
        r.model.fit(X[:64], y[:64])
    usable = all(np.isfinite(r.model.evaluate(X, y)["loss"]) for r in results)
    print(late, finite, counted, usable, [r.status for r in results], stop, sep="|")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("callbacks", ["[]", "dr.LambdaCallback(on_epoch_end=lambda epoch, logs: None)"])
@pytest.mark.parametrize(
    ("threads", "long", "statuses"),
    [
        (1, 1, ["not begun", "interrupted", "not begun"]),
        (2, 3, ["not begun", "interrupted", "interrupted", "not begun", "not begun"]),
        (3, 1, ["finished", "interrupted", "finished"]),
    ],
)
def test_interruption(new_process, callbacks, threads, long, statuses):
    script = INTERRUPTED.replace("CALLBACKS", callbacks).replace("THREADS", str(threads))
    late, *checks, seen, text = new_process(script.replace("LONG", str(long))).split("|")
    assert float(late) < 10
    assert checks == ["True", "True", "True"]
    assert eval(seen) == statuses
    done = statuses.count("finished")
    assert text.startswith(f"fit_many: {done} of {len(statuses)} networks are finished")


def test_a_callback_may_end_everything(data):
    class Quit(dr.Callback):
        def on_epoch_end(self, epoch, logs):
            raise SystemExit(3)

    configurations = [{"callbacks": Quit()}, {"epochs": 10**9}]
    with pytest.raises(SystemExit) as stop:
        dr.fit_many(*data, configurations, build=build, **COMMON)
    assert stop.value.code == 3
    assert [r.status for r in stop.value.results] == ["interrupted", "interrupted"]


def test_python_runs_meanwhile(data):
    """The lock is free: other threads count while networks are trained."""
    turns, done = [], threading.Event()

    def count():
        while not done.is_set():
            turns.append(1)
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    dr.fit_many(*data, [{"epochs": 3000}] * 2, build=build, **{**COMMON, "epochs": 1})
    during = len(turns)
    done.set()
    other.join()
    assert during > 10
