"""The losses of Janocha & Czarnecki 2017, table 1, side by side: speed of learning and wrong labels."""

from typing import Any

import lecture
import numpy as np

import deltarule as dr

EPOCHS = 40
LOSSES = {
    "L1": "mae",
    "L2": "mse",
    "expectation": "expectation",
    "regularised expectation": "regularized_expectation",
    "Chebyshev": "chebyshev",
    "hinge": "hinge",
    "squared hinge": "squared_hinge",
    "cubed hinge": "cubed_hinge",
    "log": "softmax_cross_entropy",
    "squared log": "squared_log",
    "Tanimoto": "tanimoto",
    "Cauchy-Schwarz": "cauchy_schwarz",
}


def learn(loss: str, noise: float, seed: int) -> list[float]:
    """Test accuracy by epoch."""
    X, y, X_test, y_test = lecture.digits()
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < noise
    labels = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    one_hot = np.eye(10, dtype=np.float32)
    if dr.losses.Loss.make(loss, "loss_table", "loss").entry["signs"]:
        one_hot = 2 * one_hot - 1  # the hinge losses' targets are -1 and 1
    net = dr.Sequential([dr.Dense(64, "relu"), dr.Dense(64, "relu"), dr.Dense(10)], seed=seed)
    net.compile(dr.Adam(1e-3), loss=loss)
    found = []
    for _ in range(EPOCHS):
        net.fit(X, one_hot[labels], epochs=1, verbose=0)
        found.append(float(np.mean(net.predict(X_test).argmax(axis=1) == y_test)))
    return found


def main() -> None:
    figure, (left, right) = lecture.panels("Test accuracy by epoch, 3 seeds", "With 40 % wrong labels")
    rows = []
    for place, (name, loss) in enumerate(LOSSES.items()):
        clean = np.mean([learn(loss, 0.0, seed) for seed in range(3)], axis=0)
        noisy = np.mean([learn(loss, 0.4, seed) for seed in range(3)], axis=0)
        style: dict[str, Any] = {"linestyle": "-" if place < 6 else "--", "color": lecture.COLOURS[place % 6]}
        left.plot(range(1, EPOCHS + 1), clean, **style)
        right.plot(range(1, EPOCHS + 1), noisy, **style, label=name)
        first = int(np.argmax(clean > 0.95)) + 1 if clean.max() > 0.95 else f"> {EPOCHS}"
        figures = [f"{clean[-1]:.4f}", f"{noisy.max():.3f}", f"{noisy[-1]:.3f}"]
        rows.append([name, f"{clean[0]:.3f}", first, *figures])
    for axes in (left, right):
        axes.set(xlabel="epoch", ylabel="test accuracy")
    left.set_ylim(0.8, 1)
    right.set_ylim(0.15, 0.95)
    head = ["loss", "epoch 1", "epochs to 0.95", f"epoch {EPOCHS}", "noisy: best", f"noisy: epoch {EPOCHS}"]
    lecture.table(head, rows)
    lecture.save(figure, "loss_table.svg")


if __name__ == "__main__":
    main()
