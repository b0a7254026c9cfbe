"""Model files made to do harm: refused, each within the same small share of memory and time."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest

import deltarule as dr

MEGABYTE = 1 << 20

# Loads every file in a process that has little memory and time; prints how each ended.
LOADER = """
import resource, sys
sys.argv[1:] = ARGUMENTS
import deltarule as dr

dr.load(sys.argv[1])  # what is needed once
used = int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize"))) << 10
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[2:]:
    try:
        dr.load(path)
        print("loaded")
    except dr.FormatError as error:
        assert path in str(error), error
        print("refused" if len(str(error)) < 4000 else f"a message of {len(str(error))} characters")
    except BaseException as error:
        print(type(error).__name__, str(error)[:200])
"""


@pytest.fixture
def parts(tmp_path):
    """A small model file: its header as an object, and its arrays."""
    net = dr.Sequential([dr.Dense(4, "relu"), dr.BatchNorm(), dr.Dense(2)])
    net.compile("adam", loss="mse")
    net.build(3)
    net.save(tmp_path / "good.safetensors")
    raw = (tmp_path / "good.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def file_of(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def with_network(header, **changes):
    metadata = header["__metadata__"]
    network = json.loads(metadata["deltarule.network"]) | changes
    return header | {"__metadata__": metadata | {"deltarule.network": json.dumps(network)}}


def wide(layer, input_width=2**31 - 1):
    metadata = {
        "deltarule.version": "1",
        "deltarule.network": json.dumps({"version": 1, "input_width": input_width, "layers": layer}),
    }
    return file_of({"__metadata__": metadata})


def flipped(raw, rng):
    """A bit of the header or of its length is the other way round."""
    raw, (length,) = bytearray(raw), struct.unpack("<Q", raw[:8])
    raw[rng.integers(8 + length)] ^= 1 << rng.integers(8)
    return bytes(raw)


def hostile(header, data, rng):
    """Name and content; every one must be refused."""
    raw = file_of(header, data)
    length = len(raw) - 8 - len(data)
    dense = {"type": "dense", "units": 2**24}
    yield from ((f"cut at {n}", raw[:n]) for n in (0, 7, 8, 9, 8 + length - 1, 8 + length, len(raw) - 1))
    yield from ((f"claims {n}", struct.pack("<Q", n) + raw[8:]) for n in (2**64 - 1, 2**63, 2**40, len(raw)))
    yield "units", file_of(with_network(header, layers=[dense]), data)
    yield "units twice", wide([dense, dense])
    yield (
        "units of images",
        wide([{"type": "reshape", "shape": [46340, 46340, 1]}, {"type": "conv_2d"}], 46340**2),
    )
    yield "columns without end", wide([{"type": "periodic_embedding"}])
    yield "columns without end, outwards", wide([{"type": "periodic_embedding", "frequencies": 65536}])
    yield "wider than that", wide([{"type": "activation", "activation": {"name": "relu"}}], 2**31)
    yield "beyond integers", wide([dense], 10**19)
    yield "factors", file_of(with_network(header, layers=[{"type": "rbf", "units": 2**24}]), data)
    text = json.dumps(header).encode()
    yield "more behind a zero", file_of(text + b"\0 and more", data)
    yield (
        "metadata that is no text",
        file_of(header | {"__metadata__": header["__metadata__"] | {"n": 5}}, data),
    )
    name = next(iter(header.keys() - {"__metadata__"}))
    yield "shape without end", file_of(header | {name: header[name] | {"shape": [1] * 500_000}}, data)
    yield "name without end", wide([dense | {"name": "n" * 4 * MEGABYTE}])
    yield "setting without end", wide([dense | {"s" * 4 * MEGABYTE: 1}])
    yield "part without end", wide([dense | {"activation": {"name": "a" * 4 * MEGABYTE}}])
    yield "nested", file_of(b"[" * MEGABYTE)
    yield "nested objects", file_of(b'{"a":' * MEGABYTE)
    yield "nested layers", wide(json.loads('[{"type":"residual","block":' * 90 + "[]" + "}]" * 90))
    yield "twice", file_of(json.dumps(header).encode().replace(b"{", b'{"__metadata__":{},', 1), data)
    yield "key upon key", file_of(b"{" + b'"a":1,' * MEGABYTE + b'"a":1}')
    yield "long name", wide([{"type": "d" * 4 * MEGABYTE}])
    yield "long number", file_of(b'{"a":' + b"9" * 4 * MEGABYTE + b"}")
    yield "long text", file_of(b'{"' + b"a" * 4 * MEGABYTE)
    yield "many layers", wide([{"type": "danse"}] * 20_000)
    yield "many arrays", file_of({f"a{i}": 0 for i in range(100_000)} | header, data)
    yield (
        "version",
        file_of(header | {"__metadata__": header["__metadata__"] | {"deltarule.version": "2"}}, data),
    )
    yield "version of the network", file_of(with_network(header, version=2), data)
    for value in (np.nan, np.inf, -np.inf):
        yield f"weight {value}", file_of(header, data[:-4] + struct.pack("<f", value))
    yield (
        "trainer of a network",
        file_of(
            header
            | {
                "__metadata__": header["__metadata__"]
                | {"deltarule.trainer": header["__metadata__"]["deltarule.network"]}
            },
            data,
        ),
    )
    yield from ((f"flipped {n}", flipped(raw, rng)) for n in range(60))


def with_extra(header, text):
    return header | {"__metadata__": header["__metadata__"] | {"deltarule.extra": text}}


@pytest.mark.parametrize(
    "text",
    ["[1]", "free text", "null", "3", '{"rate": 48000}', '{"epoch": 1', "[" * 9999, "9" * 9999, "{}", "\0 ä"],
    ids=range(10),
)
def test_a_program_may_keep_any_text_in_a_file(parts, tmp_path, text):
    header, data = parts
    path = tmp_path / "other.safetensors"
    path.write_bytes(file_of(with_extra(header, text), data))
    net = dr.load(path)
    assert net.metadata == {"extra": text}
    assert (net.name, net.epoch) == (None, 0)
    net.fit(np.ones((4, 3)), np.ones((4, 2)))
    net.save(path)
    assert dr.load(path).metadata == {"extra": text}
    path.write_bytes(file_of(with_extra(header, ""), data))
    assert dr.load(path).metadata == {}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("name", 3, "text or null"),
        ("epoch", "x", "a whole number from 0 to"),
        ("epoch", True, "a whole number from 0 to"),
        ("epoch", 1.0, "a whole number from 0 to"),
        ("epoch", -1, "a whole number from 0 to"),
        ("epoch", 2**60, "a whole number from 0 to"),
        ("adapted", 1, "true or false"),
        ("metadata", 3, "an object"),
        ("metadata", None, "an object"),
        ("use_average_at_end", "no", "true or false"),
    ],
)
def test_own_keys_have_their_types(parts, tmp_path, key, value, allowed):
    header, data = parts
    path = tmp_path / "wrong.safetensors"
    text = json.dumps({"epoch": 1, "metadata": {}} | {key: value})
    path.write_bytes(file_of(with_extra(header, text), data))
    with pytest.raises(dr.FormatError, match=f"deltarule.extra: {key} = .*; allowed: {allowed}") as caught:
        dr.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: limits of address space")
def test_width_costs_no_memory(tmp_path, new_process):
    """A layer without weights may be wide; the Fisher matrix of the optimizer is not made for that."""
    net = dr.Sequential([dr.Activation("tanh")])
    net.compile("natural_gradient", loss="mse")
    net.build(3)
    good, made = tmp_path / "good.safetensors", tmp_path / "wide.safetensors"
    net.save(good)
    raw = good.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    made.write_bytes(file_of(with_network(header, input_width=2**24 + 1), raw[8 + length :]))
    assert new_process(LOADER.replace("ARGUMENTS", repr([str(good), str(made)]))).strip() == "loaded"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux: limits of address space")
def test_hostile_files(parts, tmp_path, rng, new_process):
    contents = dict(hostile(*parts, rng))
    (tmp_path / "hostile").mkdir()
    paths = []
    for number, content in enumerate(contents.values()):
        paths.append(tmp_path / "hostile" / f"{number}.safetensors")
        paths[-1].write_bytes(content)
    arguments = [str(tmp_path / "good.safetensors"), *map(str, paths)]
    ends = new_process(LOADER.replace("ARGUMENTS", repr(arguments)))
    wrong = {n: end for n, end in zip(contents, ends.splitlines(), strict=True) if end != "refused"}
    # A flipped bit may give another legal description: another name, seed or setting.
    assert all(name.startswith("flipped") and end == "loaded" for name, end in wrong.items()), wrong
    assert len(wrong) < 30


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe_is_neither_read_nor_replaced(tmp_path):
    """Reading would wait for a writer, and hold everything else up."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    net = dr.Sequential([dr.Dense(2)], seed=1)
    net.build(3)
    with pytest.raises(OSError, match=r"cannot read .* no regular file"):
        dr.load(pipe)
    with pytest.raises(OSError, match=r"cannot write .* no regular file"):
        net.save(pipe)
    assert pipe.is_fifo()
