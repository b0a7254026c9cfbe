"""SELU keeps mean 0 and variance 1 through depth; what pulls them back, and what breaks it."""

import lecture
import numpy as np

import deltarule as dr

DEPTH, WIDTH = 50, 256
NETWORKS = {
    "SELU, LeCun normal": ("selu", "lecun_normal"),
    "SELU, He normal": ("selu", "he_normal"),
    "ReLU, He normal": ("relu", "he_normal"),
    "tanh, LeCun normal": ("tanh", "lecun_normal"),
}


def moments(activation: str, initializer: str, mean: float, deviation: float) -> np.ndarray:
    """Mean and variance after every layer, for inputs of this mean and deviation."""
    z = np.random.default_rng(0).normal(mean, deviation, size=(500, WIDTH)).astype(np.float32)
    found = [(z.mean(), z.var())]
    for layer in range(DEPTH):
        net = dr.Sequential([dr.Dense(WIDTH, activation, initializer=initializer)], seed=layer)
        z = net.build(WIDTH).predict(z)
        found.append((z.mean(dtype=np.float64), z.var(dtype=np.float64)))
    return np.array(found)


def after_dropout(layer: dr.layers.Layer) -> tuple[float, float]:
    """Mean and variance of normal numbers that went through SELU and this layer in training mode."""
    z = dr.kernels.selu(np.random.default_rng(1).normal(size=(4000, WIDTH)).astype(np.float32))
    y = dr.Sequential([layer], seed=0).build(WIDTH).forward(z, training=True)
    return float(y.mean(dtype=np.float64)), float(y.var(dtype=np.float64))


def main() -> None:
    figure, (left, right) = lecture.panels("Variance of the outputs", "SELU: from other inputs")
    rows = []
    for name, (activation, initializer) in NETWORKS.items():
        found = moments(activation, initializer, 0, 1)
        left.semilogy(found[:, 1], label=name)
        rows.append([name, *(f"{found[k, 0]:.2g} / {found[k, 1]:.2g}" for k in (1, 10, 50))])
    for mean, deviation in ((0, 1), (1, 1), (0, 3), (0, 0.3), (-2, 0.5)):
        found = moments("selu", "lecun_normal", mean, deviation)
        right.plot(found[:, 1], label=f"mean {mean}, deviation {deviation}")
        rows.append(
            [
                f"SELU from N({mean}, {deviation}²)",
                *(f"{found[k, 0]:.2g} / {found[k, 1]:.2g}" for k in (1, 10, 50)),
            ]
        )
    for axes in (left, right):
        axes.set(xlabel="layer", ylabel="variance")
    lecture.table(["mean / variance", "layer 1", "layer 10", "layer 50"], rows)
    print()
    lecture.table(
        ["one layer of SELU outputs, rate 0.2", "mean", "variance"],
        [
            [repr(layer), *(f"{x:.3f}" for x in after_dropout(layer))]
            for layer in (dr.Dropout(0.0), dr.Dropout(0.2), dr.AlphaDropout(0.2))
        ],
    )
    lecture.save(figure, "self_normalization.svg")


if __name__ == "__main__":
    main()
