"""A network whose weights are rounded to bfloat16, for faster inference."""

from __future__ import annotations

import numpy as np

from . import _check
from ._native import core
from ._types import Array, ArrayLike

__all__ = ["Bfloat16Network"]

_REAL = np.dtype(np.float32)


class Bfloat16Network:
    """What `Sequential.to_bfloat16` returns: a copy of a network, for `predict` only.

    The weights of `Dense` layers of more than 16 units are bfloat16 numbers, which are float32 without the
    last 16 bits, and so are the rows that they are multiplied with: each is rounded by at most :math:`2^{-9}`
    of itself. Sums, biases, activations and all other layers are float32. Outputs are those of the network to
    about three digits; on one kind of processor they are always the same bits, for any number of rows or
    threads.

    Processors that multiply bfloat16 numbers themselves (AVX512-BF16: AMD since Zen 4, Intel since Cooper
    Lake) gain a factor of 1.7 and more; elsewhere only few rows through large layers gain, because half the
    bytes are read.

    Attributes
    ----------
    input_width, output_width : int
        Columns of the inputs and outputs.
    nbytes : int
        Bytes of the rounded weights.
    """

    def __init__(self, network: core.Network) -> None:
        self._network = network
        self.input_width = network.input_width
        self.output_width = network.output_width
        self.nbytes = network.bfloat16_bytes()

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
            C-contiguous float32 array for the result.

        Returns
        -------
        ndarray (N, outputs)
        """
        if type(X) is not np.ndarray or X.dtype is not _REAL or X.ndim != 2 or not X.flags.c_contiguous:
            X = _check.features(X, "Bfloat16Network.predict", "X", _REAL, self.input_width, finite=False)
        if out is None:
            out = np.empty((len(X), self.output_width), _REAL)
        self._network.predict(X, out)
        return out

    def __repr__(self) -> str:
        """Widths and size."""
        return f"<Bfloat16Network {self.input_width} -> {self.output_width}, {self.nbytes} bytes of weights>"
