"""What is refused so that training starts from what it should: first data, one `fit` at a time."""

import pickle
import threading

import numpy as np
import pytest

import deltarule as dr


@pytest.fixture
def shifted(rng):
    X = rng.normal(50, 9, size=(60, 3)).astype("float32")
    return X, X[:, :1] / 9


def standardizing(inside=False):
    layers = [dr.Residual([dr.Standardize(), dr.Dense(3)])] if inside else [dr.Standardize()]
    net = dr.Sequential([*layers, dr.Dense(1)])
    net.compile(dr.SGD(0.01), loss="mse")
    return net


@pytest.mark.parametrize("inside", [False, True])
def test_training_by_hand_needs_what_standardize_learns(shifted, inside):
    X, y = shifted
    net = standardizing(inside)
    for train in (lambda: net.train_on_batch(X, y), lambda: net.forward(X)):
        with pytest.raises(RuntimeError, match=r"Standardize layer has not learned .* call adapt\(X\) first"):
            train()
        assert not net.built
        assert net.step == 0
    assert np.isfinite(net.forward(X, training=False)).all()
    net.adapt(X)
    before = net.states()["residual_1.standardize_1.mean" if inside else "standardize_1.mean"]
    assert before == pytest.approx(X.mean(axis=0), rel=1e-4)
    before = before.copy()
    net.train_on_batch(X, y)
    net.forward(X)
    net.fit(X * 5, y, verbose=0)
    assert np.array_equal(next(iter(net.states().values())), before)


def test_predict_before_any_data_leaves_inputs_as_they_are(shifted):
    X, y = shifted
    net = standardizing().build(3)
    w, b = net.parameters().values()
    np.testing.assert_allclose(net.predict(X), X @ w + b, rtol=1e-5)
    assert net.evaluate(X, y)["loss"] == pytest.approx(((X @ w + b - y) ** 2).mean(), rel=1e-4)


def test_given_statistics_stay(shifted):
    X, y = shifted
    net = standardizing().build(3)
    own = {"standardize_1.mean": np.full(3, 40.0), "standardize_1.deviation": np.full(3, 7.0)}
    net.set_weights(net.get_weights() | own)
    net.train_on_batch(X, y)
    pickle.loads(pickle.dumps(net)).train_on_batch(X, y)
    net.copy().train_on_batch(X, y)
    net.fit(X, y, epochs=2, verbose=0)
    for name, array in own.items():
        assert np.array_equal(net.states()[name], array)


def test_statistics_written_through_views_stay(shifted):
    X, y = shifted
    net = standardizing().build(3)
    net.states()["standardize_1.mean"][:] = 40
    net.train_on_batch(X, y)
    net.fit(X, y, verbose=0)
    assert np.array_equal(net.states()["standardize_1.mean"], [40, 40, 40])


def test_weights_of_a_new_network_leave_the_statistics_to_fit(shifted):
    X, y = shifted
    net = standardizing().build(3)
    net.set_weights(net.get_weights())
    net.fit(X, y, verbose=0)
    assert net.states()["standardize_1.mean"] == pytest.approx(X.mean(axis=0), rel=1e-4)


def test_fit_in_a_callback_of_fit_is_refused(blobs, classifier, weight_bytes):
    X, y = blobs
    refused, net = [], classifier()

    def again(epoch, logs):
        before = (net.history, net.epoch, net.stop_training, weight_bytes(net))
        with pytest.raises(RuntimeError, match=r"trained already, by the fit that called this callback"):
            net.fit(X[:9], y[:9], epochs=7)
        assert before == (net.history, net.epoch, net.stop_training, weight_bytes(net))
        pickle.loads(pickle.dumps(net)).fit(X[:9], y[:9])
        net.copy().fit(X[:9], y[:9])
        refused.append(epoch)

    history = net.fit(X, y, epochs=3, callbacks=[dr.LambdaCallback(on_epoch_end=again)])
    assert refused == history.epoch == [0, 1, 2]
    alone = classifier()
    alone.fit(X, y, epochs=3)
    assert weight_bytes(net) == weight_bytes(alone)
    net.fit(X, y)  # and goes on


def test_a_step_in_a_callback_is_allowed(blobs, classifier):
    X, y = blobs
    net = classifier()
    one_more = dr.LambdaCallback(on_epoch_end=lambda *_: net.train_on_batch(X[:9], y[:9]))
    net.fit(X, y, epochs=2, batch_size=len(X), callbacks=[one_more])
    assert net.step == 4


@pytest.mark.parametrize("way", ["fit", "train_on_batch"])
def test_training_in_another_thread_is_refused(blobs, classifier, way):
    X, y = blobs
    net, inside, leave, failed = classifier(), threading.Event(), threading.Event(), []

    def hold(epoch, logs):
        inside.set()
        assert leave.wait(60)

    def outer():
        try:
            net.fit(X, y, epochs=2, callbacks=[dr.LambdaCallback(on_epoch_begin=hold)])
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=outer)
    thread.start()
    assert inside.wait(60)
    with pytest.raises(RuntimeError, match=rf"Sequential.{way}: .* trained already, in another thread; wait"):
        getattr(net, way)(X, y)
    leave.set()
    thread.join(60)
    assert not failed
    assert net.epoch == 2
    getattr(net, way)(X, y)


def test_no_epochs_give_an_empty_history(blobs, classifier):
    X, y = blobs
    net = classifier()
    history = net.fit(X, y, epochs=0, validation_split=0.2, callbacks=[dr.EarlyStopping()])
    assert (len(history), history.history, net.epoch, net.step) == (0, {}, 0, 0)
    assert net.built
    assert net.fit(X, y, epochs=2).epoch == [0, 1]
    assert net.fit(X, y, epochs=0).epoch == []
    assert net.epoch == 2
