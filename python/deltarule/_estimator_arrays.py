"""The arrays of a network as the list that scikit-learn has: assigning changes the network."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from . import _check
from ._types import Array


class Arrays(list[Array]):
    """Views of the arrays; what is assigned to an element is written into its array.

    Parameters
    ----------
    arrays : list of ndarray
        Views.
    operation, attribute : str
        What errors call the owner and the list.
    """

    def __init__(self, arrays: list[Array], operation: str, attribute: str) -> None:
        super().__init__(arrays)
        self._operation, self._attribute = operation, attribute

    def __setitem__(self, index: Any, value: Any) -> None:
        whole = isinstance(index, slice)
        places = range(len(self))[index]
        targets = list(places) if isinstance(places, range) else [places]
        values = list(value) if whole else [value]
        if len(values) != len(targets):
            raise ValueError(
                f"{self._operation}: {self._attribute} is given {len(values)} arrays; allowed: {len(targets)}"
            )
        new = []
        for at, given in zip(targets, values, strict=True):
            # A copy, since two arrays of the list may be exchanged.
            array = np.array(_check.array(given, self._operation, f"{self._attribute}[{at}]"))
            if array.shape != self[at].shape:
                raise ValueError(
                    f"{self._operation}: {self._attribute}[{at}] has shape {array.shape}; "
                    f"allowed: {self[at].shape}"
                )
            new.append(array)
        for at, array in zip(targets, new, strict=True):
            self[at][...] = array

    def _fixed(self, *given: Any, **named: Any) -> NoReturn:  # noqa: ARG002
        raise TypeError(
            f"{self._operation}: {self._attribute} has an array per layer; allowed: to assign to its elements"
        )

    append = extend = insert = pop = remove = clear = _fixed
    reverse = sort = __delitem__ = __iadd__ = __imul__ = _fixed

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (list(self),)
