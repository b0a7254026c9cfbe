"""Writes models of this version, with figures that later versions have to come to: once, at a release.

python tests/data/write_models.py
"""

from pathlib import Path

import numpy as np

import deltarule as dr


def everything(rng):
    """One of nearly every layer, optimizer state, average, schedule and metadata; float64."""
    X = rng.normal(size=(40, 4))
    X[:, 0] = np.arange(40) % 3
    net = dr.Sequential(
        [
            dr.Embedding(columns=(0,), cardinalities=(3,), dimension=2),
            dr.Dense(6, "gelu", name="first"),
            dr.BatchNorm(),
            dr.Residual([dr.WeightNorm(dr.Dense(6)), dr.PReLU()]),
            dr.LayerNorm(),
            dr.Branches([[dr.Dense(3, "swish")], [dr.RMSNorm()], []], "concat"),
            dr.AdaptiveReLU(),
            dr.Dense(4),
            dr.Activation("swiglu"),
            dr.LearnedSwish(),
            dr.Dense(2, initializer="orthogonal"),
        ],
        seed=5,
        dtype="float64",
        name="everything",
    )
    net.metadata = {"note": "für später", "list": [1, 2.5, None]}
    schedule = dr.Warmup(5, then=dr.Cosine(100, final_learning_rate=1e-4))
    net.compile(
        dr.AdamW(0.01, weight_decay=0.02, amsgrad=True, schedule=schedule),
        "mse",
        ["mae"],
        clip_norm=1.0,
        average=dr.EMA(0.95),
        parameter_groups=[{"match": "first.*", "learning_rate_factor": 0.5}],
    )
    return net, X, rng.normal(size=(40, 2))


def classifier(rng):
    X = rng.normal(size=(40, 5)).astype(np.float32)
    net = dr.Sequential([dr.Standardize(), dr.Dense(8, "relu"), dr.Dropout(0.2), dr.Dense(3)], seed=1)
    net.compile(dr.SGD(0.05, momentum=0.9), "sparse_softmax_cross_entropy", ["accuracy", dr.metrics.TopK(2)])
    return net, X, np.arange(40) % 3


def images(rng):
    X = rng.normal(size=(40, 20)).astype(np.float32)
    net = dr.Sequential(
        [dr.Reshape((5, 4, 1)), dr.Conv2D(3, activation="relu"), dr.MaxPool2D((2, 1)), dr.Dense(1)], seed=2
    )
    net.compile("rmsprop", "huber")
    return net, X, rng.normal(size=(40, 1)).astype(np.float32)


def main():
    folder = Path(__file__).parent / "models" / dr.__version__
    folder.mkdir(parents=True)
    for make in (everything, classifier, images):
        net, X, y = make(np.random.default_rng(11))
        net.fit(X, y, epochs=3, batch_size=16)
        path = folder / f"{make.__name__}.safetensors"
        net.save(path)
        np.savez_compressed(
            path.with_suffix(".npz"),
            X=X,
            y=y,
            prediction=net.predict(X),
            loss=net.evaluate(X, y)["loss"],
            counts=(net.epoch, net.step),
            next_loss=net.fit(X, y, epochs=1)["loss"][-1],
        )


if __name__ == "__main__":
    main()
