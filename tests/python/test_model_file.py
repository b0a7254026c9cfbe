"""The model file is everybody's: its schema, the official safetensors package, files of earlier versions."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

import deltarule as dr
from reference import every_kind
from reference.scripts import script

ROOT = Path(__file__).parent.parent.parent
RELEASED = sorted((ROOT / "tests" / "data" / "models").glob("*/*.safetensors"))


def header_of(path):
    raw = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length])


def texts_of(path):
    """The network's and the trainer's description."""
    metadata = header_of(path)["__metadata__"]
    return {
        key: json.loads(metadata[f"deltarule.{key}"])
        for key in ("network", "trainer")
        if f"deltarule.{key}" in metadata
    }


# ---- the schema


@pytest.fixture(scope="module")
def schema():
    return script(ROOT / "docs" / "schema.py")


@pytest.fixture(scope="module")
def validator(schema):
    jsonschema = pytest.importorskip("jsonschema")
    found = json.loads(schema.PATH.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_the_schema_is_up_to_date(schema):
    assert schema.PATH.read_text(encoding="utf-8") == schema.text(), "run python docs/schema.py"


def test_what_is_written_follows_the_schema(validator, schema, tmp_path):
    path = tmp_path / "net.safetensors"
    for name, net in every_kind.networks().items():
        net.build(every_kind.WIDTH).save(path)
        assert header_of(path)["__metadata__"]["deltarule.version"] == str(schema.VERSION)
        errors = [e.message for e in validator.iter_errors(texts_of(path))]
        assert not errors, name


def test_every_setting_of_training_follows_the_schema(validator, tmp_path):
    net = dr.Sequential([dr.Dense(2)])
    net.compile(
        dr.RMSProp(0.1), "mse", ["mae"], clip_norm=1, clip_value=2, l1=0.1, l2=0.1, max_norm=3,
        decay_exclude="bias_and_norm", average=dr.EMA(0.9), dp_clip_norm=1, dp_noise_multiplier=0.5,
        parameter_groups=[{"match": "*.bias", "learning_rate_factor": 2, "as_vector": True}],
    )  # fmt: skip
    net.build(3).save(tmp_path / "net.safetensors")
    texts = texts_of(tmp_path / "net.safetensors")
    for key in ("l1", "ema_decay", "dp_clip_norm", "parameter_groups", "max_norm"):
        assert key in texts["trainer"]
    assert not list(validator.iter_errors(texts))
    net.compile("sgd", "mse", mixup=0.2, average=dr.SWA(start_epoch=3))
    net.save(tmp_path / "net.safetensors")
    texts = texts_of(tmp_path / "net.safetensors")
    assert {"mixup", "swa_start"} <= set(texts["trainer"])
    assert not list(validator.iter_errors(texts))


def test_the_schema_refuses_what_the_library_refuses(validator, tmp_path):
    every_kind.networks()["layer-dense"].build(4).save(tmp_path / "net.safetensors")
    good = texts_of(tmp_path / "net.safetensors")
    for change in (
        lambda t: t["network"].update(version=2),
        lambda t: t["network"].update(more=1),
        lambda t: t["network"]["layers"][0].update(type="dance"),
        lambda t: t["network"]["layers"][0].update(units=0),
        lambda t: t["network"]["layers"][0].update(units=1.5),
        lambda t: t["network"]["layers"][0]["activation"].update(name="rleu"),
        lambda t: t["trainer"].update(optimizer={"name": "eve"}),
        lambda t: t["trainer"]["optimizer"].update(momentum=-1),
    ):
        texts = json.loads(json.dumps(good))
        change(texts)
        assert list(validator.iter_errors(texts))


# ---- the official package


@pytest.fixture(scope="module")
def official():
    pytest.importorskip("safetensors")
    import safetensors
    import safetensors.numpy

    return safetensors


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_official_package_reads_what_is_written(official, tmp_path, rng, dtype):
    path = tmp_path / "net.safetensors"
    net = dr.Sequential([dr.Standardize(), dr.Dense(5, "relu"), dr.BatchNorm(), dr.Dense(2)], dtype=dtype)
    net.compile("adam", loss="mse")
    net.fit(rng.normal(size=(20, 3)), rng.normal(size=(20, 2)))
    net.save(path)
    arrays = official.numpy.load_file(path)
    for name, array in net.get_weights().items():
        assert arrays[name].dtype == dtype
        np.testing.assert_array_equal(arrays[name], array)
    assert "optimizer.dense_1.weight.moment_1" in arrays or any(n.startswith("optimizer.") for n in arrays)
    with official.safe_open(path, "np") as file:
        assert json.loads(file.metadata()["deltarule.network"])["input_width"] == 3
        assert set(file.keys()) == set(arrays)


def rewritten(official, path, change=lambda arrays: arrays):
    """The file as the official package writes it: other order, other offsets, another header."""
    with official.safe_open(path, "np") as file:
        metadata = file.metadata()
        arrays = {name: file.get_tensor(name) for name in sorted(file.keys(), reverse=True)}
    official.numpy.save_file(change(arrays), path, metadata=metadata)


def test_what_the_official_package_writes_is_read(official, tmp_path, rng):
    """Also of every kind, so that no array is too odd: vectors, matrices, arrays of one number."""
    path = tmp_path / "net.safetensors"
    X = every_kind.data(rng)
    for name, net in every_kind.networks().items():
        net.build(every_kind.WIDTH).save(path)
        before = path.read_bytes()
        rewritten(official, path)
        assert header_of(path).keys() == json.loads(before[8 : 8 + struct.unpack("<Q", before[:8])[0]]).keys()
        twin = dr.load(path)
        assert twin.predict(X).tobytes() == net.predict(X).tobytes(), name
        twin.save(path)
        assert path.read_bytes() == before, name


@pytest.mark.parametrize("dtype", ["float16", "int32", "float64"])
def test_arrays_of_other_types_are_refused(official, tmp_path, dtype):
    path = tmp_path / "net.safetensors"
    dr.Sequential([dr.Dense(2)]).build(3).save(path)
    rewritten(official, path, lambda arrays: arrays | {"dense_1.bias": np.zeros(2, dtype)})
    with pytest.raises(dr.FormatError, match=r"net\.safetensors"):
        dr.load(path)


def test_arrays_too_many_or_too_few_are_refused(official, tmp_path):
    path = tmp_path / "net.safetensors"
    net = dr.Sequential([dr.Dense(2)]).build(3)
    net.save(path)
    rewritten(official, path, lambda arrays: arrays | {"more": np.zeros(1, np.float32)})
    with pytest.raises(dr.FormatError, match="holds 3 arrays, its description asks for 2"):
        dr.load(path)
    net.save(path)
    rewritten(official, path, lambda arrays: {"dense_1.weight": arrays["dense_1.weight"]})
    with pytest.raises(dr.FormatError, match=r"dense_1\.bias"):
        dr.load(path)
    official.numpy.save_file({"x": np.zeros(3, np.float32)}, path)
    with pytest.raises(dr.FormatError, match="was not written by deltarule"):
        dr.load(path)


# ---- files of earlier versions


def test_there_are_files_of_earlier_versions():
    assert {path.stem for path in RELEASED} >= {"everything", "classifier", "images"}


@pytest.mark.parametrize("path", RELEASED, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_files_of_earlier_versions_are_read(path, tmp_path):
    """The figures beside them are those of that version, on x86-64-v4; other levels round otherwise."""
    stored = np.load(path.with_suffix(".npz"))
    net = dr.load(path)
    tolerance = 1e-5 if net.dtype == "float32" else 1e-12
    scale = np.abs(stored["prediction"]).max()
    np.testing.assert_allclose(net.predict(stored["X"]), stored["prediction"], rtol=0, atol=tolerance * scale)
    loss = net.evaluate(stored["X"], stored["y"])["loss"]
    assert loss == pytest.approx(float(stored["loss"]), rel=10 * tolerance)
    assert (net.epoch, net.step) == tuple(stored["counts"])
    assert net.fit(stored["X"], stored["y"], epochs=1)["loss"][-1] == pytest.approx(
        float(stored["next_loss"]), rel=100 * tolerance
    )
