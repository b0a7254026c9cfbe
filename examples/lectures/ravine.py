"""Optimisers on a ravine: a quadratic bowl a hundred times steeper across than along."""

from collections.abc import Callable

import lecture
import numpy as np

import deltarule as dr

EIGENVALUES = np.array([1.0, 100.0])
START = np.array([-2.3, 0.7])
RULES: dict[str, Callable[[float], dr.optimizers.Optimizer]] = {
    "SGD": lambda rate: dr.SGD(learning_rate=rate),
    "Momentum": lambda rate: dr.SGD(learning_rate=rate, momentum=0.9),
    "NAG": lambda rate: dr.SGD(learning_rate=rate, momentum=0.9, nesterov=True),
    "AdaGrad": lambda rate: dr.optimizers.AdaGrad(learning_rate=rate),
    "RMSProp": lambda rate: dr.RMSProp(learning_rate=rate, beta=0.9),
    "Adadelta": lambda rate: dr.optimizers.Adadelta(learning_rate=rate),
    "Adam": lambda rate: dr.Adam(learning_rate=rate),
}
RATES = [m * 10.0**e for e in range(-4, 1) for m in (1, 2, 5)]


def walk(rule: str, rate: float, turn: float, steps: int) -> lecture.Array:
    """Path of the weights (steps + 1, 2) on a ravine turned by `turn` degrees; shorter if it diverged."""
    angle = np.deg2rad(turn)
    axes = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    X = np.sqrt(2 * EIGENVALUES)[:, None] * axes.T  # the cost 1/(2N) |Xw|² has the Hessian XᵀX / N
    net = dr.Sequential([dr.Dense(1, use_bias=False)], dtype="float64").build(2)
    (weight,) = net.parameters().values()
    weight[:, 0] = axes @ START
    net.compile(RULES[rule](rate), loss="quadratic")
    path = [weight[:, 0].copy()]
    for _ in range(steps):
        try:
            net.train_on_batch(X, np.zeros((2, 1)))
        except dr.NonFiniteError:
            break
        path.append(weight[:, 0].copy())
    return np.asarray(np.array(path) @ axes)  # in the axes of the ravine


def costs(path: lecture.Array) -> lecture.Array:
    return np.asarray(np.clip(path, -1e100, 1e100) ** 2 @ EIGENVALUES / 2)


def best(rule: str, turn: float, steps: int = 300) -> tuple[float, lecture.Array]:
    """Return the rate with the lowest cost after `steps`, and its path."""
    walks = ((rate, walk(rule, rate, turn, steps)) for rate in RATES)
    return min(walks, key=lambda pair: costs(pair[1])[-20:].max())


def main() -> None:
    figure, axes = lecture.panels("Ravine along an axis", "Ravine turned by 30°")
    rows = []
    for rule in RULES:
        row: list[object] = [rule]
        for axis, turn in zip(axes, (0, 30), strict=True):
            rate, path = best(rule, turn)
            cost = costs(path)
            axis.semilogy(np.maximum(cost, 1e-16), label=rule)
            reached = next((i for i, c in enumerate(cost) if c < 1e-3 * cost[0]), None)
            row += [rate, reached if reached is not None else "> 300", f"{cost[-1]:.0e}"]
        rows.append(row)
    head = ["rule", "rate", "steps to a thousandth", "cost after 300"]
    lecture.table([*head, *(f"turned: {name}" for name in head[1:])], rows)
    for axis in axes:
        axis.set(xlabel="step", ylabel="cost", ylim=(1e-16, 1e2))
    lecture.save(figure, "ravine.svg")


if __name__ == "__main__":
    main()
