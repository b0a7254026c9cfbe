"""Two spirals: a small network, trained, saved, loaded and used."""

import tempfile
from pathlib import Path

import numpy as np

import deltarule as dr


def two_spirals(points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of two interleaved spirals in the plane, with the label of their spiral."""
    random = np.random.default_rng(seed)
    label = np.arange(points) % 2
    angle = np.sqrt(random.uniform(0.05, 1, points)) * 3 * np.pi
    radius = angle / (3 * np.pi)
    turn = angle + np.pi * label
    xy = np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)
    return xy + random.normal(0, 0.01, xy.shape), label


def main() -> None:
    X, y = two_spirals(2000, seed=0)
    X_test, y_test = two_spirals(500, seed=1)

    net = dr.Sequential(
        [dr.Standardize(), dr.Dense(64, activation="swish"), dr.Dense(64, activation="swish"), dr.Dense(2)],
        seed=0,
    )
    net.compile(
        optimizer=dr.Adam(learning_rate=5e-3), loss="sparse_softmax_cross_entropy", metrics=["accuracy"]
    )
    history = net.fit(
        X, y, epochs=100, validation_split=0.1, callbacks=[dr.EarlyStopping(patience=15)], verbose=0
    )
    print(history)
    print("test:", net.evaluate(X_test, y_test))

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spirals.safetensors"
        net.save(path)
        again = dr.load(path)
        assert np.array_equal(net.predict(X_test), again.predict(X_test))
        print(f"saved and loaded: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
