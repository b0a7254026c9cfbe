"""Averaged weights of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ._inference import put
from ._types import Array

if TYPE_CHECKING:
    from .sequential import Sequential

_SUFFIX = ".average"


def averaged(model: Sequential, operation: str = "Sequential.average_weights") -> dict[str, Array]:
    """See `Sequential.average_weights`."""
    compiled = model._require_compiled(operation)
    if compiled.control.average is None:
        raise RuntimeError(
            f"{operation}: no average is kept; call compile(..., average=EMA()) or SWA() and train first"
        )
    trainer = model._trainer
    if trainer is None or trainer.averaged == 0:
        raise RuntimeError(f"{operation}: nothing has been averaged yet; train first")
    averages = {
        name.removesuffix(_SUFFIX): array
        for name, array in trainer.states().items()
        if name.endswith(_SUFFIX)
    }
    return {name: averages.get(name, array).copy() for name, array in model.get_weights().items()}


@contextmanager
def swapped(model: Sequential) -> Iterator[None]:
    """See `Sequential.use_average`."""
    averages = averaged(model, "Sequential.use_average")
    own = model.get_weights()
    model.set_weights(averages)
    try:
        yield
    finally:
        put(model._require_built("Sequential.use_average"), own)
