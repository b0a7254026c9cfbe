"""Second derivatives: Hessian-vector products and the ends of the Hessian's spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from deltarule import _check
from deltarule._native import core
from deltarule._types import Array, ArrayLike

from ._twin import Twin, twin

if TYPE_CHECKING:
    from deltarule.sequential import Sequential


class HessianSpectrum:
    """What `hessian_spectrum` found.

    Attributes
    ----------
    lambda_max, lambda_min : float
        Largest and smallest eigenvalue of the Hessian (lambda_min < 0 at a saddle).
    condition_number : float
        lambda_max / lambda_min where the Hessian is positive definite, else infinity.
    largest_stable_rate : float
        2 / lambda_max: gradient descent with a larger rate moves away along the steepest direction. Infinity
        where lambda_max <= 0.
    vector : dict of {parameter name: ndarray}
        The eigenvector of lambda_max, of length 1.
    iterations : int
        Hessian-vector products that were needed.
    error : float
        Bound of the error of both eigenvalues (the residual norm).
    converged : bool
        Whether `error` is within the tolerance.
    """

    def __init__(
        self,
        low: float,
        high: float,
        vector: dict[str, Array],
        iterations: int,
        error: float,
        converged: bool,
    ) -> None:
        self.lambda_min, self.lambda_max, self.vector = low, high, vector
        self.iterations, self.error, self.converged = iterations, error, converged
        self.condition_number = high / low if low > error else np.inf
        self.largest_stable_rate = 2 / high if high > 0 else np.inf

    def __repr__(self) -> str:
        state = "" if self.converged else ", NOT converged"
        return (
            f"HessianSpectrum(lambda_max {self.lambda_max:.6g}, lambda_min {self.lambda_min:.6g}, "
            f"condition number {self.condition_number:.3g}, "
            f"largest stable rate {self.largest_stable_rate:.3g}; {self.iterations} products{state})"
        )


def hessian_vector_product(
    net: Sequential,
    X: ArrayLike,
    y: ArrayLike,
    vector: Mapping[str, ArrayLike] | ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
) -> dict[str, Array]:
    """Exact product H v of the loss's Hessian with a vector, in float64 (R-operator, Pearlmutter 1994).

    Like training, with batch statistics; dropout and noise are switched off. At kinks, derivatives are those
    of the left-hand branch.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`.
    vector : mapping of {parameter name: array}, or array (parameters,)
        v; as an array, all parameters in the order of `Sequential.parameters`.

    Returns
    -------
    dict of {parameter name: ndarray}

    Raises
    ------
    ValueError
        A layer or its activation has no R-operator yet.
    """
    operation = "hessian_vector_product"
    work = _smooth(net, X, y, sample_weight, operation)
    own = work.network.parameters()
    flat = _flat(vector, own, operation)
    return _by_name(_curvature(work, operation).times(flat), own)


def hessian_spectrum(
    net: Sequential,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    tolerance: float = 1e-6,
    max_iterations: int = 200,
    seed: int = 0,
) -> HessianSpectrum:
    """Largest and smallest eigenvalue of the loss's Hessian, by Lanczos with full reorthogonalisation.

    Parameters
    ----------
    net : Sequential
        A compiled network. It is not changed.
    X, y, sample_weight : array
        As for `Sequential.fit`.
    tolerance : float, default 1e-6
        Ends when both residuals are below this share of the largest |eigenvalue|.
    max_iterations : int, default 200
        Most Hessian-vector products; as many vectors are kept.
    seed : int, default 0
        Of the first vector.

    Returns
    -------
    HessianSpectrum
    """
    operation = "hessian_spectrum"
    limit = _check.real(tolerance, operation, "tolerance", 0)
    most = _check.whole(max_iterations, operation, "max_iterations")
    random = np.random.default_rng(_check.whole(seed, operation, "seed", 0))
    work = _smooth(net, X, y, sample_weight, operation)
    own = work.network.parameters()
    size = sum(a.size for a in own.values())
    if size == 0:
        raise ValueError(f"{operation}: the network has no parameters; allowed: at least one")
    curvature = _curvature(work, operation)
    basis = np.empty((min(most, size), size))
    diagonal: list[float] = []
    beside: list[float] = []
    v = random.normal(size=size)
    v /= np.linalg.norm(v)
    error, converged = np.inf, False
    values, vectors = np.zeros(1), np.ones((1, 1))
    for k in range(len(basis)):
        basis[k] = v
        w = curvature.times(v)
        diagonal.append(float(v @ w))
        for _ in range(2):  # twice is enough (Parlett 1998)
            w -= basis[: k + 1].T @ (basis[: k + 1] @ w)
        rest = float(np.linalg.norm(w))
        values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
        error = float(rest * np.abs(vectors[-1, [0, -1]]).max())
        scale = float(np.abs(values).max())
        # Nothing is left: the basis spans an invariant space.
        converged = error <= limit * scale or rest <= 1e-14 * max(scale, 1e-300)
        if converged:
            break
        beside.append(rest)
        v = w / rest
    top = basis[: len(diagonal)].T @ vectors[:, -1]
    vector = _by_name(top, own)
    return HessianSpectrum(float(values[0]), float(values[-1]), vector, len(diagonal), error, converged)


def _smooth(net: Sequential, X: ArrayLike, y: ArrayLike, weight: ArrayLike | None, operation: str) -> Twin:
    """A float64 copy without dropout."""
    return twin(net, X, y, weight, operation, quiet=True)


def _curvature(work: Twin, operation: str) -> core.Curvature:
    loss = work.net._require_compiled(operation).loss
    data = work.data
    try:
        return core.Curvature(work.network, loss.entry["name"], loss._settings, data.X, data.y, data.weight)
    except ValueError as error:
        raise ValueError(f"{operation}: {error}") from None


def _flat(vector: Mapping[str, ArrayLike] | ArrayLike, own: dict[str, Array], operation: str) -> Array:
    if isinstance(vector, Mapping):
        if set(vector) != set(own):
            wrong = ", ".join(sorted(set(vector) ^ set(own)))
            raise ValueError(f"{operation}: vector must hold {', '.join(own)}; unknown or missing: {wrong}")
        parts = []
        for name, array in own.items():
            part = _check.array(vector[name], operation, f"vector[{name!r}]")
            if part.shape != array.shape:
                raise ValueError(
                    f"{operation}: vector[{name!r}] has shape {part.shape}; allowed: {array.shape}"
                )
            parts.append(part.ravel())
        given = np.concatenate(parts)
    else:
        given = _check.array(vector, operation, "vector")
        size = sum(a.size for a in own.values())
        if given.shape != (size,):
            raise ValueError(
                f"{operation}: vector has shape {given.shape}; allowed: ({size},), one number per parameter"
            )
    return _check.convert(given, operation, "vector", np.float64)


def _by_name(flat: Array, own: dict[str, Array]) -> dict[str, Array]:
    result, start = {}, 0
    for name, array in own.items():
        result[name] = flat[start : start + array.size].reshape(array.shape)
        start += array.size
    return result
