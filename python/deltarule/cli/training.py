"""Trains the network that a recipe describes on prepared data, and measures it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import deltarule as dr
from deltarule.data import Prepared
from deltarule.data.preparation import Part
from deltarule.data.target import ClassTarget, Target
from deltarule.report.figures import Figures, classification_figures, regression_figures, softmax

from .recipe import Recipe

PARTS = ("training", "validation", "test")


@dataclass
class Trained:
    """A trained network with everything that was measured on the way."""

    network: dr.Sequential
    recipe: Recipe
    history: dict[str, list[float]]
    best_epoch: int
    interrupted: bool
    figures: dict[str, Figures]
    truth: npt.NDArray[Any]
    predicted: npt.NDArray[Any]
    seconds_training: float
    seconds_predicting: float

    @property
    def epochs(self) -> int:
        return len(self.history["loss"])


def build(recipe: Recipe, outputs: int, seed: int) -> dr.Sequential:
    """Stack dense, normalisation, activation and dropout for each hidden size, then the output."""
    layers: list[Any] = [dr.Dropout(recipe.input_dropout)] if recipe.input_dropout else []
    for units in recipe.hidden:
        if recipe.batch_norm:
            layers += [dr.Dense(units), dr.BatchNorm(), dr.Activation(recipe.activation)]
        else:
            layers.append(dr.Dense(units, activation=recipe.activation))
        if recipe.dropout:
            layers.append(dr.Dropout(recipe.dropout))
    return dr.Sequential([*layers, dr.Dense(outputs)], seed=seed)


def compiled(network: dr.Sequential, recipe: Recipe, task: str, steps: int) -> None:
    """Choose loss, metrics and optimizer; ``steps`` is how many a run takes at most."""
    rule = dr.optimizers.Optimizer.find(recipe.optimizer)
    settings: dict[str, Any] = {"learning_rate": recipe.learning_rate}
    if "weight_decay" in rule.order:
        settings["weight_decay"] = recipe.weight_decay
    if recipe.schedule == "cosine":
        settings["schedule"] = dr.schedules.Cosine(total_steps=max(steps, 1))
    classes = task == "classification"
    loss = dr.losses.SparseSoftmaxCrossEntropy(label_smoothing=recipe.label_smoothing)
    network.compile(
        rule(**settings),
        loss=loss if classes else "mse",
        metrics=["accuracy"] if classes else ["r2"],
    )


class _Stopping(dr.EarlyStopping):
    """Goes back to the best weights even where Ctrl-C ends training."""

    def close(self) -> None:
        """Take the best weights, if there are some, however training ended."""
        if self._weights is not None:
            self.model.set_weights(self._weights)
        super().close()


def train(data: Prepared, recipe: Recipe, seed: int, callbacks: Sequence[Any] = ()) -> Trained:
    """Fit with early stopping on the validation loss; Ctrl-C ends training and keeps the best weights."""
    network = build(recipe, data.target.outputs, seed)
    batch = min(recipe.batch_size, len(data.training))
    compiled(network, recipe, data.target.task, recipe.epochs * -(-len(data.training) // batch))
    stopping = _Stopping("val_loss", patience=recipe.patience)
    started = time.perf_counter()
    interrupted = False
    try:
        network.fit(
            data.training.X,
            data.fitted(data.training),
            batch_size=batch,
            epochs=recipe.epochs,
            validation_data=(data.validation.X, data.fitted(data.validation)),
            callbacks=[stopping, *callbacks],
            verbose=0,
        )
    except KeyboardInterrupt:
        if network.history is None or not len(network.history):
            raise
        interrupted = True
    seconds = time.perf_counter() - started
    history = dict(network.history.history) if network.history is not None else {}
    parts = {name: getattr(data, name) for name in PARTS}
    figures = {
        name: {"rows": float(len(part)), **measure(network, data.target, part)}
        for name, part in parts.items()
    }
    return Trained(
        network,
        recipe,
        history,
        int(np.argmin(history["val_loss"])) + 1,
        interrupted,
        figures,
        data.test.y,
        outcome(network, data.target, data.test.X),
        seconds,
        _prediction_time(network, data.training.X),
    )


def outcome(network: dr.Sequential, target: Target, X: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """Return predicted labels, or values in the target's unit."""
    outputs = network.predict(X)
    return outputs.argmax(axis=1) if isinstance(target, ClassTarget) else target.restore(outputs)


def measure(network: dr.Sequential, target: Target, part: Part) -> Figures:
    """Return the figures of one part."""
    outputs = network.predict(part.X)
    if isinstance(target, ClassTarget):
        return classification_figures(part.y, softmax(outputs))
    return regression_figures(part.y, target.restore(outputs))


def baseline(data: Prepared) -> str:
    """Say what a model that knows nothing would reach on the test rows."""
    if isinstance(data.target, ClassTarget):
        counts = np.bincount(data.training.y, minlength=data.target.outputs)
        commonest = int(counts.argmax())
        share = float((data.test.y == commonest).mean())
        return f"For comparison: always {data.target.classes[commonest]!r} would have accuracy {share:.4f}."
    error = float(np.abs(data.test.y - data.training.y.mean()).mean())
    return f"For comparison: always the mean would have a mean absolute error of {error:.4g}."


def _prediction_time(network: dr.Sequential, X: npt.NDArray[np.float32]) -> float:
    """Return seconds per row, the best of a few passes."""
    best = np.inf
    for _ in range(5):
        started = time.perf_counter()
        network.predict(X)
        best = min(best, time.perf_counter() - started)
    return float(best) / len(X)
