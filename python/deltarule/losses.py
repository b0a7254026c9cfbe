"""Losses: one class for every loss of the catalogue."""

from ._families import Loss
from ._from_catalog import classes

__all__ = ["Loss", *classes(Loss, globals())]  # noqa: PLE0604 - made from the catalogue
