"""Trains the networks: those whose training needs no Python altogether in the core."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from deltarule import _check, _fitting
from deltarule._families import ScheduleFunction
from deltarule._native import core
from deltarule._types import ArrayLike
from deltarule.callbacks import Callback, EarlyStopping, Logs, ReduceLROnPlateau
from deltarule.history import History

from ._configuration import Prepared, prepare
from ._progress import Progress, from_verbose
from ._results import FitResult, FitResults
from ._shared import Shared

_OPERATION = "fit_many"


def fit_many(
    X: ArrayLike,
    y: ArrayLike,
    configurations: Iterable[Mapping[str, Any]],
    *,
    threads: int | None = None,
    verbose: int | str = "auto",
    **common: Any,
) -> FitResults:
    """Train many independent networks at once, each on one thread, on the same data.

    Every network gets the bits that it gets when it is trained alone by `Sequential.fit`, whatever the others
    do. Threads wait for nothing: who is through with one network begins the next, the dearest first. Where
    fewer networks are left than threads, each may use more than one.

    Parameters
    ----------
    X, y : array
        As for `Sequential.fit`. They are shared: folds are lists of row numbers, not copies.
    configurations : iterable of dict
        One dict of settings per network, for instance from `grid`:

        - ``build``, ``model`` or ``layers``: a function that returns a `Sequential`, a `Sequential` (a copy
          of it is trained), or a list of layers. A setting that is an argument of ``build`` goes there.
        - ``seed``, and with ``layers`` ``dtype``, as for `Sequential`;
        - ``optimizer``, ``loss``, ``metrics`` and what else `Sequential.compile` takes, unless the model is
          compiled; ``learning_rate`` in place of the optimizer's own;
        - ``epochs``, ``batch_size``, ``sample_weight``, ``class_weight``, ``callbacks`` and what else
          `Sequential.fit` takes. Callbacks are copied (`copy.deepcopy`) for every network.
        - ``rows``, ``validation_rows``: numbers of the rows to train on (default: all) and to hold out, a
          mask or a slice; or ``fold``, a pair of both, as from `k_folds` or scikit-learn's splitters. Weights
          of held-out rows count in their figures, as with ``validation_split``.
    threads : int, optional
        How many networks are trained at a time; by default as many as there are threads to use.
    verbose : {"auto", 0, 1, 2}, default "auto"
        0 shows nothing, 1 a progress bar over all epochs, 2 a line per network; "auto" is 1 on a terminal or
        in a notebook.
    **common
        Settings that all configurations have unless they say otherwise.

    Returns
    -------
    FitResults
        One `FitResult` per configuration, in their order.

    Raises
    ------
    ValueError, TypeError, RuntimeError
        A configuration cannot be trained; the message says which, and nothing has been trained.
    KeyboardInterrupt
        On Ctrl-C, after all threads have stopped. What there is by then is its attribute ``results``, with
        the ``status`` of each; the networks are usable.

    Warns
    -----
    UserWarning
        Training failed for some (NaN, or a callback raised); the others are not touched. See
        `FitResults.failed`.

    Notes
    -----
    `EarlyStopping` and `ReduceLROnPlateau` run in the core, like the epochs. With other callbacks, or a
    Python function as schedule, Python is called between epochs on the network's own thread.

    Examples
    --------
    >>> import numpy as np, deltarule as dr
    >>> X = np.random.default_rng(0).normal(size=(120, 4))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> results = dr.fit_many(
    ...     X,
    ...     y,
    ...     dr.grid(learning_rate=[1e-3, 1e-1], fold=dr.k_folds(len(X), 3, stratify=y)),
    ...     layers=[dr.Dense(8, "relu"), dr.Dense(2)],
    ...     loss="sparse_softmax_cross_entropy",
    ...     metrics=["accuracy"],
    ...     epochs=10,
    ... )
    >>> [group.settings for group in results.means()]
    [{'learning_rate': 0.1}, {'learning_rate': 0.001}]
    """
    count = 0 if threads is None else _check.whole(threads, _OPERATION, "threads", 1, "None")
    if isinstance(configurations, (Mapping, str)) or not isinstance(configurations, Iterable):
        raise TypeError(f"{_OPERATION}: configurations is {configurations!r}; allowed: a list of dicts")
    given = list(configurations)
    show = from_verbose(verbose, _OPERATION)
    shared = Shared(X, y)
    prepared = [prepare(i, configuration, common, shared) for i, configuration in enumerate(given)]
    results = FitResults(
        FitResult(i, dict(g), p.model, p.plan.callbacks)
        for i, (g, p) in enumerate(zip(given, prepared, strict=True))
    )
    tasks = [_task(p, r) for p, r in zip(prepared, results, strict=True)]
    progress = Progress(show, results, [p.plan.last_epoch - p.plan.first_epoch for p in prepared])

    def report(epochs: int, ended: list[tuple[int, Any]]) -> None:
        for number, outcome in ended:
            if outcome is not None:
                _take(prepared[number], results[number], outcome)
        progress.update(epochs, [results[number] for number, _ in ended])

    try:
        stopped = core.fit_many(tasks, count, report)
    finally:
        progress.close()
        for p in prepared:
            p.model._ready(p.plan.network).clear_data()
    if stopped is not None:
        _stop(stopped, results)
    _warn(results)
    return results


def _task(prepared: Prepared, result: FitResult) -> Any:
    """What the core takes: a dict of settings, or a function and its cost."""
    plan, model = prepared.plan, prepared.model
    trainer = model._ready(plan.network)
    by_type = {type(c): c for c in plan.callbacks}
    in_core = len(by_type) == len(plan.callbacks) and by_type.keys() <= {EarlyStopping, ReduceLROnPlateau}
    if not in_core or isinstance(model._require_compiled(_OPERATION).optimizer.schedule, ScheduleFunction):
        cost = float(
            plan.network.parameter_count * plan.train.row_count * (plan.last_epoch - plan.first_epoch)
        )
        return (lambda count: _run_in_python(prepared, result, count)), cost
    train = plan.train
    trainer.set_data(train.X, train.y, train.weight, plan.batch_size, plan.shuffle, train.picked)
    stopping, plateau = by_type.get(EarlyStopping), by_type.get(ReduceLROnPlateau)
    average = model._require_compiled(_OPERATION).control.average
    return {
        "trainer": trainer,
        "validation": None if plan.validation is None else tuple(plan.validation),
        "first_epoch": plan.first_epoch,
        "last_epoch": plan.last_epoch,
        "adapt": not model._is_adapted(),
        "average_at_end": average is not None and average.use_at_end,
        "early_stopping": _watched(stopping),
        "plateau": _watched(plateau),
    }


def _watched(callback: Any) -> dict[str, Any] | None:
    """A callback's rule for the core."""
    if callback is None:
        return None
    own = {"figure": callback.monitor, **callback.rule()}
    if isinstance(callback, EarlyStopping):
        own["restore_best_weights"] = callback.restore_best_weights
    return own


def _take(prepared: Prepared, result: FitResult, outcome: dict[str, Any]) -> None:
    """Note what the core did with a network, where `Sequential.fit` would."""
    plan, model = prepared.plan, prepared.model
    model.history, model._adapted = History(), True
    for epoch, logs in outcome["epochs"]:
        model.history.append(epoch, logs)
    model.history.stop_reason = outcome["stop_reason"]
    model.epoch = plan.first_epoch + len(outcome["epochs"])
    model.stop_training = outcome["stopped_epoch"] >= 0
    for callback in plan.callbacks:
        stopping = isinstance(callback, EarlyStopping)
        best, epoch = outcome["early_stopping" if stopping else "plateau"]
        if isinstance(callback, (EarlyStopping, ReduceLROnPlateau)):
            callback.best, callback.best_epoch = (best, epoch) if epoch >= 0 else (None, None)
        if isinstance(callback, EarlyStopping) and outcome["stopped_epoch"] >= 0:
            callback.stopped_epoch = outcome["stopped_epoch"]
    result.score, result.seconds, result.error = outcome["score"], outcome["seconds"], outcome["error"]
    failed, interrupted = result.error is not None, outcome["interrupted"]
    result.status = "failed" if failed else "interrupted" if interrupted else "finished"


class _Counter(Callback):
    """Tells the core that an epoch is over."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:  # noqa: ARG002
        """Count the epoch."""
        self._count()


def _run_in_python(prepared: Prepared, result: FitResult, count: Callable[[], None]) -> None:
    """Train a network as `Sequential.fit` does, on a thread of the core's."""
    plan, model = prepared.plan, prepared.model
    trainer, started = model._ready(plan.network), perf_counter()
    result.status = "interrupted"
    try:
        _fitting.run(model, plan._replace(callbacks=[*plan.callbacks, _Counter(count)]))
        if plan.validation is not None:
            result.score = _fitting.validated(trainer, plan.validation)
        result.status = "finished"
    except Exception as error:
        result.status, result.error = "failed", error
    finally:
        result.seconds = perf_counter() - started
        trainer.release_memory()


def _stop(error: BaseException, results: FitResults) -> None:
    """Raise what ended everything, with the results so far."""
    done = f"{len(results.finished)} of {len(results)} networks are finished"
    if isinstance(error, KeyboardInterrupt) and not error.args:
        error.args = (f"{_OPERATION}: {done}; the exception's attribute `results` has them",)
    error.results = results  # type: ignore[attr-defined]
    raise error


def _warn(results: FitResults) -> None:
    if failed := results.failed:
        shown = "; ".join(f"{r.number} ({type(r.error).__name__}: {r.error})" for r in failed[:3])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        warnings.warn(
            f"{_OPERATION}: {len(failed)} of {len(results)} configurations failed: {shown}{more}; "
            "see the results' attribute `failed`",
            UserWarning,
            stacklevel=3,
        )
