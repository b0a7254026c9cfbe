"""Parameters of the scikit-learn estimators: their description and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _check, _stack

if TYPE_CHECKING:
    from ._estimator import Estimator

PARAMETERS = """hidden_layer_sizes : int or sequence of int, default (100,)
        Units of the hidden layers.
    activation : str or ActivationFunction, default "relu"
        Activation of the hidden layers, any of the catalogue.
    solver : str or Optimizer, default "adam"
        "adam" or "sgd" with the parameters below, "lbfgs" (all rows are one batch, whatever `batch_size` and
        `early_stopping` say), or any optimizer with its own parameters.
    alpha : float, default 1e-4
        L2 penalty of the weights, not of the biases: ``alpha / 2 * sum(w**2)``, divided by the sum of the
        row weights of a full batch, is added to the loss. For the solvers "adam", "sgd" and "lbfgs".
    batch_size : int or "auto", default "auto"
        Rows per step; "auto" is min(200, rows).
    learning_rate : {"constant", "invscaling", "adaptive"}, default "constant"
        How the rate changes after an epoch; for the solver "sgd" only. "invscaling" makes it
        ``learning_rate_init / (t_ + 1)**power_t``; "adaptive" divides it by 5 where training would end.
    learning_rate_init : float, default 1e-3
        Rate at the beginning of `fit`; for the solvers "adam" and "sgd".
    power_t : float, default 0.5
        Exponent of "invscaling".
    max_iter : int, default 200
        Largest number of epochs.
    shuffle : bool, default True
        Whether every epoch has its own order of rows.
    random_state : int, RandomState or None, default None
        Seed of weights, shuffling and validation split.
    tol, n_iter_no_change : float, default 1e-4, and int or inf, default 10
        Training ends after more than so many epochs in which the loss with its penalty (or the validation
        score) improved by less than `tol`; with the solver "lbfgs" where no element of the gradient is larger
        than `tol`.
    verbose : bool or int, default False
        Print loss and validation score of every epoch, and why training ended.
    warm_start : bool, default False
        Let the next `fit` start from the weights of the last one, with an optimizer made anew of the current
        parameters. The layers must be the same.
    momentum, nesterovs_momentum : float, default 0.9, and bool, default True
        For the solver "sgd"; 0 <= momentum < 1.
    early_stopping, validation_fraction : bool, default False, and float, default 0.1
        Set rows aside, watch their score and go back to the best epoch.
    beta_1, beta_2, epsilon : float, default 0.9, 0.999, 1e-8
        For the solver "adam".
    max_fun : int, default 15000
        For the solver "lbfgs": largest number of evaluations of the loss, counted as one for the start and
        one for each epoch (a step seldom needs more).
    dtype : {"float32", "float64"}, default "float32"
        Type of all arrays."""

ATTRIBUTES = """network_ : Sequential
        The network, whose outputs are logits for a classifier and logarithms for the loss "poisson".
    coefs_, intercepts_ : list of ndarray
        Weights (inputs, units) and biases (units,) of every layer. Arrays and elements of the lists can be
        assigned, which changes the network; shapes and lengths stay.
    loss_curve_, validation_scores_ : list of float
        Loss with its penalty and, with `early_stopping`, score of every epoch, also over the calls of `fit`
        with a warm start and of `partial_fit`.
    n_iter_, t_ : int
        Epochs of the last `fit` or `partial_fit`, and rows seen since the weights were made (not counted for
        the solver "lbfgs").
    loss_, best_loss_, best_validation_score_, n_layers_, n_outputs_, out_activation_
        As in scikit-learn.

    Notes
    -----
    Sparse matrices and arrays of SciPy are taken; their rows are made dense, all of them by `fit`, some at a
    time by `predict`.

    With the activations "identity", "logistic", "tanh" and "relu" weights and biases begin uniform between
    the bounds of scikit-learn, but with other random numbers; with others as `Dense` makes them.

    In an epoch whose last batch is smaller than the others, scikit-learn divides `alpha` by the rows of that
    batch in its last step.

    A `fit` or a first `partial_fit` that fails leaves the estimator as it was."""


def check(estimator: Estimator) -> None:
    """Refuse parameters outside their range; called by `fit`, as scikit-learn wants it."""
    e, name = estimator, type(estimator).__name__
    hidden_sizes(e)
    if _stack._kind(e.dtype) not in ("float32", "float64"):
        raise _check.not_allowed(name, "dtype", e.dtype, '"float32" or "float64"')
    for parameter in ("max_iter", "max_fun"):
        _check.whole(getattr(e, parameter), name, parameter)
    if e.n_iter_no_change != np.inf:
        _check.whole(e.n_iter_no_change, name, "n_iter_no_change", 1, "inf")
    for parameter in ("alpha", "power_t", "tol"):
        _check.real(getattr(e, parameter), name, parameter, 0)
    for parameter in ("momentum", "beta_1", "beta_2", "validation_fraction"):
        _check.real(getattr(e, parameter), name, parameter, 0, 1)
    for parameter in ("learning_rate_init", "epsilon"):
        if _check.real(getattr(e, parameter), name, parameter, 0) == 0:
            raise _check.not_allowed(name, parameter, getattr(e, parameter), "a number > 0")
    for parameter in ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
        _check.flag(getattr(e, parameter), name, parameter)
    if not isinstance(e.verbose, (bool, np.bool_)):
        _check.whole(e.verbose, name, "verbose", 0, "True or False")
    if e.early_stopping and e.validation_fraction == 0:
        allowed = "a number with 0 < validation_fraction < 1, as early_stopping is True"
        raise _check.not_allowed(name, "validation_fraction", e.validation_fraction, allowed)
    if not (isinstance(e.batch_size, str) and e.batch_size == "auto"):
        _check.whole(e.batch_size, name, "batch_size", 1, '"auto"')
    if e.learning_rate not in ("constant", "invscaling", "adaptive"):
        allowed = "'constant', 'invscaling' or 'adaptive'"
        raise _check.not_allowed(name, "learning_rate", e.learning_rate, allowed)


def hidden_sizes(estimator: Estimator) -> list[int]:
    """Units of the hidden layers."""
    given, name = estimator.hidden_layer_sizes, type(estimator).__name__
    allowed = "a whole number >= 1 or a sequence of them"
    listed: Any = given.tolist() if isinstance(given, np.ndarray) else given
    if isinstance(listed, (str, bytes, Mapping, set)) or listed is None:
        raise TypeError(f"{name}: hidden_layer_sizes is {given!r}; allowed: {allowed}")
    sizes = list(listed) if isinstance(listed, Iterable) else [listed]
    for size in sizes:
        if isinstance(size, (bool, np.bool_)) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"{name}: hidden_layer_sizes is {given!r}; allowed: {allowed}")
        if size < 1:
            raise _check.not_allowed(name, "hidden_layer_sizes", given, allowed)
    return [int(size) for size in sizes]
