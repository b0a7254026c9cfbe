"""How the scikit-learn estimators train: scikit-learn's stopping rule around `Sequential.fit`."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from . import _estimator_network as networks
from ._estimator_data import Rows
from ._types import Array
from .callbacks import Callback, Logs

if TYPE_CHECKING:
    from ._estimator import Estimator


def fit(estimator: Estimator, rows: Rows) -> str:
    """Train until the stopping rule holds; returns what ended training before that, or nothing."""
    e, validation = estimator, None
    if e.early_stopping and not networks.named(e, "lbfgs"):
        rows, validation = _set_aside(e, rows)
    if not networks.whole(e) and e.batch_size != "auto" and e.batch_size > len(rows.X):
        warnings.warn(
            f"{type(e).__name__}: batch_size = {e.batch_size}, but there are {len(rows.X)} rows, "
            "which are one batch now",
            UserWarning,
            stacklevel=3,
        )
    networks.compile_for(e, e.network_, rows)
    watch = _Watch(e, rows, validation)
    _train(e, rows, e.max_iter, watch)
    if networks.named(e, "lbfgs"):
        after = e.network_.evaluate(rows.X, rows.goal, sample_weight=rows.weight)["loss"]
        e.loss_ = watch.measured(after, squares(e.coefs_))
    return watch.unfinished


def one_epoch(estimator: Estimator, rows: Rows) -> None:
    """Train for one epoch, as `partial_fit` does."""
    networks.compile_again(estimator, estimator.network_, rows)
    _train(estimator, rows, 1, _Watch(estimator, rows, None))


def _train(e: Estimator, rows: Rows, epochs: int, watch: _Watch) -> None:
    network = e.network_
    try:
        history = network.fit(
            rows.X,
            rows.goal,
            batch_size=networks.batch(e, len(rows.X)),
            epochs=epochs,
            sample_weight=rows.weight,
            shuffle=bool(e.shuffle),
            callbacks=[watch],
            verbose=0,
        )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", UserWarning, stacklevel=4)
    else:
        if not (watch.stopped or history.stop_reason):
            watch.unfinished = f"max_iter = {epochs} epochs are over"
    if watch.validation is not None and e._best_weights is not None:
        network.set_weights(e._best_weights)


def _set_aside(e: Estimator, rows: Rows) -> tuple[Rows, Rows]:
    from sklearn.model_selection import train_test_split

    one = hasattr(e, "classes_") and e.n_outputs_ == 1
    kept, aside = train_test_split(
        np.arange(len(rows.X)),
        test_size=e.validation_fraction,
        random_state=e.network_.seed,
        stratify=rows.goal if one else None,
    )
    if len(aside) < 2:
        raise ValueError(
            f"{type(e).__name__}: validation_fraction = {e.validation_fraction} of {len(rows.X)} rows is "
            "less than two rows; allowed: a larger part, more rows, or early_stopping=False"
        )
    return rows.picked(kept), rows.picked(aside)


def squares(weights: Iterable[Array]) -> float:
    """Sum of the squared weights."""
    # Row by row in the type of the arrays, then in float64; a BLAS would bring threads of its own.
    return float(sum(np.einsum("ij,ij->i", w, w).sum(dtype=float) for w in weights))


class _Watch(Callback):
    """scikit-learn's bookkeeping: loss curve, best score, rate, when to stop."""

    def __init__(self, estimator: Estimator, rows: Rows, validation: Rows | None) -> None:
        e = self.estimator = estimator
        self.validation = validation
        self.stopped, self.unfinished = False, ""
        self._rows, self._epochs = len(rows.X), 0
        batch = networks.batch(e, self._rows)
        self._steps = -(-self._rows // batch)
        self._decay = networks.decay(e, rows)
        # scikit-learn's mean over the batches has alpha divided by the rows of each, the last one's too.
        self._penalty = self._decay * batch * self._steps / self._rows / 2
        self._factor, self._constant = e._scikit_learn_loss(rows)
        self._share = networks.share(e, e.network_)
        self._lbfgs, self._sgd = networks.named(e, "lbfgs"), networks.named(e, "sgd")
        self._patient = validation is not None or not networks.whole(e)
        self._weights = list(e.coefs_) if self._penalty else []
        self._squares = squares(self._weights)
        e.n_iter_ = 0

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:  # noqa: ARG002
        e = self.estimator
        self._epochs += 1
        e.n_iter_ += 1
        if not self._lbfgs:
            e.t_ += self._rows
        e.loss_ = self.measured(logs["loss"], self._mean_squares())
        e.loss_curve_.append(e.loss_)
        if e.verbose:
            print(f"Iteration {e.n_iter_}, loss = {e.loss_:.8f}")
        improved = self._by_score() if self.validation is not None else self._by_loss()
        e._no_improvement_count = 0 if improved else e._no_improvement_count + 1
        if self._sgd and e.learning_rate == "invscaling":
            self._set_rate(e.learning_rate_init / (e.t_ + 1) ** e.power_t)
        if e._no_improvement_count > e.n_iter_no_change and self._patient:
            self._give_up(adaptive=self._sgd and e.learning_rate == "adaptive")
        elif self._lbfgs and self._epochs + 1 >= e.max_fun:
            self.unfinished = f"max_fun = {e.max_fun} evaluations are over"
            self.stopped = self.model.stop_training = True

    def measured(self, loss: float, squares: float) -> float:
        """scikit-learn's loss out of the network's, at weights with this sum of squares."""
        if self._lbfgs:  # whose loss has the penalty in it
            loss -= self._decay * self._share / 2 * squares
        return loss * self._factor + self._constant + self._penalty * squares

    def _mean_squares(self) -> float:
        """Mean of the sums before each step: the line through both ends of the epoch."""
        before, self._squares = self._squares, squares(self._weights)
        return before + (self._steps - 1) / (2 * self._steps) * (self._squares - before)

    def _by_loss(self) -> bool:
        e = self.estimator
        best = np.inf if e.best_loss_ is None else e.best_loss_
        e.best_loss_ = min(best, e.loss_)
        return bool(e.loss_ <= best - e.tol)

    def _by_score(self) -> bool:
        e = self.estimator
        assert self.validation is not None
        assert e.validation_scores_ is not None
        score = self._score(self.validation)
        e.validation_scores_.append(score)
        if e.verbose:
            print(f"Validation score: {score:f}")
        best = -np.inf if e.best_validation_score_ is None else e.best_validation_score_
        if score > best:
            e.best_validation_score_, e._best_weights = score, self.model.get_weights()
        return score >= best + e.tol

    def _give_up(self, adaptive: bool) -> None:
        e = self.estimator
        watched = "Training loss" if self.validation is None else "Validation score"
        why = (
            f"{watched} did not improve more than tol={e.tol:f} for {e.n_iter_no_change} consecutive epochs."
        )
        if adaptive and self._rate() > 1e-6:
            self._set_rate(self._rate() / 5)
            e._no_improvement_count = 0
            if e.verbose:
                print(f"{why} Setting learning rate to {self._rate():f}")
            return
        if e.verbose:
            print(f"{why} {'Learning rate too small. ' if adaptive else ''}Stopping.")
        self.stopped = self.model.stop_training = True

    def _rate(self) -> float:
        return self.model.learning_rate * self._share

    def _set_rate(self, rate: float) -> None:
        self.model.learning_rate = rate / self._share

    def _score(self, rows: Rows) -> float:
        from sklearn.metrics import accuracy_score, r2_score

        score = accuracy_score if hasattr(self.estimator, "classes_") else r2_score
        found = self.estimator._values(self.model.predict(rows.X))
        return float(score(rows.goal, found, sample_weight=rows.weight))
