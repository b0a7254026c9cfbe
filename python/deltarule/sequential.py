"""The network: a stack of layers with training, inference and storage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _averages, _check, _compiled, _fitting, _storage
from ._families import Layer, Loss, Metric, Optimizer
from ._trained import Trained
from ._types import Array, ArrayLike
from .averaging import EMA, SWA
from .history import History

if TYPE_CHECKING:
    from pathlib import Path

    from .diagnostics import Diagnosis


class Sequential(Trained):
    """A stack of layers that is trained and used as one.

    Parameters
    ----------
    layers : iterable of Layer, default ()
        Layers in the order in which data flows through them. The input width is taken from the first data.
    seed : int or None, default 0
        Fixes initial weights, shuffling and dropout; the same seed gives the same bits for any number of
        threads.
        None draws one.
    dtype : {"float32", "float64"}, default "float32"
        Type of all arrays.
    name : str, optional
        Shown by `summary`.

    Attributes
    ----------
    history : History or None
        Figures of the latest `fit`.
    epoch : int
        Epochs trained so far, over all calls of `fit`.
    stop_training : bool
        Set by callbacks to end `fit` after the current epoch, between batches after the current batch.
    metadata : dict
        JSON values of yours, kept in the model file.

    Examples
    --------
    >>> import numpy as np, deltarule as dr
    >>> X = np.linspace(-1, 1, 64, dtype="float32")[:, None]
    >>> net = dr.Sequential([dr.Dense(16, "tanh"), dr.Dense(1)], seed=1)
    >>> net.compile("adam", loss="mse")
    >>> history = net.fit(X, X**2, epochs=50)
    >>> net.predict(X).shape
    (64, 1)
    """

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        seed: int | None = 0,
        dtype: str = "float32",
        name: str | None = None,
    ) -> None:
        self.history: History | None = None
        self.epoch = 0
        self.stop_training = False
        super().__init__(layers, seed, dtype, name)

    def compile(
        self,
        optimizer: str | Optimizer | Mapping[str, Any] = "adam",
        loss: str | Loss | Mapping[str, Any] | None = None,
        metrics: Iterable[str | Metric | Mapping[str, Any]] = (),
        *,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        parameter_groups: Iterable[Mapping[str, Any]] = (),
        decay_exclude: str | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        max_norm: float | None = None,
        mixup: float = 0.0,
        average: EMA | SWA | None = None,
        dp_clip_norm: float | None = None,
        dp_noise_multiplier: float = 0.0,
    ) -> None:
        """Settle how the network is trained. Compiling again starts with a fresh optimizer state.

        Parameters
        ----------
        optimizer : str, Optimizer or config, default "adam"
            Update rule, with its learning rate and schedule.
        loss : str, Loss or config
            What is minimised.
        metrics : iterable of str, Metric or config, default ()
            Further figures for the history; a name alone is a list of one. "accuracy" and
            "binary_accuracy" by name look at the sign of a logit.
        clip_norm : float, optional
            Largest Euclidean norm of the gradient of all parameters together.
        clip_value : float, optional
            Largest size of every single gradient.
        parameter_groups : list of dict, default ()
            Settings of the parameters whose names match (with * and ?), the last group first, such as
            ``{"match": "*.bias", "weight_decay": 0}``: learning_rate_factor, weight_decay, l1, l2, max_norm;
            ``"as_vector": True`` has `Muon` leave a matrix to AdamW. A learning_rate_factor of 0 freezes.
        decay_exclude : "bias_and_norm", optional
            Leaves biases, gains and shifts out of the optimizer's weight_decay.
        l1, l2 : float, default 0.0
            Add ``l1 * sum(|w|) + l2 * sum(w**2)`` of all weights (no biases, gains, shifts) to the loss.
        max_norm : float, optional
            Largest norm of the weights into one unit; larger ones are scaled down after each step.
        mixup : float, default 0.0
            Train on ``s * row + (1 - s) * other``, targets alike, s from Beta(mixup, mixup) by row; 0 is off.
        average : EMA or SWA, optional
            Keep an average of the weights; see `average_weights` and `use_average`.
        dp_clip_norm, dp_noise_multiplier : float, optional
            DP-SGD (Abadi et al. 2016): the largest norm of the gradient of a row, and noise on their mean of
            deviation ``dp_noise_multiplier * dp_clip_norm / rows``. See docs/privacy.md.

        Raises
        ------
        ValueError, TypeError
            An argument is unknown or out of range.

        Warns
        -----
        UserWarning
            The last layer is a softmax or sigmoid and the loss applies it again.
        """
        control = {
            "clip_norm": clip_norm, "clip_value": clip_value, "parameter_groups": parameter_groups,
            "decay_exclude": decay_exclude, "l1": l1, "l2": l2, "max_norm": max_norm, "mixup": mixup,
            "average": average, "dp_clip_norm": dp_clip_norm, "dp_noise_multiplier": dp_noise_multiplier,
        }  # fmt: skip
        compiled = _compiled.check(optimizer, loss, metrics, control)
        _compiled.warn_about_logits(self._layers, compiled.loss)
        self._compiled, self._trainer = compiled, None

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        batch_size: int | str | None = "auto",
        epochs: int = 1,
        validation_data: tuple[ArrayLike, ...] | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        class_weight: Mapping[int, float] | str | None = None,
        shuffle: bool = True,
        callbacks: Iterable[Any] = (),
        verbose: int | str = "auto",
        initial_epoch: int | None = None,
    ) -> History:
        """Train the network. Calling it again goes on where training ended.

        Parameters
        ----------
        X : array (N, columns)
            Inputs. C-contiguous arrays of the network's dtype are used without a copy.
        y : array (N, outputs), or (N,)
            Targets; integer classes for a loss that takes labels.
        batch_size : int, None or "auto", default "auto"
            Rows per step; None takes all rows at once. "auto" is 32, or all rows for `LBFGS`.
        epochs : int, default 1
            Passes over the data, 0 for none; with `initial_epoch`, the number of the last one.
        validation_data : (X, y) or (X, y, sample_weight), optional
            Data evaluated after every epoch.
        validation_split : float, default 0.0
            Share of the rows, the last ones before shuffling, that is set aside as validation data.
        sample_weight : array (N,), optional
            Weights >= 0 of the rows in the loss.
        class_weight : dict of {class: weight} or "balanced", optional
            Further factor on the weights; classes that are not named have 1. "balanced" gives every class the
            same total weight. A row with a soft target has the mean of the weights by its shares of classes.
        shuffle : bool, default True
            Draw a new order of the rows in every epoch; it depends only on the seed and the epoch's number.
        callbacks : iterable of Callback, default ()
            Called between epochs.
        verbose : {"auto", 0, 1, 2}, default "auto"
            0 shows nothing, 1 a progress bar, 2 a line per epoch; "auto" is 1 on a terminal or in a notebook.
        initial_epoch : int, optional
            Number of the first epoch; by default training goes on counting.

        Returns
        -------
        History
            Also kept as the attribute `history`, even if training is interrupted.

        Raises
        ------
        RuntimeError
            The network is not compiled, or is being trained already.
        ValueError, TypeError
            An argument does not fit; the message says which, and nothing has changed.
        NonFiniteError
            The loss or a weight became NaN or infinite; the weights are those of the last finite step.
        KeyboardInterrupt
            On Ctrl-C; the network stays usable.
        """
        plan = _fitting.plan(
            self,
            X,
            y,
            batch_size=batch_size,
            epochs=epochs,
            validation_data=validation_data,
            validation_split=validation_split,
            sample_weight=sample_weight,
            class_weight=class_weight,
            shuffle=shuffle,
            callbacks=callbacks,
            verbose=verbose,
            initial_epoch=initial_epoch,
        )
        return _fitting.run(self, plan)

    def train_on_batch(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Do one optimizer step on one batch.

        Parameters
        ----------
        X, y, sample_weight : array
            As for `fit`.

        Returns
        -------
        dict of float
            Loss and metrics of the batch before the step.

        Raises
        ------
        RuntimeError
            The network is not compiled, or has a `Standardize` layer that has not learned from data: `adapt`.
        """
        operation = "Sequential.train_on_batch"
        data, network = self._data(X, y, sample_weight, operation)
        self._require_adapted(operation)
        with self._alone(operation, in_callbacks=True):
            trainer = self._ready(network)
            self._announce_rates(trainer, 1)
            return trainer.train_on_batch(data.X, data.y, data.weight)

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None
    ) -> dict[str, float]:
        """Loss and metrics in inference mode, as `predict` computes outputs.

        Parameters
        ----------
        X, y, sample_weight : array
            As for `fit`.

        Returns
        -------
        dict of float
        """
        data, network = self._data(X, y, sample_weight, "Sequential.evaluate")
        return self._ready(network).evaluate(data.X, data.y, data.weight, 0)

    def predict_proba(self, X: ArrayLike) -> Array:
        """Probabilities of the classes: `predict`, passed through what the loss applies to logits.

        A loss that takes probabilities leaves the outputs as they are.

        Returns
        -------
        ndarray (N, outputs)
            Rows that add up to one for a softmax loss, independent probabilities for a sigmoid loss.

        Raises
        ------
        ValueError
            The loss is one of margins, such as "hinge", which make no probabilities.
        """
        from . import kernels

        loss = self._require_compiled("Sequential.predict_proba").loss
        squashing = loss.squashing
        if squashing is None and loss.entry["from_logits"]:
            raise ValueError(
                f"Sequential.predict_proba: the loss {loss.entry['name']!r} is of margins, which make no "
                "probabilities; use predict for margins, predict_classes for classes, or train with one of "
                f"the losses that make them: {', '.join(Loss.that_squash())}"
            )
        y = self.predict(X)
        result: Array = y if squashing is None else getattr(kernels, squashing)(y, out=y)
        return result

    def predict_classes(self, X: ArrayLike) -> Array:
        """Class of the largest output in every row; for a single output 1 where it is on that class's side.

        That is over 0 where the loss takes logits or margins, else over 0.5.

        Returns
        -------
        ndarray of int32 (N,)
        """
        loss = self._require_compiled("Sequential.predict_classes").loss
        y = self.predict(X)
        if y.shape[1] == 1:
            return np.asarray(y[:, 0] > (0.0 if loss.entry["from_logits"] else 0.5), dtype=np.int32)
        return np.asarray(y.argmax(axis=1), dtype=np.int32)

    def average_weights(self) -> dict[str, Array]:
        """Averaged weights (`compile(average=...)`) as from `get_weights`; statistics are not averaged."""
        return _averages.averaged(self)

    def use_average(self) -> AbstractContextManager[None]:
        """Put the averaged weights into the network for a ``with`` block, and the own ones back after it."""
        return _averages.swapped(self)

    def explain_plan(self, batch_size: int = 32) -> str:
        """How a training step with this batch size runs: stages, tiles, workspace, threads."""
        rows = _check.whole(batch_size, "Sequential.explain_plan", "batch_size")
        return self._ready(self._require_built("Sequential.explain_plan")).explain_plan(rows)

    def diagnose(self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike | None = None) -> Diagnosis:
        """Look for the common reasons why a network does not learn; see `deltarule.diagnostics.diagnose`."""
        from .diagnostics import diagnose

        return diagnose(self, X, y, sample_weight=sample_weight)

    def save(self, path: str | Path) -> None:
        """Write a safetensors file: architecture, weights and, if compiled, all that training needs to go on.

        The file appears complete or not at all. `deltarule.load` and the C++ library read it.
        """
        _storage.save(self, path)

    def copy(self) -> Sequential:
        """Independent copy with the same weights, compile settings and optimizer state."""
        return _storage.copy(self)

    def __copy__(self) -> Sequential:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Sequential:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return _storage.pickled(self)


def load(path: str | Path) -> Sequential:
    """Read a network that `Sequential.save` or the C++ library wrote.

    Parameters
    ----------
    path : str or path
        A safetensors file.

    Returns
    -------
    Sequential
        With weights, compile settings, optimizer state, step and epoch counters as they were.

    Raises
    ------
    FormatError
        The file is damaged, or not a deltarule model, or from a later version.
    OSError
        The file cannot be read.
    """
    return _storage.load(Sequential, path)
