"""What callbacks are told, and what they can do."""

import csv
import sys

import numpy as np
import pytest

import deltarule as dr
from deltarule._native import core


class Recorder(dr.Callback):
    def __init__(self):
        self.calls = []

    def on_train_begin(self, logs):
        self.calls.append("begin")

    def on_epoch_begin(self, epoch, logs):
        self.calls.append(("epoch", epoch))

    def on_epoch_end(self, epoch, logs):
        self.calls.append(("end", epoch, sorted(logs)))

    def on_train_end(self, logs):
        self.calls.append("done")

    def close(self):
        self.calls.append("close")


class Script(dr.Callback):
    """Replaces a figure by given values, so that a test decides what callbacks after it see."""

    def __init__(self, name, values):
        self.name, self.values = name, iter(values)

    def on_epoch_end(self, epoch, logs):
        logs[self.name] = next(self.values)


def test_order_of_calls(blobs, classifier):
    X, y = blobs
    recorder = Recorder()
    classifier().fit(X, y, epochs=2, callbacks=[recorder])
    names = ["accuracy", "learning_rate", "loss", "time"]
    assert recorder.calls == [
        "begin", ("epoch", 0), ("end", 0, names), ("epoch", 1), ("end", 1, names), "done", "close",
    ]  # fmt: skip


def test_callbacks_do_not_change_training(blobs, classifier, weight_bytes):
    X, y = blobs

    class Batches(dr.Callback):
        def __init__(self, period):
            self.batch_period, self.seen = period, []

        def on_batch_end(self, batch, logs):
            self.seen.append((batch, logs["loss"]))

    plain, each, third = classifier(), classifier(), classifier()
    one, three = Batches(1), Batches(3)
    a = plain.fit(X, y, epochs=2)
    b = each.fit(X, y, epochs=2, callbacks=[one])
    c = third.fit(X, y, epochs=2, callbacks=[three])
    assert weight_bytes(plain) == weight_bytes(each) == weight_bytes(third)
    assert [batch for batch, _ in one.seen] == 2 * list(range(8))
    assert [batch for batch, _ in three.seen] == 2 * [2, 5, 7]
    assert a["loss"] == b["loss"] == c["loss"]
    assert a["accuracy"] == b["accuracy"] == c["accuracy"]


def test_lambda_callback(blobs, classifier):
    X, y = blobs
    losses, batches = [], []
    callback = dr.LambdaCallback(
        on_epoch_end=lambda epoch, logs: losses.append((epoch, logs["loss"])),
        on_batch_end=lambda batch, logs: batches.append(batch),
    )
    history = classifier().fit(X, y, batch_size=120, epochs=3, callbacks=[callback])
    assert losses == list(enumerate(history["loss"]))
    assert batches == [0, 1] * 3
    with pytest.raises(TypeError, match="LambdaCallback: unknown method 'on_end'; known: on_train_begin"):
        dr.LambdaCallback(on_end=print)
    with pytest.raises(TypeError, match="LambdaCallback: on_train_end is 3; allowed: a function"):
        dr.LambdaCallback(on_train_end=3)


@pytest.mark.parametrize(
    ("options", "values", "stopped", "best"),
    [
        ({}, [3, 2, 2.5, 1], 2, 1),
        ({"patience": 2}, [3, 2, 2.5, 2, 1], 3, 1),
        ({"patience": 3}, [3, 2, 2.5, 2, 1, 0], None, 5),
        ({"patience": 2, "mode": "max"}, [1, 2, 3, 2, 2, 9], 4, 2),
        ({"patience": 1, "min_delta": 0.5}, [3, 2, 1.6, 1], 2, 1),
        ({"start_from_epoch": 2}, [1, 5, 4, 3, 3.5], 4, 3),
        ({"monitor": "accuracy"}, [0.1, 0.5, 0.4], 2, 1),
    ],
)
def test_early_stopping(blobs, classifier, weight_bytes, options, values, stopped, best):
    X, y = blobs
    stop = dr.EarlyStopping(**({"monitor": "loss"} | options))
    script = Script(stop.monitor, [*values, *[99] * 10])
    seen = {}
    note = dr.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.update({epoch: weight_bytes(net)}))
    net = classifier()
    net.fit(X, y, epochs=len(values), callbacks=[note, script, stop])
    assert stop.stopped_epoch == stopped
    assert stop.best_epoch == best
    assert stop.best == values[best]
    assert net.epoch == (len(values) if stopped is None else stopped + 1)
    assert weight_bytes(net) == seen[best]


def test_early_stopping_can_keep_the_last_weights(blobs, classifier, weight_bytes):
    X, y = blobs
    net, twin = classifier(), classifier()
    net.fit(
        X,
        y,
        epochs=9,
        callbacks=[Script("loss", [1, 2]), dr.EarlyStopping("loss", restore_best_weights=False)],
    )
    twin.fit(X, y, epochs=2)
    assert weight_bytes(net) == weight_bytes(twin)


def test_early_stopping_can_be_used_again(blobs, classifier):
    X, y = blobs
    stop = dr.EarlyStopping("loss", patience=2)
    net = classifier()
    net.fit(X, y, epochs=9, callbacks=[Script("loss", [1, 2, 3]), stop])
    assert stop.stopped_epoch == 2
    net.fit(X, y, epochs=3, callbacks=[Script("loss", [9, 8, 7]), stop])
    assert stop.stopped_epoch is None
    assert (stop.best, stop.best_epoch) == (7, 5)


def test_model_checkpoint(blobs, classifier, weight_bytes, tmp_path):
    X, y = blobs
    net, seen = classifier(), []
    note = dr.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(weight_bytes(net)))
    every = dr.ModelCheckpoint(tmp_path / "net-{epoch:02d}-{loss:.0f}.safetensors")
    best = dr.ModelCheckpoint(tmp_path / "best.safetensors", "loss", save_best_only=True)
    net.fit(X, y, epochs=4, callbacks=[note, Script("loss", [4.0, 2.0, 3.0, 2.0]), every, best])
    names = ["best", "net-01-4", "net-02-2", "net-03-3", "net-04-2"]
    assert sorted(path.stem for path in tmp_path.iterdir()) == names
    assert [weight_bytes(dr.load(tmp_path / f"{name}.safetensors")) for name in names[1:]] == seen
    kept = dr.load(tmp_path / "best.safetensors")
    assert weight_bytes(kept) == seen[1]
    assert kept.epoch == 2
    with pytest.raises(ValueError, match=r"ModelCheckpoint: path = '{auc}' cannot be filled in: KeyError"):
        net.fit(X, y, callbacks=[dr.ModelCheckpoint("{auc}")])


@pytest.mark.parametrize(
    ("mode", "values"), [("min", [np.nan, 3.0, np.nan, 4.0]), ("max", [np.nan, 3.0, 2.0])]
)
def test_nan_is_never_the_best(blobs, classifier, tmp_path, mode, values):
    """Even as the first figure: what comes after it is better."""
    path = tmp_path / "best.safetensors"
    best = dr.ModelCheckpoint(path, "loss", save_best_only=True, mode=mode)
    seen = dr.LambdaCallback(on_epoch_end=lambda epoch, logs: existed.append(path.exists()))
    existed = []
    classifier().fit(*blobs, epochs=len(values), callbacks=[Script("loss", values), best, seen])
    assert (best.best, best.best_epoch) == (3.0, 1)
    assert dr.load(path).epoch == 2
    assert existed == [False] + [True] * (len(values) - 1)


def test_csv_logger(blobs, classifier, tmp_path):
    X, y = blobs
    net, path = classifier(), tmp_path / "log.csv"
    first = net.fit(X, y, epochs=2, callbacks=[dr.CSVLogger(path)])
    second = net.fit(X, y, epochs=1, callbacks=[dr.CSVLogger(path, append=True)])
    with path.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert [float(row["loss"]) for row in rows] == first["loss"] + second["loss"]
    net.fit(X, y, callbacks=[dr.CSVLogger(path)])
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2


def test_reduce_on_plateau(blobs, classifier):
    X, y = blobs
    reduce = dr.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_learning_rate=0.003)
    net = classifier(optimizer=dr.SGD(0.01))
    history = net.fit(X, y, epochs=8, callbacks=[Script("loss", [1.0] * 8), reduce])
    np.testing.assert_allclose(history["learning_rate"], [0.01] * 3 + [0.005] * 2 + [0.003] * 3)


@pytest.mark.parametrize(
    ("figures", "options", "rates"),
    [  # (factor, patience, min_delta, cooldown, min_learning_rate, maximize)
        ([3, 2, 1, 1, 1], (0.5, 2, 0.0, 0, 0.0, False), [8, 8, 8, 8, 4]),
        ([1, 2, 3, 3, 2], (0.5, 2, 0.0, 0, 0.0, True), [8, 8, 8, 8, 4]),
        ([1, 1, 1, 1, 1], (0.5, 0, 0.0, 0, 3.0, False), [8, 4, 3, 3, 3]),
        ([1, 1, 1, 1, 1], (0.5, 1, 0.0, 2, 0.0, False), [8, 4, 4, 4, 2]),
        ([3, 2.5, 2, 1.5, 1], (0.5, 1, 1.0, 0, 0.0, False), [8, 4, 2, 2, 1]),
        ([np.nan, np.nan, 5, np.nan, 4], (0.5, 2, 0.0, 0, 0.0, False), [8, 4, 4, 4, 4]),
        ([1, 1, 1], (0.5, 1, 0.0, 0, 10.0, False), [8, 8, 8]),
    ],
)
def test_the_rule_of_plateaus(figures, options, rates):
    """By hand: an improvement must be larger than min_delta; no figure at all is none."""
    rule, rate, got = core.ReduceOnPlateau(*options), 8.0, []
    for figure in figures:
        rate = rule.observe(figure, rate)
        got.append(rate)
    assert got == rates


def test_reduce_on_plateau_keeps_the_best(blobs, classifier):
    reduce = dr.ReduceOnPlateau("loss", patience=5)
    assert type(reduce) is dr.ReduceLROnPlateau
    classifier().fit(*blobs, epochs=4, callbacks=[Script("loss", [3.0, 1.0, 2.0, 1.5]), reduce])
    assert (reduce.best, reduce.best_epoch) == (1.0, 1)


def test_reduce_on_plateau_and_a_schedule_exclude_each_other(blobs, classifier):
    net = classifier(optimizer=dr.SGD(0.01, schedule="cosine"))
    with pytest.raises(
        ValueError, match="ReduceLROnPlateau: the optimizer has a schedule; use one of the two"
    ):
        net.fit(*blobs, callbacks=[dr.ReduceLROnPlateau("loss")])


def test_stop_training(blobs, classifier):
    X, y = blobs
    net = classifier()
    stop = dr.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(net, "stop_training", epoch == 2))
    assert len(net.fit(X, y, epochs=9, callbacks=[stop])) == 3
    assert len(net.fit(X, y, epochs=2)) == 2


@pytest.mark.parametrize(("method", "period", "steps"), [
    ("on_batch_end", 1, 3), ("on_batch_end", 3, 3), ("on_batch_begin", 1, 3), ("on_batch_end", 100, 4),
])  # fmt: skip
def test_stop_training_between_batches(blobs, classifier, weight_bytes, method, period, steps):
    """Training ends after the batch, with figures of the rows seen so far."""
    X, y = blobs[0][:100], blobs[1][:100]
    recorder = Recorder()

    def stop(batch, logs):
        net.stop_training |= epoch == 1 and batch >= 2

    def begin(given, logs):
        nonlocal epoch
        epoch = given

    epoch, between = 0, dr.LambdaCallback(on_epoch_begin=begin, **{method: stop})
    between.batch_period = period
    net, twin = classifier(), classifier()
    settings = {"batch_size": 30, "shuffle": False, "validation_data": blobs}
    history = net.fit(X, y, epochs=5, callbacks=[between, recorder], **settings)
    assert (net.step, net.epoch, len(history)) == (4 + steps, 2, 2)
    assert [call[:2] for call in recorder.calls[3:5]] == [("epoch", 1), ("end", 1)]
    assert recorder.calls[5:] == ["done", "close"]
    twin.fit(X, y, **settings)
    rows = 30 * steps
    same = twin.fit(X[:rows], y[:rows], **settings)
    assert weight_bytes(net) == weight_bytes(twin)
    assert [history[n][1] for n in ("loss", "val_loss")] == [same[n][0] for n in ("loss", "val_loss")]
    net.fit(X, y, **settings)
    assert net.step == 8 + steps


def test_stop_training_before_batches_ends_after_the_epoch(blobs, classifier):
    """Whether or not somebody looks at batches."""
    net = classifier()
    stop = dr.LambdaCallback(on_epoch_begin=lambda epoch, logs: setattr(net, "stop_training", True))
    look = dr.LambdaCallback(on_batch_end=lambda batch, logs: None)
    net.fit(*blobs, epochs=5, batch_size=30, callbacks=[stop, look])
    assert (net.epoch, net.step) == (1, 8)


@pytest.mark.parametrize(
    "method", ["on_train_begin", "on_epoch_begin", "on_batch_end", "on_epoch_end", "on_train_end"]
)
def test_exceptions_leave_a_usable_network(blobs, classifier, weight_bytes, method):
    X, y = blobs
    net, recorder = classifier(), Recorder()

    def fail(*arguments):
        if method in ("on_train_begin", "on_train_end") or arguments[0] >= 1:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        net.fit(X, y, epochs=4, callbacks=[recorder, dr.LambdaCallback(**{method: fail})])
    done = {
        "on_train_begin": 0,
        "on_epoch_begin": 1,
        "on_batch_end": 0,
        "on_epoch_end": 2,
        "on_train_end": 4,
    }[method]
    assert recorder.calls[-1] == "close"
    assert net.epoch == len(net.history) == done
    if method != "on_batch_end":  # whole epochs only: training goes on as if nothing had been
        twin = classifier()
        twin.fit(X, y, epochs=done + 1)
        net.fit(X, y)
        assert weight_bytes(net) == weight_bytes(twin)
    assert np.isfinite(net.evaluate(X, y)["loss"])


def test_printed_lines(blobs, classifier, capsys):
    X, y = blobs
    net = classifier()
    net.fit(X, y, epochs=2, verbose=2)
    net.fit(X, y, epochs=1, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["1/2", "2/2", "3/3"]
    assert all("loss " in line and "accuracy " in line and line.endswith(" s") for line in lines)


def test_nothing_is_shown_without_a_terminal(blobs, classifier, capfd):
    X, y = blobs
    classifier().fit(X, y, epochs=2)
    assert capfd.readouterr() == ("", "")


def test_bar(blobs, classifier, capfd):
    pytest.importorskip("tqdm")
    X, y = blobs
    classifier().fit(X, y, epochs=3, verbose=1)
    shown = capfd.readouterr().err
    assert "3/3" in shown
    assert "loss" in shown


ON_A_TERMINAL = """
import fcntl, os, pty, struct, sys, termios
master, slave = pty.openpty()
fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
os.dup2(slave, 2)
import numpy as np
import deltarule as dr
net = dr.Sequential([dr.Dense(1)])
net.compile("sgd", loss="mse")
net.fit(np.ones((4, 2)), np.ones(4), epochs=3)
os.close(slave)
os.close(2)
shown = b""
try:
    while part := os.read(master, 10000):
        shown += part
except OSError:  # all of it has been read
    pass
print(repr(shown))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_bar_appears_on_a_terminal(new_process):
    pytest.importorskip("tqdm")
    shown = new_process(ON_A_TERMINAL)
    assert "3/3" in shown
    assert "loss" in shown


def test_bar_needs_tqdm(blobs, classifier, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    X, y = blobs
    net = classifier()
    with pytest.raises(ImportError, match=r'ProgressBar needs tqdm: pip install "deltarule\[progress\]"'):
        net.fit(X, y, verbose=1)
    assert not net.built


@pytest.mark.parametrize(
    ("make", "kind", "text"),
    [
        (lambda: dr.EarlyStopping(patience=-1), ValueError, "EarlyStopping: patience = -1 is not"),
        (lambda: dr.EarlyStopping(mode="low"), ValueError, "mode = 'low' is not allowed; allowed: 'auto'"),
        (lambda: dr.EarlyStopping(3), TypeError, "EarlyStopping: monitor is 3; allowed: the name of a"),
        (lambda: dr.EarlyStopping(min_delta=-1), ValueError, "EarlyStopping: min_delta = -1.0 is not"),
        (lambda: dr.EarlyStopping(restore_best_weights=1), TypeError, "restore_best_weights is 1"),
        (lambda: dr.ReduceLROnPlateau(factor=1), ValueError, "ReduceLROnPlateau: factor = 1.0 is not"),
    ],
)  # fmt: skip
def test_bad_arguments(make, kind, text):
    with pytest.raises(kind) as caught:
        make()
    assert text in str(caught.value)
