"""The same weights, bit for bit, whatever the number of threads; and after an interruption."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np

import deltarule as dr


def network() -> dr.Sequential:
    net = dr.Sequential(
        [
            dr.Dense(256, activation="relu"),
            dr.BatchNorm(),
            dr.Dropout(0.2),
            dr.Dense(256, activation="gelu"),
            dr.Dense(10),
        ],
        seed=7,
    )
    net.compile(optimizer=dr.AdamW(), loss="sparse_softmax_cross_entropy")
    return net


def digest(net: dr.Sequential) -> str:
    """A short name for the weights."""
    return hashlib.sha256(b"".join(w.tobytes() for w in net.parameters().values())).hexdigest()[:16]


def main() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(4096, 64)).astype(np.float32)
    y = random.integers(0, 10, 4096)
    seen = set()
    for threads in (1, 2, 3):
        dr.set_num_threads(threads)
        net = network()
        net.fit(X, y, batch_size=256, epochs=6, verbose=0)
        seen.add(digest(net))
        print(f"{threads} thread(s): {digest(net)}")
    dr.set_num_threads(0)

    first = network()
    first.fit(X, y, batch_size=256, epochs=2, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        first.save(Path(folder) / "checkpoint.safetensors")
        rest = dr.load(Path(folder) / "checkpoint.safetensors")
    rest.fit(X, y, batch_size=256, epochs=4, verbose=0)
    seen.add(digest(rest))
    print(f"2 epochs, saved, loaded, 4 more: {digest(rest)}")
    if len(seen) != 1:
        raise SystemExit("the weights differ")


if __name__ == "__main__":
    main()
