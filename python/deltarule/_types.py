"""Names for the types that recur in annotations."""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
ArrayLike: TypeAlias = Any  # whatever numpy.asarray takes: lists, pandas objects, arrays of any dtype
Config: TypeAlias = dict[str, Any]
Entry: TypeAlias = dict[str, Any]  # one declaration of the catalogue, as ``_core.catalog()`` gives it
