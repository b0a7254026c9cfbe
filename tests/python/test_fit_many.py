"""Many networks at once: the bits of training alone, for everything that can be trained."""

import json

import numpy as np
import pytest

import deltarule as dr
from deltarule._data import Task
from deltarule._from_catalog import CATALOG, class_name
from deltarule.many._shared import Shared

ROWS = 150
CROSS_ENTROPY = "sparse_softmax_cross_entropy"
COMMON = {"loss": CROSS_ENTROPY, "metrics": ["accuracy"], "epochs": 3, "batch_size": 16}


pytestmark = pytest.mark.usefixtures("two_threads")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(ROWS, 5)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)


def plain(units=7, activation="tanh"):
    return [dr.Dense(units, activation), dr.Dense(3)]


def everything(model):
    """All that training leaves: arrays, optimizer state, counters, history without times."""
    columns = {name: c for name, c in model.history.history.items() if name != "time"}
    arrays = {**model.get_weights(), **(model._trainer.states() if model._trainer else {})}
    return (
        {name: a.tobytes() for name, a in arrays.items()},
        json.dumps([columns, model.history.epoch, model.history.stop_reason]),
        (model.step, model.epoch, model.learning_rate, model._trainer.averaged, model.stop_training),
    )


def alone(
    X, y, *, rows=None, validation_rows=None, layers=None, model=None, seed=0, dtype="float32", **settings
):
    """The network that `Sequential.fit` makes of copies of the rows."""
    net = dr.Sequential(layers, seed=seed, dtype=dtype) if model is None else model.copy()
    compiling = {k: settings.pop(k) for k in list(settings) if k in dr.Sequential.compile.__kwdefaults__}
    for name in ("optimizer", "loss", "metrics"):
        if name in settings:
            compiling[name] = settings.pop(name)
    if compiling:
        net.compile(**compiling)
    weight = settings.pop("sample_weight", None)
    if validation_rows is not None:
        parts = (X, y) if weight is None else (X, y, weight)
        settings["validation_data"] = tuple(part[validation_rows] for part in parts)
    rows = slice(None) if rows is None else rows
    net.fit(X[rows], y[rows], sample_weight=None if weight is None else weight[rows], **settings)
    return net


def same_as_alone(X, y, configurations, **common):
    """Train all at once and each alone; compare every bit."""
    results = dr.fit_many(X, y, configurations, verbose=0, **common)
    assert [r.status for r in results] == ["finished"] * len(configurations)
    for result, configuration in zip(results, configurations, strict=True):
        settings = {**common, **configuration}
        expected = alone(X, y, **settings)
        assert everything(result.model) == everything(expected), result
        if settings.get("validation_rows") is not None:
            held = settings["validation_rows"]
            weight = settings.get("sample_weight")
            figures = expected.evaluate(
                X[held], y[held], sample_weight=None if weight is None else weight[held]
            )
            assert result.score == {"val_" + name: value for name, value in figures.items()}
    return results


def fold(k=0):
    rows, validation_rows, _ = dr.k_folds(ROWS, 3)[k]
    return {"rows": rows, "validation_rows": validation_rows}


LAYERS = {
    "dense": plain(),
    "dropout and batch norm": [
        dr.Standardize(),
        dr.Dense(9, "relu"),
        dr.BatchNorm(),
        dr.Dropout(0.3),
        dr.Dense(3),
    ],
    "noise and norms": [
        dr.GaussianNoise(0.1),
        dr.Dense(8, "selu"),
        dr.LayerNorm(),
        dr.AlphaDropout(0.2),
        dr.RMSNorm(),
        dr.Dense(3),
    ],
    "residual": [
        dr.Dense(6, "tanh"),
        dr.Residual([dr.WeightNorm(dr.Dense(6, "gelu")), dr.PReLU()]),
        dr.Branches([[dr.Dense(4)], []], "concat"),
        dr.Dense(3),
    ],
    "scaled by the data": [dr.Dense(6, "tanh", initializer="lsuv"), dr.Dense(3, initializer="lsuv")],
    "standardised embedding": [dr.Standardize(), dr.PeriodicEmbedding(3), dr.Dense(3)],
    "images": [dr.Reshape((5, 1, 1)), dr.Conv2D(4, (3, 1), activation="relu"), dr.Dense(3)],
    "gated": [dr.Dense(8), dr.Activation("swiglu"), dr.Dense(3)],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers(data, layers, dtype):
    configurations = [
        {"layers": layers, "seed": seed, "dtype": dtype, **(fold(seed) if seed else {})} for seed in range(3)
    ]
    same_as_alone(*data, configurations, **COMMON)


def schedule_classes():
    return [getattr(dr.schedules, class_name(entry)) for entry in CATALOG["schedule"]]


def test_every_schedule(data):
    schedules = [cls() for cls in schedule_classes()]
    schedules += [dr.Warmup(5, then=dr.Cosine()), lambda step: 0.1 / (1 + step)]
    configurations = [
        {"layers": plain(), "optimizer": dr.SGD(0.1, schedule=schedule), "seed": i, **fold(i % 3)}
        for i, schedule in enumerate(schedules)
    ]
    same_as_alone(*data, configurations, **COMMON)


def test_every_optimizer(data):
    configurations = []
    for i, entry in enumerate(CATALOG["optimizer"]):
        if entry["name"] == "delta_rule":
            continue
        optimizer = getattr(dr.optimizers, class_name(entry))()
        whole = entry["reach"] == "network"
        configurations.append(
            {"layers": plain(), "optimizer": optimizer, "batch_size": None if whole else 16, **fold(i % 3)}
        )
    same_as_alone(*data, configurations, **{**COMMON, "epochs": 4})


def test_line_searches_go_on_where_they_were(data):
    """One thread for a while, then two, and rows by number: no evaluation more and none less."""
    configurations = [
        {"layers": plain(units), "optimizer": "lbfgs", "epochs": epochs, "batch_size": None, **where}
        for units, epochs, where in [(64, 30, fold(0)), (4, 2, {}), (5, 3, fold(1))]
    ]
    same_as_alone(*data, configurations, **COMMON)


CONTROL = {
    "clipped": {"clip_norm": 0.5},
    "clipped by value": {"clip_value": 0.01},
    "penalised": {"l2": 1e-3, "l1": 1e-4},
    "max norm": {"max_norm": 1.0},
    "groups": {"parameter_groups": [{"match": "*.bias", "learning_rate_factor": 2.0}]},
    "EMA": {"average": dr.EMA(0.9)},
    "EMA at the end": {"average": dr.EMA(0.9, use_at_end=True)},
    "SWA at the end": {"average": dr.SWA(1, use_at_end=True)},
    "private": {"dp_clip_norm": 1.0, "dp_noise_multiplier": 0.5},
    "in order": {"shuffle": False},
    "one batch": {"batch_size": None},
    "rest": {"batch_size": 33},
    "class weights": {"class_weight": {0: 2.0, 1: 0.5}},
    "balanced": {"class_weight": "balanced"},
    "numbered": {"initial_epoch": 1, "epochs": 3},
}


@pytest.mark.parametrize("control", CONTROL.values(), ids=CONTROL)
def test_training_control(data, control):
    same_as_alone(*data, [{"layers": plain(), **control, **fold(i)} for i in range(2)], **COMMON)


def test_mixup(data):
    X, y = data
    configurations = [{"layers": plain(), "mixup": 0.3, "seed": i, **fold(i)} for i in range(2)]
    same_as_alone(X, np.eye(3)[y], configurations, **{**COMMON, "loss": "softmax_cross_entropy"})


@pytest.mark.parametrize("class_weight", [None, "balanced"])
def test_sample_weights(data, rng, class_weight):
    X, y = data
    weight = rng.uniform(size=ROWS)
    configurations = [
        {"layers": plain(), "class_weight": class_weight, **where}
        for where in (fold(0), fold(1), {}, {"validation_split": 0.25}, {**fold(2), "sample_weight": None})
    ]
    same_as_alone(X, y, configurations, sample_weight=weight, **COMMON)


def test_validation_split_of_chosen_rows(data, rng):
    bootstrap = rng.integers(0, ROWS, ROWS)
    configurations = [
        {"layers": plain(), "rows": bootstrap, "validation_split": 0.2},
        {"layers": plain(), "rows": np.arange(40), "validation_split": 0.1},
        {"layers": plain(), "validation_data": (data[0][:9], data[1][:9])},
    ]
    same_as_alone(*data, configurations, **COMMON)


def test_ignored_labels_and_soft_targets(data):
    X, y = data
    marked = np.where(np.arange(ROWS) % 4 == 0, -1, y)
    loss = dr.SparseSoftmaxCrossEntropy(ignore_index=-1)
    same_as_alone(X, marked, [{"layers": plain(), **fold(i)} for i in range(3)], **{**COMMON, "loss": loss})
    soft = np.random.default_rng(0).dirichlet(np.ones(3), ROWS)
    common = {**COMMON, "loss": "softmax_cross_entropy", "metrics": []}
    same_as_alone(X, soft, [{"layers": plain(), **fold(i)} for i in range(3)], **common)


def test_indices_for_an_embedding(rng):
    X = rng.integers(0, 5, (ROWS, 2)).astype(np.float32)
    y = (X.sum(axis=1) % 3).astype(int)
    layers = [dr.Embedding([0, 1], [5, 5], dimension=3), dr.Dense(3)]
    same_as_alone(X, y, [{"layers": layers, **fold(i)} for i in range(3)], **COMMON)
    X[17, 1] = 9
    with pytest.raises(ValueError, match=r"^fit_many: configuration 1: "):
        dr.fit_many(X, y, [{"layers": layers, "rows": range(10)}, {"layers": layers}], **COMMON)


STOPPING = {
    "patience": {"patience": 2},
    "delta": {"min_delta": 0.02, "patience": 1},
    "later": {"patience": 1, "start_from_epoch": 4},
    "keeps the last": {"patience": 3, "restore_best_weights": False},
    "of training": {"monitor": "accuracy", "patience": 1},
    "largest": {"monitor": "val_accuracy", "patience": 2},
    "told": {"monitor": "val_loss", "mode": "max", "patience": 2},
    "never": {"patience": 10**12},
}


@pytest.mark.parametrize("options", STOPPING.values(), ids=STOPPING)
@pytest.mark.parametrize("also", [False, True], ids=["core", "python"])
def test_early_stopping(data, options, also):
    """In the core and, where another callback stands beside it, in Python."""
    common = {**COMMON, "epochs": 25, "optimizer": dr.Adam(0.05)}
    callbacks = [dr.EarlyStopping(**options)]
    if also:
        callbacks.append(dr.LambdaCallback(on_epoch_begin=lambda epoch, logs: None))
    configurations = [{"layers": plain(16), "callbacks": callbacks, "seed": i, **fold(i)} for i in range(3)]
    results = same_as_alone(*data, configurations, **common)
    for result, configuration in zip(results, configurations, strict=True):
        own = result.callbacks[0]
        assert own is not callbacks[0]
        reference = dr.EarlyStopping(**options)
        alone(*data, **{**common, **configuration, "callbacks": [reference]})
        assert (own.best, own.best_epoch, own.stopped_epoch) == (
            reference.best,
            reference.best_epoch,
            reference.stopped_epoch,
        )


@pytest.mark.parametrize("also", [False, True], ids=["core", "python"])
def test_rate_follows_a_figure(data, also):
    common = {**COMMON, "epochs": 20, "optimizer": dr.SGD(0.5)}
    callbacks = [dr.ReduceLROnPlateau(factor=0.3, patience=1, cooldown=1), dr.EarlyStopping(patience=9)]
    if also:
        callbacks.append(dr.LambdaCallback(on_epoch_begin=lambda epoch, logs: None))
    configurations = [{"layers": plain(16), "callbacks": callbacks, "seed": i, **fold(i)} for i in range(3)]
    results = same_as_alone(*data, configurations, **common)
    assert any(r.history["learning_rate"][-1] < 0.5 for r in results)
    for result, configuration in zip(results, configurations, strict=True):
        reference = dr.ReduceLROnPlateau(factor=0.3, patience=1, cooldown=1)
        alone(*data, **{**common, **configuration, "callbacks": [reference, *callbacks[1:]]})
        assert (result.callbacks[0].best, result.callbacks[0].best_epoch) == (
            reference.best,
            reference.best_epoch,
        )


def test_a_trained_model_is_trained_on(data, weight_bytes):
    X, y = data
    base = alone(X, y, layers=plain(), optimizer="adam", **COMMON)
    before = weight_bytes(base)
    results = same_as_alone(X, y, [{"model": base, "epochs": 2, **fold(i)} for i in range(3)])
    assert weight_bytes(base) == before
    assert [r.model.epoch for r in results] == [5, 5, 5]
    assert results[0].history.epoch == [3, 4]


def test_batches_in_python(data):
    """A callback between batches, and what is defined in Python."""
    seen = []

    class Counting(dr.Callback):
        batch_period = 3

        def __init__(self):
            self.batches = []

        def on_batch_end(self, batch, logs):
            self.batches.append((batch, logs["loss"]))
            seen.append(self)

    def descent(weights, gradient, rate, step):
        return weights - rate * gradient

    def loss(prediction, target):
        difference = prediction - np.eye(3)[target]
        return (difference**2).sum(axis=1), 2 * difference

    given = Counting()
    configurations = [
        {"layers": plain(), "callbacks": given, **fold(0)},
        {"layers": plain(), "callbacks": given, **fold(1)},
        {"layers": plain(), "optimizer": descent, **fold(1)},
        {"layers": plain(6, (lambda x: x**3 / 9, lambda x: x**2 / 3)), **fold(2)},
        {"layers": plain(), "loss": dr.custom.loss(loss, targets="labels"), "metrics": [], **fold(0)},
    ]
    results = dr.fit_many(*data, configurations, verbose=0, **COMMON)
    assert given.batches == []  # those of the networks are copies ...
    own = [result.callbacks[0] for result in results[:2]]
    assert [len(callback.batches) for callback in own] == [9, 9]  # ... of their own
    assert set(map(id, seen)) == set(map(id, own))
    same_as_alone(*data, configurations, **COMMON)


def test_models_learn_by_themselves_whatever_the_threads(data):
    configurations = dr.grid(
        units=[3, 9], fold=dr.k_folds(ROWS, 3, stratify=data[1]), seed=range(2), dtype=["float32", "float64"]
    )

    def build(units):
        return plain(units)

    found = set()
    for threads in (1, 2, 3, 7, None):
        results = dr.fit_many(
            *data,
            [
                {"layers": build(c["units"]), **{k: v for k, v in c.items() if k != "units"}}
                for c in configurations
            ],
            threads=threads,
            **COMMON,
        )
        found.add(repr([everything(r.model) for r in results]))
    assert len(found) == 1


def test_data_are_shared(data):
    X, y = data
    shared = Shared(X, y)
    loss, metric = dr.losses.SparseSoftmaxCrossEntropy(), dr.metrics.Accuracy()
    first, second = (shared.data(Task(loss, (metric,), 3, X.dtype), None) for _ in range(2))
    assert first.X is X
    assert second.X is X
    assert first.y is second.y
