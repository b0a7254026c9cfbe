"""Slow learning: a saturated sigmoid under the quadratic cost and under the cross-entropy."""

import lecture
import numpy as np

import deltarule as dr

LOSSES = {"quadratic": ("sigmoid", "quadratic"), "cross-entropy": (None, "sigmoid_cross_entropy")}


def one_neuron(loss: str, start: float, epochs: int = 300) -> list[float]:
    """Outputs of a sigmoid neuron that sees x = 1 and should say 0, from weight = bias = start."""
    activation, name = LOSSES[loss]
    net = dr.Sequential([dr.Dense(1, activation)], dtype="float64").build(1)
    for parameter in net.parameters().values():
        parameter[...] = start
    net.compile(dr.SGD(learning_rate=0.15), loss=name)
    X, outputs = np.ones((1, 1)), []
    for _ in range(epochs):
        y = net.predict(X)
        outputs.append(float((y if activation else dr.kernels.sigmoid(y))[0, 0]))
        net.train_on_batch(X, np.zeros((1, 1)))
    return outputs


def on_digits(loss: str, spread: float, epochs: int = 30) -> list[float]:
    """Test accuracy by epoch of a 64-30-10 sigmoid network whose weights start as N(0, spread²)."""
    activation, name = LOSSES[loss]
    X, y, X_test, y_test = lecture.digits()
    net = dr.Sequential([dr.Dense(30, "sigmoid"), dr.Dense(10, activation)]).build(64)
    random = np.random.default_rng(0)
    for key, parameter in net.parameters().items():
        if key.endswith("weight"):
            parameter[...] = random.normal(0, spread, parameter.shape)
    net.compile(dr.SGD(learning_rate=0.5), loss=name)
    accuracy: list[float] = []

    def note(epoch: int, logs: dict[str, float]) -> None:  # noqa: ARG001 - what a callback is called with
        accuracy.append(float(np.mean(net.predict(X_test).argmax(axis=1) == y_test)))

    one_hot = np.eye(10, dtype=np.float32)[y]
    net.fit(X, one_hot, epochs=epochs, callbacks=[dr.LambdaCallback(on_epoch_end=note)], verbose=0)
    return accuracy


def main() -> None:
    figure, (left, right) = lecture.panels("One neuron, target 0", "Digits, 64-30-10, all sigmoid")
    rows: list[list[object]] = []
    for colour, loss in zip(lecture.COLOURS, LOSSES, strict=False):
        for start, line in ((0.6, "--"), (2.0, "-")):
            outputs = one_neuron(loss, start)
            left.plot(outputs, line, color=colour, label=f"{loss}, from {outputs[0]:.2f}")
            half = next((i for i, y in enumerate(outputs) if y < 0.5), None)
            rows.append([loss, f"{outputs[0]:.2f}", half, f"{outputs[-1]:.2f}"])
    lecture.table(["one neuron", "first output", "steps until below 0.5", "after 300 steps"], rows)
    rows = []
    for colour, loss in zip(lecture.COLOURS, LOSSES, strict=False):
        for spread, line in ((0.1, "--"), (1.0, "-")):
            accuracy = on_digits(loss, spread)
            right.plot(range(1, 31), accuracy, line, color=colour, label=f"{loss}, N(0, {spread}²)")
            rows.append([loss, spread, *(f"{accuracy[i - 1]:.3f}" for i in (1, 5, 30))])
    head = ["digits: test accuracy", "spread of weights", "1 epoch", "5 epochs", "30 epochs"]
    lecture.table(head, rows)
    left.set(xlabel="step", ylabel="output", ylim=(0, 1.35))
    right.set(xlabel="epoch", ylabel="test accuracy", ylim=(0, 1))
    lecture.save(figure, "slow_learning.svg")


if __name__ == "__main__":
    main()
