"""McCulloch and Pitts' unit, and circuits built of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from . import _check
from ._native import core
from ._types import Array, ArrayLike

if TYPE_CHECKING:
    from typing_extensions import Self

_GATES: Mapping[str, tuple[tuple[float, ...], float]] = {
    "and": ((1.0, 1.0), 2.0),
    "or": ((1.0, 1.0), 1.0),
    "not": ((-1.0,), 0.0),
    "nand": ((-2.0, -2.0), -3.0),  # -2 x1 - 2 x2 + 3 >= 0
    "nor": ((-1.0, -1.0), 0.0),
}


class McCullochPitts(BaseEstimator):  # type: ignore[misc]
    """McCulloch and Pitts' neuron: it fires, y = 1, where Σ w_i x_i >= threshold, for inputs 0 and 1.

    Nothing is learned: `fit` only notes the number of inputs. Positive weights excite, negative weights
    inhibit.

    Parameters
    ----------
    weights : sequence of float, optional
        One per input; None is 1 for every input.
    threshold : float, default 1.0
        Σ w_i x_i at which the unit fires; its negative is what is called the bias.
    inhibition : {"weighted", "absolute"}, default "weighted"
        "absolute" is the paper's: one active input with a negative weight keeps the unit silent.

    Notes
    -----
    Source: McCulloch & Pitts 1943.

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.historical.McCullochPitts.gate("nand").predict([[0, 0], [0, 1], [1, 0], [1, 1]])
    array([1, 1, 1, 0])
    """

    def __init__(
        self,
        weights: Sequence[float] | None = None,
        *,
        threshold: float = 1.0,
        inhibition: str = "weighted",
    ) -> None:
        self.weights = weights
        self.threshold = threshold
        self.inhibition = inhibition

    @classmethod
    def gate(cls, name: str) -> Self:
        """Unit of a logic gate: "and", "or", "not", "nand" or "nor"."""
        if name not in _GATES:
            raise _check.not_allowed("McCullochPitts.gate", "name", name, ", ".join(map(repr, _GATES)))
        weights, threshold = _GATES[name]
        return cls(weights, threshold=threshold)

    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: ARG002
        """Check parameters and inputs (N, inputs); there is nothing to learn."""
        X = validate_data(self, X, dtype=np.float64)
        self._weights(X, "McCullochPitts.fit")
        return self

    def predict(self, X: ArrayLike) -> Array:
        """1 where the unit fires, 0 where it does not (N,), for inputs of 0 and 1 (N, inputs)."""
        operation = "McCullochPitts.predict"
        X = _check.features(X, operation, "X", np.float64, None)
        w = self._weights(X, operation)
        out = np.empty(len(X))
        threshold = _check.real(self.threshold, operation, "threshold", -np.inf)
        core.fire_threshold_unit(X, w, threshold, self.inhibition == "absolute", out)
        return out.astype(int)

    def _weights(self, X: Array, operation: str) -> Array:
        """The weights, when everything fits the inputs."""
        _check.real(self.threshold, operation, "threshold", -np.inf)
        if self.inhibition not in ("weighted", "absolute"):
            raise _check.not_allowed(operation, "inhibition", self.inhibition, "'weighted' or 'absolute'")
        given = np.ones(X.shape[1]) if self.weights is None else self.weights
        w = _check.convert(_check.array(given, operation, "weights"), operation, "weights", np.float64)
        if w.shape != (X.shape[1],):
            raise ValueError(
                f"{operation}: X has shape {X.shape}, but there are weights of shape {w.shape}; "
                "allowed: one column per weight"
            )
        _check_binary(X, operation)
        return w

    def __sklearn_is_fitted__(self) -> bool:
        return True


class NandCircuit:
    """A circuit of NAND gates, each a `McCullochPitts` unit: any logic function can be built this way.

    Parameters
    ----------
    inputs : int
        Number of inputs: signals 0 to inputs - 1.
    gates : sequence of (int, int)
        The two signals that each gate reads, inputs or earlier gates; gate k gives signal inputs + k.
    outputs : sequence of int
        The signals that are the result.

    Examples
    --------
    >>> import deltarule as dr
    >>> dr.historical.NandCircuit.of("xor").predict([[0, 0], [0, 1], [1, 0], [1, 1]])
    array([0, 1, 1, 0])
    """

    circuits: ClassVar[Mapping[str, tuple[int, Sequence[tuple[int, int]], Sequence[int]]]] = {
        "not": (1, [(0, 0)], [1]),
        "nand": (2, [(0, 1)], [2]),
        "and": (2, [(0, 1), (2, 2)], [3]),
        "or": (2, [(0, 0), (1, 1), (2, 3)], [4]),
        "xor": (2, [(0, 1), (0, 2), (1, 2), (3, 4)], [5]),
        # sum, carry
        "half_adder": (2, [(0, 1), (0, 2), (1, 2), (3, 4), (2, 2)], [5, 6]),
        "full_adder": (
            3,
            [(0, 1), (0, 3), (1, 3), (4, 5), (6, 2), (6, 7), (2, 7), (8, 9), (7, 3)],
            [10, 11],
        ),
    }

    def __init__(self, inputs: int, gates: Sequence[tuple[int, int]], outputs: Sequence[int]) -> None:
        self.inputs = _check.whole(inputs, "NandCircuit", "inputs")
        for k, pair in enumerate(gates):
            if len(pair) != 2:
                raise _check.not_allowed("NandCircuit", f"gates[{k}]", pair, "two signals")
            for signal in pair:
                _signal(signal, f"gates[{k}]", self.inputs + k)
        if not len(outputs):
            raise _check.not_allowed("NandCircuit", "outputs", outputs, "at least one signal")
        for k, signal in enumerate(outputs):
            _signal(signal, f"outputs[{k}]", self.inputs + len(gates))
        self.gates = [(a, b) for a, b in gates]
        self.outputs = list(outputs)

    @classmethod
    def of(cls, name: str) -> Self:
        """Ready circuit: "not", "nand", "and", "or", "xor", "half_adder" or "full_adder" (sum, carry)."""
        if name not in cls.circuits:
            raise _check.not_allowed("NandCircuit.of", "name", name, ", ".join(map(repr, cls.circuits)))
        return cls(*cls.circuits[name])

    def predict(self, X: ArrayLike) -> Array:
        """Outputs for rows of 0 and 1 (N, inputs): (N,) for one output, else (N, outputs)."""
        X = _check.features(X, "NandCircuit.predict", "X", np.float64, None)
        if X.shape[1] != self.inputs:
            raise ValueError(
                f"NandCircuit.predict: X has shape {X.shape}; "
                f"allowed: (N, {self.inputs}), one column per input"
            )
        _check_binary(X, "NandCircuit.predict")
        unit = McCullochPitts.gate("nand")
        signals = [X[:, j].astype(int) for j in range(self.inputs)]
        for a, b in self.gates:
            signals.append(unit.predict(np.stack([signals[a], signals[b]], axis=1)))
        result = [signals[k] for k in self.outputs]
        return result[0] if len(result) == 1 else np.stack(result, axis=1)

    def __repr__(self) -> str:
        return f"NandCircuit({self.inputs}, {self.gates}, {self.outputs})"


def _signal(value: Any, argument: str, limit: int) -> None:
    number = _check.whole(value, "NandCircuit", argument, 0)
    if number >= limit:
        allowed = f"signals 0 to {limit - 1}, which exist before it"
        raise _check.not_allowed("NandCircuit", argument, number, allowed)


def _check_binary(X: Array, operation: str) -> None:
    wrong = (X != 0) & (X != 1)
    if wrong.any():
        i, j = np.unravel_index(int(np.argmax(wrong)), X.shape)
        raise ValueError(f"{operation}: X[{i}, {j}] = {X[i, j]:g} is no signal; allowed: 0 and 1")
