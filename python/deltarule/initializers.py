"""Initializers: one class for every initializer of the catalogue."""

from ._families import Initializer
from ._from_catalog import classes

__all__ = ["Initializer", *classes(Initializer, globals())]  # noqa: PLE0604 - made from the catalogue
