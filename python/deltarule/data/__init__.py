"""Tables for networks: reading files and packaged data sets, encoding columns, splitting rows."""

from .datasets import DATASETS, DataSet
from .errors import DataError, OptionError
from .features import FeatureOptions, Features
from .preparation import Part, Prepared, prepare, restore
from .readers import read_file
from .sources import Source, chosen_target, open_source
from .table import Table
from .target import ClassTarget, NumberTarget, Target

__all__ = [
    "DATASETS",
    "ClassTarget",
    "DataError",
    "DataSet",
    "FeatureOptions",
    "Features",
    "NumberTarget",
    "OptionError",
    "Part",
    "Prepared",
    "Source",
    "Table",
    "Target",
    "chosen_target",
    "open_source",
    "prepare",
    "read_file",
    "restore",
]
