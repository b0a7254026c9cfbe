"""Layers: one class for every layer of the catalogue, to be put into a `Sequential`."""

from ._families import Layer
from ._from_catalog import classes

__all__ = ["Layer", *classes(Layer, globals())]  # noqa: PLE0604 - made from the catalogue
