"""Functions on arrays made from the catalogue: activations, losses, update rules."""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any

import numpy as np

from . import _arrays, _check
from ._families import Metric
from ._from_catalog import describe, keywords, notes, section
from ._native import core
from ._types import Array, ArrayLike, Entry

_POSITIONAL, _KEYWORD = Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY
_OUT = Parameter("out", _KEYWORD, default=None, annotation=np.ndarray | None)
_OUT_DOC = ["out : ndarray, optional", "    C-contiguous array for the result."]


def activation(family: str, index: int, entry: Entry) -> Callable[..., Any]:
    """Make ``f(x, *, ..., out=None) -> y``."""
    name, by_rows = entry["name"], family == "row_op"
    run = core.row_op_forward if by_rows else core.activation_forward
    parts = core.row_op_inputs_per_output(index) if by_rows else 1

    def kernel(x: ArrayLike, *, out: Array | None = None, **settings: Any) -> Array:
        if not by_rows and (done := core.ready_forward(index, settings, x, out)) is not None:
            return done
        x = _arrays.real(x, name, "x")
        y = _arrays.output(out, _arrays.split_shape(x.shape, parts, name, "x"), x.dtype, name)
        run(index, settings, *((_arrays.rows(x), _arrays.rows(y)) if by_rows else (x, y)))
        return y

    parameters = [_array("x"), *keywords(entry), _OUT]
    lines = [
        "x : array",
        "    float32 or float64 array of any shape; other numbers become float64.",
        *describe(entry),
    ]
    shape = "of the shape and dtype of x" if parts == 1 else "with half the last axis, of the dtype of x"
    returns = ["ndarray", f"    y = f(x), {shape}."]
    return _finish(kernel, name, entry["summary"], entry, parameters, np.ndarray, lines + _OUT_DOC, returns)


def activation_backward(family: str, index: int, entry: Entry) -> Callable[..., Any]:
    """Make ``f_backward(x, y, dy, *, ..., out=None) -> dx``."""
    name, by_rows, reads = entry["name"] + "_backward", family == "row_op", entry["reads"]
    run = core.row_op_backward if by_rows else core.activation_backward
    parts = core.row_op_inputs_per_output(index) if by_rows else 1
    needed = {"x": reads in ("input", "both"), "y": reads in ("output", "both")}

    def kernel(
        x: ArrayLike | None, y: ArrayLike | None, dy: ArrayLike, *, out: Array | None = None, **settings: Any
    ) -> Array:
        if not by_rows and (done := core.ready_backward(index, settings, x, y, dy, out)) is not None:
            return done
        dy = _arrays.real(dy, name, "dy")
        arrays = []
        wide = (*dy.shape[:-1], dy.shape[-1] * parts) if dy.ndim else dy.shape
        for argument, value, shape in (("x", x, wide), ("y", y, dy.shape)):
            if not needed[argument]:
                arrays.append(dy)
            elif value is None:
                raise TypeError(f"{name}: {argument} is None, but the derivative is computed from it")
            else:
                arrays.append(_arrays.real(value, name, argument, dy.dtype))
                _arrays.same_shape(arrays[-1], shape, name, argument)
        dx = _arrays.output(out, wide, dy.dtype, name)
        arrays += [dy, dx]
        run(index, settings, *(map(_arrays.rows, arrays) if by_rows else arrays))
        return dx

    parameters = [_array("x"), _array("y"), _array("dy"), *keywords(entry), _OUT]
    lines = []
    for argument, meaning in (("x", "Input of the forward pass"), ("y", "Its output")):
        unread = "" if needed[argument] else "; not read, so None will do"
        lines += [f"{argument} : array or None", f"    {meaning}{unread}."]
    lines += ["dy : array", "    Gradient of y.", *describe(entry), *_OUT_DOC]
    shape = "of the shape and dtype of dy" if parts == 1 else "with twice the last axis of dy, of its dtype"
    returns = ["ndarray", f"    Gradient of x, {shape}."]
    summary = f"Derivative of `{entry['name']}` times the incoming gradient."
    return _finish(kernel, name, summary, entry, parameters, np.ndarray, lines, returns)


def loss(index: int, entry: Entry) -> Callable[..., Any]:
    """Make ``f(prediction, target, sample_weight=None, reduction="mean", *, ...) -> (loss, gradient)``."""
    name = entry["name"]
    defaults = {p["name"]: p["default"] for p in entry["parameters"]}

    def kernel(
        prediction: ArrayLike,
        target: ArrayLike,
        sample_weight: ArrayLike | None = None,
        reduction: str = "mean",
        *,
        out: Array | None = None,
        **settings: Any,
    ) -> tuple[Any, Array]:
        prediction = _arrays.matrix(_arrays.real(prediction, name, "prediction"), name, "prediction")
        gradient = _arrays.output(out, prediction.shape, prediction.dtype, name)
        kind = entry["target"]
        ignored = settings.get("ignore_index", defaults.get("ignore_index"))
        goal = target_for(
            kind,
            target,
            prediction,
            name,
            kind == "label_or_distribution",
            ignored,
            entry["outputs_per_target"],
        )
        weight = weight_for(sample_weight, prediction, name)
        if reduction not in ("mean", "sum", "none"):
            raise ValueError(
                f"{name}: reduction = {reduction!r} is not allowed; allowed: 'mean', 'sum' or 'none'"
            )
        return core.loss(index, settings, prediction, goal, weight, reduction, gradient), gradient

    labels = {
        "values": "(N, J) values.",
        "label": "(N,) integer classes from 0 to J - 1.",
        "label_or_distribution": "(N, J) one-hot or soft targets, or (N,) integer classes.",
    }
    lines = [
        "prediction : array",
        "    (N, J) outputs" + (" before the squashing function (logits)." if entry["from_logits"] else "."),
        "target : array",
        "    " + ("(N, J / 2) values." if entry["outputs_per_target"] == 2 else labels[entry["target"]]),
        "sample_weight : array, optional",
        "    (N,) weights w >= 0 of the rows.",
        "reduction : 'mean', 'sum' or 'none', default 'mean'",
        "    'mean' divides by the sum of the weights, 'none' gives one loss per row.",
        *describe(entry),
        "out : ndarray, optional",
        "    C-contiguous array for the gradient.",
    ]
    parameters = [
        _array("prediction"),
        _array("target"),
        Parameter("sample_weight", _POSITIONAL, default=None),
        Parameter("reduction", _POSITIONAL, default="mean", annotation=str),
        *keywords(entry),
        _OUT,
    ]
    returns = [
        "loss : float, or ndarray (N,)",
        "gradient : ndarray (N, J)",
        "    Gradient of the (reduced) loss.",
    ]
    return _finish(kernel, name, entry["summary"], entry, parameters, tuple[Any, np.ndarray], lines, returns)


def update(index: int, entry: Entry) -> Callable[..., Any]:
    """Make ``f_update(w, g, state, ..., *, step, ...) -> None``, in place."""
    name, states = entry["name"] + "_update", entry["states"]
    rate = next(p["default"] for p in entry["parameters"] if p["name"] == "learning_rate")
    fewest = core.states_used(index, {})

    def kernel(w: Array, g: ArrayLike, *given: Array | None, step: int, **settings: Any) -> None:
        for argument in states:
            if argument in settings:
                given = (*given, settings.pop(argument))
        _arrays.in_place(w, name, "w")
        g = _arrays.real(g, name, "g", w.dtype)
        _arrays.same_shape(g, w.shape, name, "g")
        arrays = [a for a in given if a is not None]
        used = core.states_used(index, settings)
        if len(arrays) != used:
            names = ", ".join(states[:used]) or "none"
            raise TypeError(
                f"{name}: {len(arrays)} state arrays were given; these parameters need {used}: {names}"
            )
        for argument, array in zip(states, arrays, strict=False):
            _arrays.in_place(array, name, argument, w.shape, w.dtype)
        core.update(
            index,
            settings,
            w,
            g,
            arrays,
            _check.whole(step, name, "step"),
            settings.get("learning_rate", rate),
        )

    parameters = [_array("w", np.ndarray), _array("g")]
    lines = ["w : ndarray", "    Weights, changed in place.", "g : array", "    Gradient, of the shape of w."]
    for position, state in enumerate(states):
        default = Parameter.empty if position < fewest else None
        kind = np.ndarray if position < fewest else np.ndarray | None
        parameters.append(Parameter(state, _POSITIONAL, default=default, annotation=kind))
        needed = "" if position < fewest else ", optional"
        lines += [
            f"{state} : ndarray{needed}",
            "    State of the shape of w, zero at first, changed in place.",
        ]
    parameters += [Parameter("step", _KEYWORD, annotation=int), *keywords(entry)]
    lines += ["step : int", "    Number of this step, 1 for the first.", *describe(entry)]
    returns = ["None", "    The arrays are changed in place."]
    return _finish(kernel, name, entry["summary"], entry, parameters, None, lines, returns)


def metric(
    measure: Metric, prediction: ArrayLike, target: ArrayLike, sample_weight: ArrayLike | None
) -> float:
    """Evaluate a metric on predictions of shape (N, outputs)."""
    name = measure.entry["name"]
    index = core.find("metric", name)
    prediction = _arrays.real(prediction, name, "prediction")
    prediction = _arrays.matrix(
        prediction[:, None] if prediction.ndim == 1 else prediction, name, "prediction"
    )
    goal = target_for(measure.entry["target"], target, prediction, name, one_hot=False)
    weight = weight_for(sample_weight, prediction, name)
    return core.metric(index, measure._settings, prediction, goal, weight)


def target_for(
    kind: str,
    target: ArrayLike,
    prediction: Array,
    operation: str,
    one_hot: bool,
    ignored: int | None = None,
    outputs_per_target: int = 1,
) -> Array:
    """Targets as the core takes them: int32 labels, or values of the prediction's shape.

    The label `ignored` need not be a class.
    """
    array = np.asarray(target)
    n, outputs = prediction.shape
    are_labels = array.dtype.kind in "iu" and array.shape == (n,)
    if kind != "values" and are_labels and (outputs > 1 or kind == "label"):
        _in_range(array, outputs, operation, ignored)
        labels = np.asarray(array, dtype=np.int32, order="C")
        return _arrays.one_hot(labels, outputs, prediction.dtype) if one_hot else labels
    if kind == "label":
        raise TypeError(
            f"{operation}: target has dtype {array.dtype} and shape {array.shape}; "
            f"allowed: integer labels of shape ({n},)"
        )
    goal = _arrays.real(array, operation, "target", prediction.dtype)
    if outputs % outputs_per_target:
        raise ValueError(
            f"{operation}: prediction has shape {prediction.shape}; allowed: an even number of columns"
        )
    columns = outputs // outputs_per_target
    if goal.shape == (n,) and columns == 1:
        goal = goal[:, None]
    _arrays.same_shape(goal, (n, columns), operation, "target")
    return goal


def weight_for(weight: ArrayLike | None, prediction: Array, operation: str) -> Array | None:
    """Row weights of the prediction's dtype, or None."""
    if weight is None:
        return None
    array = _arrays.real(weight, operation, "sample_weight", prediction.dtype)
    _arrays.same_shape(array, prediction.shape[:1], operation, "sample_weight")
    return array


def _in_range(labels: Array, classes: int, operation: str, ignored: int | None) -> None:
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = ((labels < 0) | (labels >= classes)) & (True if ignored is None else labels != ignored)
        if not wrong.any():
            return
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{operation}: target[{row}] = {labels[row]} is not a class; allowed: 0 to {classes - 1}"
        )


def _array(name: str, kind: Any = Parameter.empty) -> Parameter:
    return Parameter(name, _POSITIONAL, annotation=kind)


def _finish(
    kernel: Callable[..., Any],
    name: str,
    summary: str,
    entry: Entry,
    parameters: list[Parameter],
    result: Any,
    lines: list[str],
    returns: list[str],
) -> Callable[..., Any]:
    kernel.__name__ = kernel.__qualname__ = name
    kernel.__module__ = "deltarule.kernels"
    text = [summary, *section("Parameters", lines), *section("Returns", returns), *notes(entry)]
    kernel.__doc__ = "\n".join(text) + "\n"
    kernel.__signature__ = Signature(parameters, return_annotation=result)  # type: ignore[attr-defined]
    return kernel
