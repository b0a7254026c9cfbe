"""Training: what `fit`, `evaluate` and `train_on_batch` do with data and options."""

import gc
import weakref

import numpy as np
import pytest

import deltarule as dr


def test_learns_classes(blobs, classifier):
    X, y = blobs
    net = classifier()
    history = net.fit(X, y, epochs=60)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert history["accuracy"][-1] > 0.85
    assert net.evaluate(X, y)["accuracy"] > 0.85


def test_learns_a_curve(curve, regressor):
    X, Y = curve
    net = regressor(metrics=["mae", "r2"])
    net.fit(X, Y, epochs=200)
    result = net.evaluate(X, Y)
    assert result["loss"] < 0.01
    assert result["r2"] > 0.95
    np.testing.assert_allclose(result["loss"], ((net.predict(X) - Y) ** 2).mean(), rtol=1e-5)
    np.testing.assert_allclose(result["mae"], np.abs(net.predict(X) - Y).mean(), rtol=1e-5)


def test_one_step_of_gradient_descent_by_hand(rng):
    X, Y = rng.normal(size=(10, 3)), rng.normal(size=(10, 2))
    net = dr.Sequential([dr.Dense(2)], dtype="float64").build(3)
    net.compile(dr.SGD(0.1), loss="mse")
    w, b = (a.copy() for a in net.parameters().values())
    residual = X @ w + b - Y
    result = net.train_on_batch(X, Y)
    assert result["loss"] == pytest.approx((residual**2).mean(), rel=1e-13)
    np.testing.assert_allclose(net.parameters()["dense_1.weight"], w - 0.1 * X.T @ residual / 10, rtol=1e-13)
    np.testing.assert_allclose(
        net.parameters()["dense_1.bias"], b - 0.1 * residual.sum(axis=0) / 10, rtol=1e-12
    )
    assert net.step == 1


def test_steps_and_last_partial_batch(blobs, classifier):
    X, y = blobs
    net = classifier()
    net.fit(X[:70], y[:70], batch_size=32, epochs=2)
    assert net.step == 6
    net.fit(X, y, batch_size=None)
    assert net.step == 7


def test_full_batch_equals_train_on_batch(blobs, classifier, weight_bytes):
    X, y = blobs
    first, second = classifier(), classifier()
    first.fit(X, y, batch_size=None, shuffle=False, epochs=3)
    for _ in range(3):
        second.train_on_batch(X, y)
    assert weight_bytes(first) == weight_bytes(second)


def test_batches_in_order_without_shuffling(blobs, classifier, weight_bytes):
    X, y = blobs
    first, second = classifier(), classifier()
    first.fit(X[:50], y[:50], batch_size=20, shuffle=False)
    for start in (0, 20, 40):
        second.train_on_batch(X[start : min(start + 20, 50)], y[start : min(start + 20, 50)])
    assert weight_bytes(first) == weight_bytes(second)


def test_shuffling_sees_every_row_once(rng):
    """With a linear model, one batch per row and no learning, the mean of the losses is that of all rows."""
    X, Y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    net = dr.Sequential([dr.Dense(1)], dtype="float64").build(2)
    net.compile(dr.SGD(0.0), loss="mse")
    history = net.fit(X, Y, batch_size=1, epochs=3)
    expected = net.evaluate(X, Y)["loss"]
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-12)


def test_two_fits_are_one(blobs, classifier, weight_bytes):
    X, y = blobs
    together, apart = classifier(), classifier()
    whole = together.fit(X, y, epochs=5)
    first = apart.fit(X, y, epochs=2)
    second = apart.fit(X, y, epochs=3)
    assert weight_bytes(together) == weight_bytes(apart)
    assert first.epoch + second.epoch == whole.epoch == [0, 1, 2, 3, 4]
    assert first["loss"] + second["loss"] == whole["loss"]


def test_initial_epoch_counts_to_epochs(blobs, classifier, weight_bytes):
    X, y = blobs
    together, apart = classifier(), classifier()
    together.fit(X, y, epochs=5)
    apart.fit(X, y, epochs=2)
    assert apart.fit(X, y, epochs=5, initial_epoch=2).epoch == [2, 3, 4]
    assert weight_bytes(together) == weight_bytes(apart)


def test_validation_data_and_split(blobs, classifier, weight_bytes):
    X, y = blobs
    first, second, third = classifier(), classifier(), classifier()
    a = first.fit(X, y, epochs=3, validation_split=0.25)
    b = second.fit(X[:180], y[:180], epochs=3, validation_data=(X[180:], y[180:]))
    third.fit(X[:180], y[:180], epochs=3)
    assert weight_bytes(first) == weight_bytes(second) == weight_bytes(third)
    assert a["val_loss"] == b["val_loss"]
    assert a["val_accuracy"] == b["val_accuracy"]
    final = first.evaluate(X[180:], y[180:])
    assert final["loss"] == a["val_loss"][-1]
    assert final["accuracy"] == a["val_accuracy"][-1]


def test_zero_weight_is_a_missing_row(blobs, classifier, weight_bytes):
    X, y = blobs
    weight = np.ones(len(X))
    weight[::3] = 0
    kept = weight > 0
    first, second = classifier(dtype="float64"), classifier(dtype="float64")
    first.fit(X, y, sample_weight=weight, batch_size=None, epochs=3)
    second.fit(X[kept], y[kept], batch_size=None, epochs=3)
    for name, array in first.parameters().items():
        np.testing.assert_allclose(array, second.parameters()[name], rtol=1e-9, atol=1e-12)
    weighted, plain = first.evaluate(X, y, sample_weight=weight), first.evaluate(X[kept], y[kept])
    for name in ("loss", "accuracy"):
        assert weighted[name] == pytest.approx(plain[name], rel=1e-12)


def test_weight_two_is_a_row_twice(blobs, classifier):
    X, y = blobs
    twice = np.concatenate([np.arange(len(X)), np.arange(100)])
    weight = np.ones(len(X))
    weight[:100] = 2
    first, second = classifier(dtype="float64"), classifier(dtype="float64")
    first.fit(X, y, sample_weight=weight, batch_size=None, epochs=3)
    second.fit(X[twice], y[twice], batch_size=None, epochs=3)
    for name, array in first.parameters().items():
        np.testing.assert_allclose(array, second.parameters()[name], rtol=1e-9, atol=1e-12)


def test_class_weight(blobs, classifier, weight_bytes):
    X, y = blobs
    by_class, by_row, balanced, counted = (classifier() for _ in range(4))
    by_class.fit(X, y, class_weight={0: 2.0, 2: 0.5})
    by_row.fit(X, y, sample_weight=np.select([y == 0, y == 2], [2.0, 0.5], 1.0))
    assert weight_bytes(by_class) == weight_bytes(by_row)
    balanced.fit(X, y, class_weight="balanced")
    counted.fit(X, y, class_weight={c: len(y) / (3 * (y == c).sum()) for c in range(3)})
    assert weight_bytes(balanced) == weight_bytes(counted)


def test_class_weight_times_sample_weight(blobs, classifier, weight_bytes):
    X, y = blobs
    weight = np.where(np.arange(len(y)) % 2, 0.5, 2.0)
    first, second = classifier(), classifier()
    first.fit(X, y, class_weight={1: 4.0}, sample_weight=weight)
    second.fit(X, y, sample_weight=np.where(y == 1, 4.0, 1.0) * weight)
    assert weight_bytes(first) == weight_bytes(second)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_labels_of_any_integer_type(blobs, classifier, weight_bytes, kind):
    X, y = blobs
    first, second = classifier(), classifier()
    first.fit(X, y.astype(kind))
    second.fit(X, y[:, None].tolist())
    assert weight_bytes(first) == weight_bytes(second)


def test_pandas_and_lists_are_the_same_as_arrays(blobs, classifier, weight_bytes):
    pandas = pytest.importorskip("pandas")
    X, y = blobs
    nets = [classifier() for _ in range(4)]
    nets[0].fit(X, y)
    nets[1].fit(
        pandas.DataFrame(X, index=np.arange(len(X))[::-1]), pandas.Series(y, index=np.arange(len(X)) + 7)
    )
    nets[2].fit(X.tolist(), y.tolist())
    nets[3].fit(np.asfortranarray(X.astype(np.float64)), y.astype(np.int16))
    assert len({weight_bytes(net) for net in nets}) == 1


def test_one_hot_equals_labels(blobs, classifier):
    X, y = blobs
    sparse, dense, labels = (classifier(dtype="float64") for _ in range(3))
    dense.compile(dr.Adam(0.01), loss="softmax_cross_entropy", metrics=["accuracy"])
    labels.compile(dr.Adam(0.01), loss="softmax_cross_entropy", metrics=["accuracy"])
    a = sparse.fit(X, y, epochs=3)
    b = dense.fit(X, np.eye(3)[y], epochs=3)
    c = labels.fit(X, y, epochs=3)
    np.testing.assert_allclose(b["loss"], a["loss"], rtol=1e-9)
    assert b["loss"] == c["loss"]
    assert a["accuracy"] == b["accuracy"] == c["accuracy"]


def test_targets_in_one_dimension(curve, regressor, weight_bytes):
    X, Y = curve
    first, second = regressor(outputs=1), regressor(outputs=1)
    first.fit(X, Y[:, 0])
    second.fit(X, Y[:, :1])
    assert weight_bytes(first) == weight_bytes(second)


def test_inputs_are_not_touched(blobs, classifier):
    X, y = blobs
    Xk, yk = X.copy(), y.copy()
    X.flags.writeable = y.flags.writeable = False
    classifier().fit(X, y, epochs=2, class_weight="balanced")
    np.testing.assert_array_equal(X, Xk)
    np.testing.assert_array_equal(y, yk)


def test_learning_rate_of_a_schedule_is_in_the_history(blobs, classifier):
    X, y = blobs
    schedule = dr.Warmup(4, then=dr.Cosine(20, final_learning_rate=1e-4))
    net = classifier(optimizer=dr.Adam(0.01, schedule=schedule))
    history = net.fit(X, y, batch_size=60, epochs=8)
    expected = [schedule(4 * epoch + 3, 0.01) for epoch in range(8)]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-12)
    assert net.learning_rate == pytest.approx(schedule(32, 0.01), rel=1e-12)


def test_learning_rate_can_be_set(curve, regressor):
    X, Y = curve
    net = regressor(optimizer=dr.SGD(0.1))
    net.fit(X, Y)
    net.learning_rate = 0.0
    before = net.get_weights()
    history = net.fit(X, Y)
    assert history["learning_rate"] == [0.0]
    for name, array in net.get_weights().items():
        np.testing.assert_array_equal(array, before[name])


def test_clipping_limits_the_step(rng):
    X, Y = rng.normal(size=(16, 3)), 100 * rng.normal(size=(16, 2))

    def step(**clip):
        net = dr.Sequential([dr.Dense(2)], dtype="float64").build(3)
        net.compile(dr.SGD(1.0), loss="mse", **clip)
        before = net.get_weights()
        net.train_on_batch(X, Y)
        return np.concatenate([(before[k] - v).ravel() for k, v in net.get_weights().items()])

    free = step()
    assert np.linalg.norm(free) > 5
    np.testing.assert_allclose(step(clip_norm=0.5), free * 0.5 / np.linalg.norm(free), rtol=1e-12)
    np.testing.assert_allclose(step(clip_value=0.25), np.clip(free, -0.25, 0.25), rtol=1e-12)
    np.testing.assert_allclose(step(clip_norm=1e9), free, rtol=1e-12)


def test_standardize_takes_its_figures_from_the_first_fit(rng):
    X = (100 + 20 * rng.normal(size=(300, 3))).astype(np.float32)
    Y = (X @ [0.1, -0.2, 0.05]).astype(np.float32)
    net = dr.Sequential([dr.Standardize(), dr.Dense(8, "tanh"), dr.Dense(1)])
    net.compile(dr.Adam(0.01), loss="mse")
    net.fit(X, Y)
    mean = next(v for k, v in net.states().items() if k.endswith(".mean")).copy()
    np.testing.assert_allclose(mean, X.mean(axis=0), rtol=1e-4)
    net.fit(X + 50, Y)
    np.testing.assert_array_equal(next(v for k, v in net.states().items() if k.endswith(".mean")), mean)


def test_compile_again_starts_the_optimizer_afresh(blobs, classifier):
    X, y = blobs
    net = classifier()
    net.fit(X, y, epochs=2)
    net.compile("sgd", loss="sparse_softmax_cross_entropy")
    assert net.step == 0
    assert net.epoch == 2
    assert set(net.fit(X, y).history) == {"loss", "learning_rate", "time"}


def test_top_k(blobs, classifier):
    X, y = blobs
    net = classifier(metrics=["accuracy", dr.metrics.TopK(2)])
    net.fit(X, y, epochs=3)
    logits = net.predict(X)
    own = np.take_along_axis(logits, y[:, None], 1)
    assert net.evaluate(X, y)["top_k"] == pytest.approx(((logits > own).sum(axis=1) < 2).mean())
    assert net.evaluate(X, y)["accuracy"] == pytest.approx((logits.argmax(axis=1) == y).mean())


def test_data_is_let_go_after_training(blobs, classifier):
    X, y = blobs
    own = X.copy()
    there = weakref.ref(own)
    net = classifier()
    net.fit(own, y)
    del own
    gc.collect()
    assert there() is None
