"""The learning-rate range test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule import _check
from deltarule._native import core
from deltarule._types import Array, ArrayLike

from ._flow import axes
from ._twin import as_dtype

if TYPE_CHECKING:
    from deltarule.sequential import Sequential

_OPERATION = "lr_range_test"


class LearningRateTest:
    """What `lr_range_test` measured.

    Attributes
    ----------
    rates, losses, smoothed : ndarray (steps,)
        Learning rate of every step, loss of its batch before the step, and the average of the losses.
    suggestion : float or None
        Rate at which the smoothed loss falls fastest per factor of the rate; None where it never falls.
    diverged : float or None
        Rate at which the loss left all bounds; None where it did not.
    """

    def __init__(self, rates: Array, losses: Array, smoothed: Array, diverged: float | None) -> None:
        self.rates, self.losses, self.smoothed, self.diverged = rates, losses, smoothed, diverged
        self.suggestion = _steepest(rates, smoothed)

    def __repr__(self) -> str:
        found = "none" if self.suggestion is None else f"{self.suggestion:.3g}"
        end = "no divergence" if self.diverged is None else f"diverged at {self.diverged:.3g}"
        return (
            f"LearningRateTest({len(self.rates)} steps from {self.rates[0]:.3g} to {self.rates[-1]:.3g}, "
            f"{end}; suggestion: {found})"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the rates with matplotlib; returns the Axes."""
        ax = axes(ax, "LearningRateTest.plot")
        ax.plot(self.rates, self.losses, alpha=0.3, label="loss of the batch")
        ax.plot(self.rates, self.smoothed, label="smoothed")
        if self.suggestion is not None:
            ax.axvline(
                self.suggestion, linestyle="--", color="gray", label=f"suggestion {self.suggestion:.2g}"
            )
        ax.set(xscale="log", xlabel="learning rate", ylabel="loss")
        ax.legend()
        return ax


def lr_range_test(
    net: Sequential,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    lowest: float = 1e-6,
    highest: float = 10.0,
    steps: int = 100,
    batch_size: int = 32,
    smoothing: float = 0.9,
) -> LearningRateTest:
    """Train a copy while the learning rate grows by the same factor every step (Smith 2017).

    The copy has the network's weights and its optimizer with fresh state and no schedule. The test ends early
    when the smoothed loss is four times its smallest value, or not finite.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`.
    lowest, highest : float, default 1e-6 and 10
        First and last rate.
    steps : int, default 100
        Number of steps, at least 2.
    batch_size : int, default 32
        Rows per step, drawn anew in every pass over the rows from the network's seed.
    smoothing : float, default 0.9
        Weight of the past in the average of the losses, which is corrected for its start.

    Returns
    -------
    LearningRateTest
    """
    low = _check.real(lowest, _OPERATION, "lowest", 0)
    high = _check.real(highest, _OPERATION, "highest", 0)
    if not 0 < low < high:
        raise _check.not_allowed(_OPERATION, "lowest", low, f"a number > 0 and < highest = {high:g}")
    count = _check.whole(steps, _OPERATION, "steps", 2)
    size = _check.whole(batch_size, _OPERATION, "batch_size")
    past = _check.real(smoothing, _OPERATION, "smoothing", 0, 1)
    compiled = net._require_compiled(_OPERATION)
    copy = as_dtype(net, net.dtype)
    rule = type(compiled.optimizer)(**{**compiled.optimizer._settings, "schedule": None})
    copy._compiled = compiled._replace(optimizer=rule, metrics=())
    data, network = copy._data(X, y, sample_weight, _OPERATION)
    copy._network = network
    if not copy._is_adapted():
        network.adapt(data.X)
    trainer = copy._ready(network)
    rates = np.geomspace(low, high, count)
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    batches = _batches(len(data.X), min(size, len(data.X)), net.seed)
    for i, rate in enumerate(rates):
        trainer.learning_rate = rate
        batch = next(batches)
        while data.weight is not None and not data.weight[batch].any():
            batch = next(batches)
        weight = None if data.weight is None else data.weight[batch]
        try:
            loss = trainer.train_on_batch(data.X[batch], data.y[batch], weight)["loss"]
        except core.NonFiniteError:
            break
        average = past * average + (1 - past) * loss
        losses.append(loss)
        smoothed.append(average / (1 - past ** (i + 1)))
        if smoothed[-1] > 4 * min(smoothed) and i > 0:
            break
    done = len(losses)
    if done < 2:
        raise ValueError(
            f"{_OPERATION}: the loss is not finite from lowest = {low:g} on; allowed: a smaller rate"
        )
    diverged = float(rates[min(done, count - 1)]) if done < count else None
    return LearningRateTest(rates[:done], np.array(losses), np.array(smoothed), diverged)


def _batches(rows: int, size: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(rows)
        for start in range(0, rows - size + 1, size):
            yield np.sort(order[start : start + size])


def _steepest(rates: Array, smoothed: Array) -> float | None:
    slope = np.gradient(smoothed, np.log(rates))
    best = int(np.argmin(slope))
    return float(rates[best]) if slope[best] < 0 else None
