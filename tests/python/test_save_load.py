"""The model file from Python: what comes back, what is refused."""

import json
import struct

import numpy as np
import pytest

import deltarule as dr

TRAIN = """
import sys
import numpy as np
import deltarule as dr

rng = np.random.default_rng(5)
X = rng.normal(size=(150, 6)).astype(np.float32)
y = rng.integers(0, 3, 150)

def network():
    net = dr.Sequential([
        dr.Standardize(), dr.Dense(24, "gelu"), dr.BatchNorm(), dr.Dropout(0.3),
        dr.Dense(12, "elu"), dr.LayerNorm(), dr.GaussianNoise(), dr.RMSNorm(), dr.AlphaDropout(),
        dr.Residual([dr.BatchNorm(), dr.Branches([[dr.Dense(12), dr.Dropout(0.1), dr.PReLU()], []])]),
        dr.WeightNorm(dr.Dense(9)), dr.AdaptiveReLU(), dr.LearnedSwish(shared=True), dr.Dense(3),
    ], seed=11)
    schedule = dr.Warmup(5, then=dr.Cosine(60, final_learning_rate=1e-4))
    net.compile(dr.AdamW(0.01, weight_decay=0.05, amsgrad=True, schedule=schedule),
                dr.SparseSoftmaxCrossEntropy(label_smoothing=0.1), ["accuracy"], clip_norm=1.0)
    return net
"""


def train_file(path, text):
    return f"{TRAIN}\n{text}\nnet.save({str(path)!r})\n"


def test_resume_in_a_new_process_gives_the_same_bytes(new_process, tmp_path):
    whole, part, resumed = (tmp_path / f"{name}.safetensors" for name in ("whole", "part", "resumed"))
    new_process(train_file(whole, "net = network(); net.fit(X, y, epochs=10)"))
    new_process(train_file(part, "net = network(); net.fit(X, y, epochs=4)"))
    new_process(train_file(resumed, f"net = dr.load({str(part)!r}); net.fit(X, y, epochs=6)"))
    assert whole.read_bytes() == resumed.read_bytes()
    assert whole.read_bytes() != part.read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_everything_comes_back(tmp_path, blobs, weight_bytes, dtype):
    X, y = blobs
    net = dr.Sequential(
        [
            dr.Standardize(),
            dr.Dense(8, dr.activations.LeakyRelu(alpha=0.2)),
            dr.BatchNorm(),
            dr.Dense(3, name="out"),
        ],
        seed=7,
        dtype=dtype,
        name="clouds",
    )
    optimizer = dr.SGD(0.05, momentum=0.9, nesterov=True, schedule=dr.Warmup(3, then=dr.Linear(500)))
    net.compile(
        optimizer,
        "sparse_softmax_cross_entropy",
        [dr.metrics.TopK(2), "accuracy"],
        clip_norm=3,
        clip_value=0.5,
    )
    net.fit(X, y, epochs=3)
    path = tmp_path / "net.safetensors"
    net.save(path)
    twin = dr.load(path)
    assert (twin.name, twin.seed, twin.dtype, twin.epoch, twin.step) == ("clouds", 7, dtype, 3, net.step)
    assert twin.compiled == net.compiled
    assert twin.learning_rate == net.learning_rate
    assert [layer.config() | {"name": None} for layer in twin.layers] == [
        layer.config() | {"name": None} for layer in net.layers
    ]
    assert list(twin.parameters()) == list(net.parameters())
    assert weight_bytes(twin) == weight_bytes(net)
    np.testing.assert_array_equal(twin.predict(X), net.predict(X))
    assert twin.evaluate(X, y) == net.evaluate(X, y)
    again = tmp_path / "again.safetensors"
    twin.save(again)
    assert again.read_bytes() == path.read_bytes()


def test_uncompiled_network(tmp_path, rng):
    net = dr.Sequential([dr.Dense(2, "relu")]).build(3)
    net.save(str(tmp_path / "net.safetensors"))
    twin = dr.load(str(tmp_path / "net.safetensors"))
    assert twin.compiled is None
    X = rng.normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(twin.predict(X), net.predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_network_without_arrays(tmp_path, rng, dtype):
    net = dr.Sequential([dr.Activation("gelu")], dtype=dtype).build(3)
    net.save(tmp_path / "net.safetensors")
    twin = dr.load(tmp_path / "net.safetensors")
    X = rng.normal(size=(4, 3)).astype(dtype)
    assert twin.dtype == dtype
    np.testing.assert_array_equal(twin.predict(X), net.predict(X))


def test_standardize_does_not_learn_again_after_loading(tmp_path, rng):
    X, Y = rng.normal(size=(50, 2)).astype(np.float32), rng.normal(size=(50, 1)).astype(np.float32)
    net = dr.Sequential([dr.Standardize(), dr.Dense(1)])
    net.compile("sgd", loss="mse")
    net.fit(X, Y)
    net.save(tmp_path / "net.safetensors")
    twin = dr.load(tmp_path / "net.safetensors")
    before = {name: array.copy() for name, array in twin.states().items()}
    twin.fit(X + 10, Y)
    for name, array in twin.states().items():
        np.testing.assert_array_equal(array, before[name])


def test_file_is_plain_safetensors(tmp_path, classifier, blobs):
    net = classifier()
    net.fit(*blobs)
    path = tmp_path / "net.safetensors"
    net.save(path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    assert isinstance(header.pop("__metadata__"), dict)
    for name, array in net.parameters().items():
        place = header[name]
        assert place["dtype"] == "F32"
        assert tuple(place["shape"]) == array.shape
        start, stop = (8 + length + offset for offset in place["data_offsets"])
        np.testing.assert_array_equal(np.frombuffer(raw[start:stop], "<f4").reshape(array.shape), array)


def test_damaged_files_are_refused(tmp_path, classifier, blobs):
    net = classifier()
    net.fit(*blobs)
    path = tmp_path / "net.safetensors"
    net.save(path)
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    damaged = {
        "empty": b"",
        "short": raw[:20],
        "cut": raw[:-5],
        "long": raw + b"x",
        "length": struct.pack("<Q", 2**62) + raw[8:],
        "not json": raw[:8] + b"[" * length + raw[8 + length :],
        "other": struct.pack("<Q", 2) + b"{}",
        "unknown layer": raw.replace(b"dense", b"dance"),
        "text": b"Dear reader, this is not a model.",
    }
    accepted = []
    for name, content in damaged.items():
        path.write_bytes(content)
        try:
            dr.load(path)
            accepted.append(name)
        except dr.FormatError as error:
            assert str(path) in str(error), name  # noqa: PT017 - each of many
    assert not accepted
    assert issubclass(dr.FormatError, ValueError)


def test_missing_file_and_folder(tmp_path, classifier):
    with pytest.raises(OSError, match="nowhere"):
        dr.load(tmp_path / "nowhere.safetensors")
    net = classifier()
    net.build(6)
    with pytest.raises(OSError, match="nowhere"):
        net.save(tmp_path / "nowhere" / "net.safetensors")


def test_saving_leaves_no_other_files(tmp_path, classifier):
    net = classifier()
    net.build(6)
    path = tmp_path / "net.safetensors"
    net.save(path)
    net.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]
