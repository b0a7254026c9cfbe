"""Training, validation and test rows: by chance from a seed, and for classes in equal shares."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import DataError, OptionError

Rows = npt.NDArray[np.intp]
FEWEST_ROWS = 10


@dataclass
class Split:
    """Row numbers of the three parts, each in ascending order."""

    training: Rows
    validation: Rows
    test: Rows


def split(
    rows: int,
    labels: npt.NDArray[np.int32] | None,
    validation_fraction: float,
    test_fraction: float,
    seed: int,
) -> Split:
    """Deal the rows out.

    With ``labels`` every class gives each part its share; rounding is carried from class to class, so that
    the parts have the sizes asked for, and a class with one row goes to training.
    """
    for option, fraction, use in (
        ("--validation-fraction", validation_fraction, "these rows decide when training stops"),
        ("--test-fraction", test_fraction, "these rows show how good the model is on new ones"),
    ):
        if not 0 < fraction < 1:
            hint = f"; {use}: give a small share, as 0.05" if fraction == 0 else ""
            raise OptionError(f"{option}: must be between 0 and 1, not {fraction:g}{hint}")
    if validation_fraction + test_fraction >= 0.9:
        raise OptionError(
            f"--validation-fraction and --test-fraction: {validation_fraction:g} and {test_fraction:g} leave "
            "too little to train on (together they must stay under 0.9)"
        )
    if rows < FEWEST_ROWS:
        raise DataError(
            f"{rows} usable rows are too few to split into three; at least {FEWEST_ROWS} are needed"
        )
    generator = np.random.default_rng(seed)
    groups = (
        [np.arange(rows)]
        if labels is None
        else [np.flatnonzero(labels == label) for label in np.unique(labels)]
    )
    parts: tuple[list[Rows], list[Rows], list[Rows]] = ([], [], [])
    owed_test = owed_validation = 0.0
    for group in groups:
        shuffled = generator.permutation(group)
        test, owed_test = _share(len(group), test_fraction, owed_test)
        validation, owed_validation = _share(len(group), validation_fraction, owed_validation)
        while test + validation >= len(group):  # a training row for every class
            if test >= validation:
                test -= 1
            else:
                validation -= 1
        parts[0].append(shuffled[test + validation :])
        parts[1].append(shuffled[test : test + validation])
        parts[2].append(shuffled[:test])
    training, validation_rows, test_rows = (np.sort(np.concatenate(part)) for part in parts)
    if not len(validation_rows) or not len(test_rows):
        raise DataError(
            f"{rows} rows are too few to split so finely; raise --validation-fraction or --test-fraction"
        )
    return Split(training, validation_rows, test_rows)


def _share(count: int, fraction: float, owed: float) -> tuple[int, float]:
    wanted = count * fraction + owed
    taken = max(0, min(count, int(np.floor(wanted + 0.5))))
    return taken, wanted - taken
