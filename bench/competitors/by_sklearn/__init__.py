"""scikit-learn's MLPClassifier and MLPRegressor."""

import warnings

import sklearn
from sklearn.exceptions import ConvergenceWarning


def start(_threads: int) -> dict[str, str]:
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    return {"sklearn": sklearn.__version__}
