"""Many independent networks at once: cross-validation folds, seeds, hyper-parameters.

>>> import numpy as np, deltarule as dr
>>> X = np.linspace(-1, 1, 90, dtype="float32")[:, None]
>>> results = dr.fit_many(
...     X,
...     X**2,
...     dr.grid(units=[4, 16], fold=dr.k_folds(len(X), 3)),
...     build=lambda units: dr.Sequential([dr.Dense(units, "tanh"), dr.Dense(1)]),
...     optimizer=dr.Adam(0.01),
...     loss="mse",
...     epochs=20,
... )
>>> len(results), sorted(results.best().score)
(6, ['val_loss'])
"""

from ._grid import Fold, grid, k_folds
from ._results import FitResult, FitResults, Group
from ._run import fit_many

__all__ = ["FitResult", "FitResults", "Fold", "Group", "fit_many", "grid", "k_folds"]
