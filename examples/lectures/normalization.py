"""Batch and layer normalisation: training with weights of the wrong size, and with large learning rates."""

import lecture
import numpy as np

import deltarule as dr

LAYERS = {"none": None, "batch norm": dr.BatchNorm, "layer norm": dr.LayerNorm}
FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def train(kind: str, factor: float, rate: float, epochs: int = 15) -> float:
    """Return the loss of ten tanh layers with weights `factor` times Glorot's; 10 if it diverged."""
    X, y, _, _ = lecture.digits()
    layers: list[dr.layers.Layer] = []
    for _ in range(10):
        layers.append(dr.Dense(32))
        if norm := LAYERS[kind]:
            layers.append(norm())
        layers.append(dr.Activation("tanh"))
    net = dr.Sequential([*layers, dr.Dense(10)], seed=1).build(64)
    for name, parameter in net.parameters().items():
        if name.startswith("dense") and name.endswith("weight"):
            parameter[...] = factor * parameter
    net.compile(dr.SGD(learning_rate=rate), loss="sparse_softmax_cross_entropy")
    try:
        loss = net.fit(X, y, batch_size=64, epochs=epochs, verbose=0)["loss"][-1]
    except dr.NonFiniteError:
        return 10.0
    return float(np.clip(loss, 1e-4, 10))


def main() -> None:
    figure, (left, right) = lecture.panels("Learning rate 0.1", "Glorot's weights")
    rows = []
    for kind in LAYERS:
        losses = [train(kind, factor, 0.1) for factor in FACTORS]
        left.loglog(FACTORS, losses, "o-", label=kind)
        rows.append([kind, *(f"{loss:.3g}" for loss in losses)])
    lecture.table(["loss after 15 epochs", *(f"weights x {factor}" for factor in FACTORS)], rows)
    rows = []
    for kind in LAYERS:
        losses = [train(kind, 1, rate) for rate in RATES]
        right.loglog(RATES, losses, "o-", label=kind)
        rows.append([kind, *(f"{loss:.3g}" for loss in losses)])
    lecture.table(["loss after 15 epochs", *(f"rate {rate}" for rate in RATES)], rows)
    left.set(xlabel="weights, as a multiple of Glorot's", ylabel="training loss after 15 epochs")
    right.set(xlabel="learning rate", ylabel="training loss after 15 epochs")
    lecture.save(figure, "normalization.svg")


if __name__ == "__main__":
    main()
