"""Ill-conditioned problems: descent, Adam, L-BFGS and natural gradients, each with its best rate."""

from collections.abc import Callable
from time import perf_counter

import lecture
import numpy as np

import deltarule as dr

Rule = Callable[[float], dr.optimizers.Optimizer]
RULES: dict[str, tuple[Rule, tuple[float, ...]]] = {
    "SGD, momentum 0.9": (lambda rate: dr.SGD(rate, momentum=0.9), tuple(10.0 ** np.arange(-7, 1))),
    "Adam": (dr.Adam, tuple(10.0 ** np.arange(-4, 1))),
    "LBFGS": (dr.LBFGS, (1.0,)),
    "NaturalGradient, K-FAC": (
        lambda rate: dr.NaturalGradient(rate, damping=1e-7, update_interval=1),
        (0.1, 0.3, 1.0),
    ),
    "NaturalGradient, unit-wise": (
        lambda rate: dr.NaturalGradient(rate, method="unitwise", damping=1e-7, update_interval=1),
        (0.1, 0.3, 1.0),
    ),
}


def least_squares() -> tuple[lecture.Array, lecture.Array, list[dr.layers.Layer]]:
    """One linear layer; the Hessian has eigenvalues from 1e-6 to 1."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.normal(size=(n, 20)))[0] for n in (200, 20))
    X = left * np.sqrt(np.geomspace(1, 1e-6, 20) * 200) @ right.T
    return X, X @ rng.normal(size=(20, 1)) * 10, [dr.Dense(1)]


def unequal_inputs() -> tuple[lecture.Array, lecture.Array, list[dr.layers.Layer]]:
    """A small network whose inputs were not standardised: their sizes go from 0.01 to 3."""
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(300, 4))
    return (
        inputs * [3, 1, 0.1, 0.01],
        np.sin(inputs @ rng.normal(size=(4, 1))),
        [dr.Dense(12, "tanh"), dr.Dense(1)],
    )


PROBLEMS = {"Least squares, condition number 1e6": least_squares, "Inputs of unequal size": unequal_inputs}


def losses(problem: str, optimizer: dr.optimizers.Optimizer, epochs: int) -> tuple[lecture.Array, float]:
    """Loss at every full-batch step and seconds of the whole; infinite where training failed."""
    X, y, layers = PROBLEMS[problem]()
    net = dr.Sequential(layers, seed=3, dtype="float64")
    net.compile(optimizer, loss="mse")
    start = perf_counter()
    try:
        history = net.fit(X, y, epochs=epochs, batch_size=None, verbose=0)
    except dr.NonFiniteError:
        return np.array([np.inf]), 0.0
    return np.array(history["loss"]), perf_counter() - start


def best(problem: str, name: str, epochs: int) -> tuple[float, lecture.Array, float]:
    """Rate, losses and seconds of the run with the lowest loss at its end."""
    rule, rates = RULES[name]
    runs = ((rate, *losses(problem, rule(rate), epochs)) for rate in rates)
    return min(runs, key=lambda run: run[1][-1])


def main() -> None:
    figure, axes = lecture.panels(*PROBLEMS)
    for axis, problem in zip(axes, PROBLEMS, strict=True):
        rows = []
        for name in RULES:
            rate, loss, seconds = best(problem, name, 300)
            axis.semilogy(np.maximum(loss, 1e-25), label=name)
            rows.append(
                [name, rate, *(f"{loss[min(i, len(loss) - 1)]:.1e}" for i in (10, 100, 299)), seconds]
            )
        axis.set(xlabel="step (all rows)", ylabel="loss")
        print(f"\n{problem}\n")
        lecture.table(["rule", "rate", "loss after 10", "after 100", "after 299 steps", "seconds"], rows)
    lecture.save(figure, "second_order.svg")


if __name__ == "__main__":
    main()
