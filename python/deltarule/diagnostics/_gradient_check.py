"""Backpropagation against central differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from deltarule import _check
from deltarule._types import Array, ArrayLike

from ._table import Table
from ._twin import Twin, twin

if TYPE_CHECKING:
    from deltarule.sequential import Sequential

_OPERATION = "gradient_check"


class GradientCheck(Table):
    """What `gradient_check` found, one row per parameter array.

    Attributes
    ----------
    ok : bool
        Whether no error is above the tolerance and something was compared in every array.
    worst : float
        Largest error.
    """

    ok: bool
    worst: float


def gradient_check(
    net: Sequential,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    entries: int = 30,
    step: float = 1e-4,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientCheck:
    """Compare backpropagation with central differences of the loss, in float64.

    The derivative is (8 (L(θ+h) - L(θ-h)) - (L(θ+2h) - L(θ-2h))) / 12h, in training mode: batch statistics,
    and the same dropout every time. The error of an entry is |a - n| / max(|a|, |n|, s / 1000), where s is
    the largest gradient of the network. Entries whose differences disagree for h and h/4 are left out and
    counted as kinks: there is a kink of an activation in between.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`; a few rows are enough.
    entries : int, default 30
        Numbers compared in every parameter array, drawn at random; all of a smaller array.
    step : float, default 1e-4
        h, times max(1, |θ|).
    tolerance : float, default 1e-6
        Largest error that passes.
    seed : int, default 0
        Decides which entries are drawn.

    Returns
    -------
    GradientCheck
    """
    most = _check.whole(entries, _OPERATION, "entries")
    limit = _positive(tolerance, "tolerance")
    h = _positive(step, "step")
    random = np.random.default_rng(_check.whole(seed, _OPERATION, "seed", 0))
    work = twin(net, X, y, sample_weight, _OPERATION)
    gradients = work.gradients()
    scale = max((float(np.abs(g).max()) for g in gradients.values() if g.size), default=0.0)
    rows = []
    for name, gradient in gradients.items():
        array = work.network.parameters()[name].reshape(-1)  # a view: the copy's own numbers
        chosen = np.sort(random.permutation(gradient.size)[:most])
        worst, kinks = 0.0, 0
        for at in chosen:
            exact = float(gradient.reshape(-1)[at])
            width = h * max(1.0, abs(float(array[at])))
            numeric, finer = (_difference(work, array, at, w) for w in (width, width / 4))
            error, apart = (
                abs(a - numeric) / max(abs(a), abs(numeric), scale / 1000, 1e-300) for a in (exact, finer)
            )
            if not apart <= limit:
                kinks += 1
            else:
                worst = max(worst, error)
        compared = len(chosen) - kinks
        rows.append(
            [
                name,
                "x".join(map(str, gradient.shape)),
                compared,
                kinks,
                worst,
                worst <= limit and compared > 0,
            ]
        )
    columns = ("parameter", "shape", "compared", "kinks", "error", "ok")
    result = GradientCheck("gradient check: backpropagation against central differences", columns, rows)
    result.worst = max(result.column("error"), default=0.0)
    result.ok = all(result.column("ok"))
    verdict = "correct" if result.ok else "NOT confirmed"
    result.notes = [f"gradients are {verdict}: largest relative error {result.worst:.2g}, allowed {limit:g}"]
    return result


def _difference(work: Twin, array: Array, at: int, h: float) -> float:
    here = array[at]
    values = []
    try:
        for k in (1, -1, 2, -2):
            array[at] = here + k * h
            values.append(work.training_loss())
    finally:
        array[at] = here
    return (8 * (values[0] - values[1]) - (values[2] - values[3])) / (12 * h)


def _positive(value: float, argument: str) -> float:
    number = _check.real(value, _OPERATION, argument, 0)
    if number == 0:
        raise _check.not_allowed(_OPERATION, argument, number, "a number > 0")
    return number
