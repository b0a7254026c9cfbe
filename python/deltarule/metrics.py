"""Metrics: one class for every metric of the catalogue."""

from ._families import Metric
from ._from_catalog import classes

__all__ = ["Metric", *classes(Metric, globals())]  # noqa: PLE0604 - made from the catalogue
