"""Wrong labels: the alpha-loss between the logarithm and the probability itself, against cross-entropy."""

import lecture
import numpy as np

import deltarule as dr

NOISE = (0.0, 0.2, 0.4, 0.6)
LOSSES = {
    "cross-entropy (alpha = 1)": dr.SparseSoftmaxCrossEntropy(),
    "alpha = 0.8": dr.AlphaLoss(0.8),
    "alpha = 2": dr.AlphaLoss(2.0),
    "alpha = 4": dr.AlphaLoss(4.0),
    "alpha = ∞: 1 - p": dr.AlphaLoss(float("inf")),
    "focal, gamma = 2": dr.Focal(gamma=2.0),
    "label smoothing 0.2": dr.SparseSoftmaxCrossEntropy(label_smoothing=0.2),
}


def learn(loss: dr.losses.Loss, noise: float, seed: int) -> float:
    """Test accuracy after training with a share of the labels drawn anew from the other classes."""
    X, y, X_test, y_test = lecture.digits()
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(y)) < noise
    labels = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    net = dr.Sequential([dr.Dense(128, "relu"), dr.Dense(10)], seed=seed)
    net.compile(dr.Adam(2e-3), loss=loss, metrics=["accuracy"])
    net.fit(X, labels, epochs=60, verbose=0)
    return float(net.evaluate(X_test, y_test)["accuracy"])


def main() -> None:
    figure, (left, right) = lecture.panels(
        "Test accuracy, 5 seeds", "Loss of a row by the label's probability"
    )
    rows = []
    for name, loss in LOSSES.items():
        found = np.array([[learn(loss, noise, seed) for seed in range(5)] for noise in NOISE])
        left.plot(NOISE, found.mean(axis=1), "o-", label=name, markersize=4)
        rows.append([name, *(f"{a.mean():.3f} ± {a.std(ddof=1):.3f}" for a in found)])
    p = np.linspace(0.02, 0.98, 97)
    logits = np.log(np.stack([p, 1 - p], axis=1))
    for name, loss in LOSSES.items():
        value = loss(logits, np.zeros(len(p), dtype=int), reduction="none")
        right.plot(p, value, label=name)
    left.set(xlabel="share of wrong labels", ylabel="test accuracy")
    right.set(xlabel="p", ylabel="loss", ylim=(0, 4))
    lecture.table(["loss", *(f"{100 * n:.0f} % wrong" for n in NOISE)], rows)
    lecture.save(figure, "label_noise.svg")


if __name__ == "__main__":
    main()
