"""Update rules: one class for every optimizer of the catalogue."""

from ._families import Optimizer
from ._from_catalog import classes

__all__ = ["Optimizer", *classes(Optimizer, globals())]  # noqa: PLE0604 - made from the catalogue
