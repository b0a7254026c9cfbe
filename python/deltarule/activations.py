"""Activations: one class for every elementwise function and row operation of the catalogue."""

from ._families import ActivationFunction, RowOperation
from ._from_catalog import classes

_MADE = classes(ActivationFunction, globals()) + classes(RowOperation, globals())
__all__ = ["ActivationFunction", "RowOperation", *_MADE]  # noqa: PLE0604 - made from the catalogue
