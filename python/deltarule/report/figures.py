"""The figures of a table of results, in float64 and apart from the engine."""

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Figures = dict[str, float]


def softmax(logits: npt.NDArray[Any]) -> Floats:
    """Return each row's probabilities."""
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)


def classification_figures(labels: npt.NDArray[Any], probabilities: Floats) -> Figures:
    """Accuracy, balanced accuracy, top-2 or the area under the ROC curve, and the log loss."""
    rows = np.arange(len(labels))
    own = probabilities[rows, labels]
    predicted = probabilities.argmax(axis=1)
    recalls = [float((predicted[labels == label] == label).mean()) for label in np.unique(labels)]
    figures = {"accuracy": float((predicted == labels).mean()), "balanced accuracy": float(np.mean(recalls))}
    if probabilities.shape[1] > 2:
        better = (probabilities > own[:, None]).sum(axis=1)
        figures["top-2 accuracy"] = float((better < 2).mean())
    elif len(recalls) == 2:
        figures["area under ROC"] = area_under_roc(labels == 1, probabilities[:, 1])
    figures["log loss"] = float(-np.log(np.maximum(own, 1e-15)).mean())
    return figures


def regression_figures(truth: Floats, predicted: Floats) -> Figures:
    """R², mean absolute error and root mean square error, in the target's unit."""
    error = predicted - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    return {
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
        "mean absolute error": float(np.abs(error).mean()),
        "root mean square error": float(np.sqrt((error**2).mean())),
    }


def area_under_roc(positive: npt.NDArray[np.bool_], score: Floats) -> float:
    """Return the chance that a positive row scores above a negative one, ties counting half."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def confusion(labels: npt.NDArray[Any], predicted: npt.NDArray[Any], classes: int) -> npt.NDArray[np.intp]:
    """Count rows by true class (first index) and predicted class."""
    return np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def json_values(value: Any) -> Any:
    """Return the same with None for NaN and infinity, which JSON has no words for."""
    if isinstance(value, dict):
        return {key: json_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_values(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def show(value: float | None) -> str:
    """Write a figure with the digits that matter; one that there is not, None or NaN, is a dash."""
    if value is None or not np.isfinite(value):
        return "-"
    if value != 0 and (abs(value) >= 1000 or abs(value) < 0.001):
        return (
            f"{value:,.0f}"
            if abs(value) >= 10000
            else f"{value:,.1f}"
            if abs(value) >= 1000
            else f"{value:.2e}"
        )
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
