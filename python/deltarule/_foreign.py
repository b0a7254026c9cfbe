"""Names that other libraries have for things of ours: for the texts of errors only."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_NAMES: dict[str, dict[str, str]] = {
    "loss": {
        "sparse_categorical_crossentropy": "sparse_softmax_cross_entropy",
        "categorical_crossentropy": "softmax_cross_entropy",
        "binary_crossentropy": "binary_cross_entropy",
        "crossentropyloss": "sparse_softmax_cross_entropy",
        "bcewithlogitsloss": "sigmoid_cross_entropy",
        "bceloss": "binary_cross_entropy",
        "mseloss": "mse",
        "l1loss": "mae",
    },
    "metric": {
        "binary_accuracy": "accuracy",
        "categorical_accuracy": "accuracy",
        "sparse_categorical_accuracy": "accuracy",
    },
    "argument": {
        "kernel_initializer": "initializer",
        "weight_initializer": "initializer",
        "lr": "learning_rate",
        "out_features": "units",
    },
}
_NOTES = {
    ("metric", "auc"): "; there is no area under curves: scikit-learn has roc_auc_score(y, net.predict(X))",
    ("argument", "trainable"): "; to freeze a layer, " + (
        FREEZE := 'compile(..., parameter_groups=[{"match": "dense_1.*", "learning_rate_factor": 0}])'
    ),
}  # fmt: skip
_REMARKS = {"sigmoid_cross_entropy": " It adds the outputs up, where others take their mean."}
_FAMILIES = {
    "activation": "an activation",
    "row_op": "an activation",
    "initializer": "an initializer",
    "layer": "a layer",
    "loss": "a loss",
    "metric": "a metric",
    "optimizer": "an optimizer",
    "schedule": "a learning-rate schedule",
}
_LAYERS = {"Linear": "Dense"}  # classes of ours whose names are those of layers elsewhere


def hint(family: str, name: str) -> str:
    """What to say after an unknown name; empty where nothing is known about it."""
    name = name.lower()
    if ours := _NAMES.get(family, {}).get(name):
        return f", did you mean {ours!r}?" + _REMARKS.get(ours, "")
    return _NOTES.get((family, name), "")


def mistaken(value: Any, wanted: str) -> str:
    """What to say where an object or class of another family than `wanted` is given; empty for others."""
    given = value if isinstance(value, type) else type(value)
    family = getattr(given, "family", None)
    if family not in _FAMILIES or family == wanted:
        return ""
    said = f"; {given.__name__} is {_FAMILIES[family]}"
    if wanted != "layer":
        return said
    if layer := _LAYERS.get(given.__name__):
        return f"{said}, did you mean {layer}?"
    return said + f", write Activation({given.__name__}())" * (family in ("activation", "row_op"))


def unknown_argument(owner: str, name: str, known: Iterable[str]) -> TypeError:
    """The error for an argument that does not exist: the nearest one, and all there are."""
    known = list(known)
    guess = hint("argument", name)
    if guess.startswith(",") and not any(f"'{one}'" in guess for one in known):
        guess = ""
    if not guess and (close := get_close_matches(name, known, 1)):
        guess = f", did you mean {close[0]!r}?"
    return TypeError(
        f"{owner}: unknown parameter {name!r}{guess}{';' * (not guess.endswith('?'))} "
        f"known: {', '.join(map(repr, known)) or 'none'}"
    )
