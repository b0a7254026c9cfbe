"""Initialisation: what becomes of the signal's size through fifty layers."""

import lecture
import numpy as np

import deltarule as dr

WIDTH, LAYERS = 256, 50
SPREADS = {  # standard deviation of a weight for M inputs and as many outputs
    "He, √(2/M)": (2 / WIDTH) ** 0.5,
    "LeCun, Glorot, √(1/M)": (1 / WIDTH) ** 0.5,
    "Xavier, U[-1/√M, 1/√M]": (1 / (3 * WIDTH)) ** 0.5,
    "N(0, 0.1²)": 0.1,
}


def mean_squares(activation: str, spread: float, layers: int = LAYERS, seed: int = 0) -> list[float]:
    """Mean square of the outputs of every layer, divided by that of the inputs."""
    random = np.random.default_rng(seed)
    z = random.normal(size=(200, WIDTH))
    sizes = [1.0]
    first = float(np.mean(z**2))
    for _ in range(layers):
        layer = dr.Sequential([dr.Dense(WIDTH, activation)], dtype="float64").build(WIDTH)
        for name, parameter in layer.parameters().items():
            if name.endswith("weight"):
                parameter[...] = random.normal(0, spread, parameter.shape)
        z = layer.predict(z)
        sizes.append(float(np.mean(z**2)) / first)
    return sizes


def declared_spread(initializer: str) -> float:
    """Return the standard deviation of the weights that deltarule's initializer draws."""
    net = dr.Sequential([dr.Dense(WIDTH, initializer=initializer)], dtype="float64").build(WIDTH)
    return float(net.parameters()["dense_1.weight"].std())


def main() -> None:
    figure, axes = lecture.panels("ReLU", "tanh")
    rows = []
    for case, spread in SPREADS.items():
        row: list[object] = [case, spread]
        for axis, activation in zip(axes, ("relu", "tanh"), strict=True):
            sizes = mean_squares(activation, spread)
            axis.semilogy(sizes, label=case)
            row += [f"{sizes[-1]:.1e}", f"{(sizes[-1] / sizes[1]) ** (1 / (LAYERS - 1)):.3f}"]
        rows.append([*row, f"{WIDTH / 2 * spread**2:.3f}"])
    head = ["weights", "deviation", "ReLU, layer 50", "factor a layer", "tanh, layer 50", "factor a layer"]
    lecture.table([*head, "M/2 ε²"], rows)
    drawn = [(name, declared_spread(name)) for name in ("he_normal", "glorot_uniform", "lecun_normal")]
    lecture.table(["initializer", "deviation drawn"], drawn)
    for axis in axes:
        axis.set(xlabel="layer", ylabel="mean square of outputs, inputs = 1")
    axes[0].set_ylim(1e-40, 1e12)
    lecture.save(figure, "initial_variance.svg")


if __name__ == "__main__":
    main()
