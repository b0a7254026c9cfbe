"""Learning-rate schedules: one class for every schedule of the catalogue."""

from ._families import Schedule
from ._from_catalog import classes

__all__ = ["Schedule", *classes(Schedule, globals())]  # noqa: PLE0604 - made from the catalogue
