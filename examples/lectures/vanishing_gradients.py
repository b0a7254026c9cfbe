"""Vanishing gradients: how much of the gradient reaches the first of many layers."""

import lecture
import numpy as np

import deltarule as dr

DEPTHS = (2, 4, 8, 16, 32)
CASES: dict[str, tuple[str, dr.initializers.Initializer, float]] = {
    "sigmoid, Glorot": ("sigmoid", dr.initializers.GlorotUniform(), 1),
    "tanh, Glorot": ("tanh", dr.initializers.GlorotUniform(), 1),
    "tanh, weights x 1/2": ("tanh", dr.initializers.GlorotUniform(), 0.5),
    "tanh, weights x 4": ("tanh", dr.initializers.GlorotUniform(), 4),
    "ReLU, He": ("relu", dr.initializers.HeNormal(), 1),
}


def gradient_sizes(case: str, depth: int, seed: int = 0) -> list[float]:
    """Root mean square of the error δ that reaches every hidden layer, before any training.

    δ, averaged over the batch, is the gradient of the biases.
    """
    activation, initializer, factor = CASES[case]
    X, y, _, _ = lecture.digits()
    hidden = [dr.Dense(64, activation, initializer=initializer) for _ in range(depth)]
    net = dr.Sequential([*hidden, dr.Dense(10)], seed=seed, dtype="float64").build(X.shape[1])
    weights = [name for name in net.parameters() if name.endswith("weight")]
    for name in weights:
        net.parameters()[name] *= factor
    _, gradient = dr.kernels.sparse_softmax_cross_entropy(net.forward(X.astype(np.float64)), y)
    net.backward(gradient)
    gradients = net.gradients()
    biases = [name for name in gradients if name.endswith("bias")]
    return [float(np.sqrt(np.mean(gradients[name] ** 2))) for name in biases[:-1]]


def reaching_first(case: str, depth: int, seeds: int = 5) -> float:
    """Error of the first hidden layer divided by that of the last: geometric mean over seeds."""
    sizes = [gradient_sizes(case, depth, seed) for seed in range(seeds)]
    return float(np.exp(np.mean([np.log(s[0] / s[-1]) for s in sizes])))


def main() -> None:
    figure, (left, right) = lecture.panels("20 hidden layers of 64 units", "By depth")
    rows = []
    for case in CASES:
        left.semilogy(range(1, 21), gradient_sizes(case, 20), label=case)
        ratios = [reaching_first(case, depth) for depth in DEPTHS]
        right.loglog(DEPTHS, ratios, "o-", label=case)
        rows.append([case, *(f"{ratio:.1e}" for ratio in ratios)])
    left.set(xlabel="hidden layer", ylabel="rms of its error δ", xticks=[1, 5, 10, 15, 20])
    right.set(xlabel="hidden layers", ylabel="first layer's error / last layer's")
    right.set_xticks(DEPTHS, [str(depth) for depth in DEPTHS])
    right.minorticks_off()
    lecture.table(["first / last error", *(f"{depth} layers" for depth in DEPTHS)], rows)
    lecture.save(figure, "vanishing_gradients.svg")


if __name__ == "__main__":
    main()
