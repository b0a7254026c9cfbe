"""Lists of configurations: products of settings, folds of a cross-validation."""

from collections.abc import Iterable
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from deltarule import _check
from deltarule._types import Array, ArrayLike


class Fold(NamedTuple):
    """Rows to train on and rows to validate on, as numbers of rows. Any such pair is as good a fold."""

    rows: Array
    validation_rows: Array
    number: int

    def __repr__(self) -> str:
        return f"Fold({self.number}: {len(self.rows)} rows, {len(self.validation_rows)} held out)"


def grid(**values: Iterable[Any]) -> list[dict[str, Any]]:
    """All combinations of settings, as configurations for `fit_many`.

    Parameters
    ----------
    **values : iterable
        The values of each setting: ``grid(units=[16, 64], seed=range(3), fold=k_folds(len(X)))``. What all
        configurations have in common is given to `fit_many` itself.

    Returns
    -------
    list of dict
        The last setting changes fastest. A random search is ``random.sample(grid(...), 50)``.
    """
    columns = []
    for name, given in values.items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise TypeError(
                f"grid: {name} is {given!r}; allowed: a list of values "
                "(what all configurations have in common is given to fit_many)"
            )
        columns.append(list(given))
        if not columns[-1]:
            raise ValueError(f"grid: {name} has no values; allowed: at least one")
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*columns)]


def k_folds(
    rows: int | ArrayLike, k: int = 5, *, stratify: ArrayLike | None = None, seed: int | None = 0
) -> list[Fold]:
    """Share rows out into `k` parts; each fold validates on one part and trains on the others.

    Parameters
    ----------
    rows : int or array
        How many rows there are, or an array that has as many.
    k : int, default 5
        Number of folds, 2 or more.
    stratify : array (N,), optional
        Classes of the rows; every part gets its share of each class.
    seed : int or None, default 0
        Decides which rows go together. None leaves them as they lie, in `k` stretches.

    Returns
    -------
    list of Fold
        Pairs of row numbers in ascending order; the parts' sizes differ by one at most.
    """
    if isinstance(rows, (int, np.integer)):
        count = _check.whole(rows, "k_folds", "rows", 2)
    else:
        count = len(_check.array(rows, "k_folds", "rows"))
    k = _check.whole(k, "k_folds", "k", 2)
    if k > count:
        raise _check.not_allowed("k_folds", "k", k, f"at most the {count} rows")
    order = np.arange(count)
    if seed is not None:
        order = np.random.default_rng(_check.whole(seed, "k_folds", "seed", 0, "None")).permutation(count)
    if stratify is None:
        part = np.empty(count, np.intp)
        part[order] = np.arange(count) * k // count
    else:
        classes = np.asarray(stratify)
        if classes.shape != (count,):
            raise ValueError(f"k_folds: stratify has shape {classes.shape}; allowed: ({count},)")
        # Class by class, dealt like cards, so that neither a class nor a part comes out uneven.
        by_class = order[np.argsort(classes[order], kind="stable")]
        part = np.empty(count, np.intp)
        part[by_class] = np.arange(count) % k
    return [Fold(np.flatnonzero(part != i), np.flatnonzero(part == i), i) for i in range(k)]
