"""Network and optimizer of the scikit-learn estimators."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import check_random_state

from . import _storage
from ._estimator_parameters import hidden_sizes
from ._families import ActivationFunction, Optimizer
from .initializers import Uniform
from .layers import Dense
from .optimizers import LBFGS, SGD, Adam
from .sequential import Sequential

if TYPE_CHECKING:
    from ._estimator import Estimator
    from ._estimator_data import Rows

# scikit-learn's initial weights lie within sqrt(this / (inputs + units)).
_BOUNDS = {"identity": 6.0, "relu": 6.0, "tanh": 6.0, "sigmoid": 2.0}


def make(estimator: Estimator, columns: int, outputs: int, before: Sequential | None) -> Sequential:
    """A network as the parameters describe it, with the weights of the one `before`."""
    e, name = estimator, type(estimator).__name__
    seed = before.seed if before else int(check_random_state(e.random_state).randint(2**31 - 1))
    activation = ActivationFunction.make(e.activation, name, "activation")
    bound = _BOUNDS.get(activation.entry["name"])
    widths = [columns, *hidden_sizes(e), outputs]
    layers = []
    for i, (inputs, units) in enumerate(pairwise(widths)):
        start: dict[str, Any] = {}
        if bound is not None:
            uniform = Uniform(float(np.sqrt(bound / (inputs + units))))
            start = {"initializer": uniform, "bias_initializer": uniform}
        layers.append(Dense(units, activation if i < len(widths) - 2 else None, **start))
    network = Sequential(layers, seed=seed, dtype=e.dtype).build(columns)
    if before is not None:
        weights = before.get_weights()
        ours, theirs = _shapes(network.get_weights()), _shapes(weights)
        if ours != theirs:
            raise ValueError(
                f"{name}: the parameters and y ask for layers with {ours}, but warm_start goes on with "
                f"{theirs}; allowed: the same layers, or warm_start=False"
            )
        network.set_weights(weights)
        network.epoch = before.epoch  # the order of the rows goes on changing
    return network


def _shapes(weights: dict[str, Any]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in weights.items())


def whole(estimator: Estimator) -> bool:
    """Whether the solver takes all rows as one batch."""
    if isinstance(estimator.solver, str) and estimator.solver in ("adam", "sgd"):
        return False
    rule = Optimizer.make(estimator.solver, type(estimator).__name__, "solver")
    return bool(rule.entry["reach"] == "network")


def named(estimator: Estimator, *solvers: str) -> bool:
    """Whether the solver is one of scikit-learn's names."""
    return isinstance(estimator.solver, str) and estimator.solver in solvers


def batch(estimator: Estimator, rows: int) -> int:
    """Rows per step."""
    if whole(estimator):
        return rows
    return min(200 if estimator.batch_size == "auto" else int(estimator.batch_size), rows)


def decay(estimator: Estimator, rows: Rows) -> float:
    """Factor on the weights in the gradient of scikit-learn's loss."""
    if not named(estimator, "adam", "sgd", "lbfgs"):
        return 0.0
    return float(estimator.alpha) / (batch(estimator, len(rows.X)) * mean_weight(rows))


def mean_weight(rows: Rows) -> float:
    """Mean of the row weights."""
    return 1.0 if rows.weight is None else float(np.mean(rows.weight))


def compile_for(estimator: Estimator, network: Sequential, rows: Rows) -> None:
    """Begin with the optimizer that the parameters describe."""
    e, part = estimator, share(estimator, network)
    factor = decay(e, rows) * part
    network.compile(
        _optimizer(e, factor, part),
        e._loss,
        l2=factor / 2 if named(e, "lbfgs") else 0.0,
        decay_exclude="bias_and_norm" if named(e, "adam", "sgd") else None,
    )


def compile_again(estimator: Estimator, network: Sequential, rows: Rows) -> None:
    """Keep the optimizer with its state, as `partial_fit` does, but take the penalty that fits these rows."""
    compiled, trainer = network.compiled, network._trainer
    if (
        compiled is None
        or trainer is None
        or compiled.optimizer.entry["reach"] == "network"
        or compiled.loss.entry["name"] != estimator._loss
    ):
        compile_for(estimator, network, rows)
        return
    factor = decay(estimator, rows) * share(estimator, network)
    kept = compiled.control.decay_exclude
    if kept is None or compiled.optimizer.weight_decay == factor:
        return
    rate, counts, states = trainer.learning_rate, (trainer.step, trainer.averaged), trainer.states()
    rule = Optimizer.from_config({**compiled.optimizer.config(), "weight_decay": factor})
    network.compile(rule, compiled.loss, decay_exclude=kept)
    settings = network._require_compiled("partial_fit").settings(network.seed)
    network._trainer = _storage.trainer_from(network._require_built("partial_fit"), settings, counts, states)
    network._trainer.learning_rate = rate


def share(estimator: Estimator, network: Sequential) -> float:
    """What part of scikit-learn's gradient the loss of the network has: "poisson_nll" is a mean over outputs.

    The rate of "sgd" is multiplied by the number of outputs instead, and epsilon of "adam" divided by it.
    """
    width = network._require_built("fit").output_width
    return 1.0 / width if estimator._loss == "poisson_nll" else 1.0


def _optimizer(e: Estimator, factor: float, part: float) -> Optimizer:
    if named(e, "adam"):
        return Adam(
            e.learning_rate_init,
            beta_1=e.beta_1,
            beta_2=e.beta_2,
            epsilon=e.epsilon * part,
            weight_decay=factor,
            epsilon_hat=True,
        )
    if named(e, "sgd"):
        return SGD(
            e.learning_rate_init / part,
            momentum=e.momentum,
            nesterov=bool(e.nesterovs_momentum) and e.momentum > 0,
            weight_decay=factor,
            rate_in_buffer=True,
        )
    if named(e, "lbfgs"):
        return LBFGS(gradient_tolerance=e.tol * part, max_evaluations=min(25, e.max_fun))
    return Optimizer.make(e.solver, type(e).__name__, "solver")
