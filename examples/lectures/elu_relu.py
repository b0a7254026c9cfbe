"""ELU against ReLU on digits: speed of learning, and how far the activations are from mean zero."""

import lecture
import numpy as np

import deltarule as dr

DEPTH = 8


def network(activation: str, seed: int, depth: int = DEPTH) -> dr.Sequential:
    hidden = [dr.Dense(64, activation, initializer="he_normal") for _ in range(depth)]
    net = dr.Sequential([*hidden, dr.Dense(10)], seed=seed)
    net.compile(dr.SGD(learning_rate=0.01), loss="sparse_softmax_cross_entropy", metrics=["accuracy"])
    return net


def learn(activation: str, seed: int, epochs: int = 30) -> tuple[list[float], float, float]:
    """Training loss by epoch, test accuracy, and mean of all hidden activations over their size."""
    X, y, X_test, y_test = lecture.digits()
    net = network(activation, seed)
    loss = net.fit(X, y, epochs=epochs, verbose=0)["loss"]
    z, weights, shifts = X, net.get_weights(), []
    for i in range(1, DEPTH + 1):
        layer = dr.Sequential([dr.Dense(64, activation)]).build(z.shape[1])
        layer.set_weights({f"dense_1.{part}": weights[f"dense_{i}.{part}"] for part in ("weight", "bias")})
        z = layer.predict(z)
        shifts.append(float(np.mean(np.abs(z.mean(axis=0))) / np.sqrt(np.mean(z**2))))
    return list(loss), net.evaluate(X_test, y_test)["accuracy"], float(np.mean(shifts))


def main() -> None:
    figure, (left, right) = lecture.panels("Training loss, 8 hidden layers, 5 seeds", "Test accuracy")
    rows = []
    for place, activation in enumerate(("relu", "elu")):
        runs = [learn(activation, seed) for seed in range(5)]
        for seed, (loss, correct, _) in enumerate(runs):
            left.semilogy(
                range(1, 31), loss, color=lecture.COLOURS[place], label=None if seed else activation
            )
            right.plot(place, correct, "o", color=lecture.COLOURS[place])
        losses = np.array([run[0] for run in runs])
        accuracy = np.array([run[1] for run in runs])
        shift = float(np.mean([run[2] for run in runs]))
        rows.append(
            [
                activation,
                *(f"{losses[:, e - 1].mean():.3f}" for e in (1, 5, 30)),
                f"{accuracy.mean():.4f} ± {accuracy.std(ddof=1):.4f}",
                f"{shift:.2f}",
            ]
        )
    right.set(xticks=[0, 1], xlim=(-0.5, 1.5), ylabel="test accuracy")
    right.set_xticklabels(["relu", "elu"])
    left.set(xlabel="epoch", ylabel="cross-entropy")
    head = [
        "activation",
        "loss, epoch 1",
        "epoch 5",
        "epoch 30",
        "test accuracy",
        "|mean| / rms of activations",
    ]
    lecture.table(head, rows)
    lecture.save(figure, "elu_relu.svg")


if __name__ == "__main__":
    main()
