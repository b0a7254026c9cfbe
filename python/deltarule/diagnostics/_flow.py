"""How large activations and gradients are from layer to layer, now and over training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from deltarule import _check
from deltarule._types import Array, ArrayLike
from deltarule.callbacks import Callback, Logs

from ._table import Table
from ._twin import outputs, rms, twin

if TYPE_CHECKING:
    from deltarule.sequential import Sequential

COLUMNS = ("layer", "output mean", "output deviation", "zeros", "weights", "gradient", "gradient / weights")


def gradient_flow(
    net: Sequential, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
) -> Table:
    """Statistics of activations and gradients of every layer.

    Gradients that shrink by orders of magnitude from the last layer to the first are vanishing, gradients
    that grow are exploding.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`; a batch is enough.

    Returns
    -------
    Table
        Mean and deviation of the outputs and their share of zeros, in inference mode; root mean squares of
        the layer's parameters and of their gradients, in training mode (0 where there are none), and their
        ratio.
    """
    work = twin(net, X, y, sample_weight, "gradient_flow", net.dtype)
    gradients, parameters = work.gradients(), work.network.parameters()
    lines = []
    for name, output in outputs(work.net, work.data.X):
        mean, deviation = float(output.mean(dtype=np.float64)), float(output.std(dtype=np.float64))
        weights, gradient = _joined(parameters, name), _joined(gradients, name)
        ratio = gradient / weights if weights > 0 else 0.0
        lines.append([name, mean, deviation, f"{(output == 0).mean():.0%}", weights, gradient, ratio])
    return Table("flow of activations and gradients", COLUMNS, lines)


class GradientFlow(Callback):
    """Keeps the figures of `gradient_flow` while a network is trained.

    Parameters
    ----------
    X, y : array
        Rows to look at, the same in every epoch; a batch is enough.
    every : int, default 1
        Epochs from one look to the next.

    Attributes
    ----------
    epochs : list of int
        Number of each epoch that was looked at.
    records : dict of {column: dict of {layer: list of float}}
        The figures, such as ``records["gradient"]["dense_1"]``.
    """

    _kept = ("output mean", "output deviation", "weights", "gradient")

    def __init__(self, X: ArrayLike, y: ArrayLike, *, every: int = 1) -> None:
        self.every = _check.whole(every, "GradientFlow", "every")
        self.X, self.y = X, y
        self.epochs: list[int] = []
        self.records: dict[str, dict[str, list[float]]] = {}

    def on_train_begin(self, logs: Logs) -> None:  # noqa: ARG002
        """Forget an earlier training."""
        self.epochs, self.records = [], {column: {} for column in self._kept}

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:  # noqa: ARG002
        """Take the figures of this epoch."""
        if epoch % self.every:
            return
        table = gradient_flow(self.model, self.X, self.y)
        self.epochs.append(epoch)
        for column, by_layer in self.records.items():
            for row in table:
                by_layer.setdefault(row["layer"], []).append(row[column])

    def plot(self, column: str = "gradient", ax: Any = None) -> Any:
        """Draw one column over the epochs, a curve per layer, with matplotlib; returns the Axes."""
        if column not in self.records:
            raise _check.not_allowed("GradientFlow.plot", "column", column, ", ".join(map(repr, self._kept)))
        ax = axes(ax, "GradientFlow.plot")
        for layer, values in self.records[column].items():
            if any(values):
                ax.plot([e + 1 for e in self.epochs], values, label=layer)
        if column in ("weights", "gradient"):
            ax.set_yscale("log")
        ax.set(xlabel="epoch", ylabel=column)
        ax.legend()
        return ax


def axes(ax: Any, operation: str) -> Any:
    """The given Axes or those of a new figure."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(f'{operation} needs matplotlib: pip install "deltarule[plot]"') from None
    return plt.subplots(layout="constrained")[1]


def _joined(arrays: dict[str, Array], layer: str) -> float:
    own = [a.ravel() for name, a in arrays.items() if name.startswith(layer + ".")]
    return rms(np.concatenate(own)) if own else 0.0
