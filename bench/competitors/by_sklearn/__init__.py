"""scikit-learn's MLPClassifier and MLPRegressor."""

import warnings

import sklearn
from sklearn.exceptions import ConvergenceWarning

_threads = 1


def used_threads() -> int:
    """What `start` was told."""
    return _threads


def start(threads: int) -> dict[str, str]:
    global _threads  # noqa: PLW0603 - scikit-learn is asked later, with this number
    _threads = threads
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    return {"sklearn": sklearn.__version__}
