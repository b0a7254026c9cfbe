"""`predict`, for networks of either kind of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from . import _arrays, _check
from ._native import core
from ._types import Array, ArrayLike


def arrays_of(network: core.Network) -> dict[str, Array]:
    """Parameters and statistics by name, as views."""
    return network.parameters() | network.states()


def copies_of(network: core.Network) -> dict[str, Array]:
    """The same as copies."""
    return {name: array.copy() for name, array in arrays_of(network).items()}


def put(network: core.Network, arrays: Mapping[str, Array]) -> None:
    """Put arrays that `copies_of` gave into a network, NaN among them or not."""
    for name, own in arrays_of(network).items():
        own[...] = arrays[name]


class Inference:
    """Runs `_network` on arrays of dtype `_real`."""

    _called: ClassVar[str]
    """What errors call the class."""
    _network: core.Network | None
    _real: np.dtype[Any]

    def predict(
        self,
        X: ArrayLike,
        *,
        batch_size: int | None = None,  # noqa: ARG002
        out: Array | None = None,
    ) -> Array:
        """Outputs of the network in inference mode. Safe to call from several threads at once.

        Parameters
        ----------
        X : array (N, columns)
            Inputs; NaN in a row gives NaN in its outputs.
        batch_size : int, optional
            Ignored: the network finds the best size by itself.
        out : ndarray (N, outputs), optional
            C-contiguous array of the network's dtype for the result.

        Returns
        -------
        ndarray (N, outputs)

        Raises
        ------
        RuntimeError
            The network is not built.
        ValueError, TypeError
            X does not fit, or a number in it is too large for the network's dtype.
        """
        network, real = self._network, self._real
        if network is None:
            raise RuntimeError(
                f"{self._called}.predict: the network is not built; fit it, build(input_width) or load one"
            )
        if type(X) is not np.ndarray or X.dtype is not real or X.ndim != 2 or not X.flags.c_contiguous:
            X = self._inputs(X, network)
        if out is None:
            out = np.empty((len(X), network.output_width), real)
        try:
            network.predict(X, out)
        except (TypeError, ValueError):  # checking first would cost time
            self._inputs(X, network)
            _arrays.output(out, (len(X), network.output_width), real, f"{self._called}.predict")
            raise  # out of a function of the user's
        return out

    def _inputs(self, X: ArrayLike, network: core.Network) -> Array:
        return _check.features(
            X, f"{self._called}.predict", "X", self._real, network.input_width, finite=False
        )
