"""A network whose weights are rounded to bfloat16, for faster inference."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _storage
from ._families import Layer
from ._inference import Inference, copies_of, put
from ._native import core
from ._types import Array

__all__ = ["Bfloat16Network"]


class Bfloat16Network(Inference):
    """What `Sequential.to_bfloat16` returns: a copy of a network, for `predict` only.

    The weights of `Dense` layers of more than 16 units are bfloat16 numbers, which are float32 without the
    last 16 bits, and so are the rows that they are multiplied with: each is rounded by at most :math:`2^{-8}`
    of itself. Sums, biases, activations and all other layers are float32. Outputs are those of the network to
    about three digits; on one kind of processor they are always the same bits, for any number of rows or
    threads.

    AMD's processors since Zen 4 multiply bfloat16 numbers themselves (AVX512-BF16) and gain a factor of 1.7
    and more. Elsewhere, and on Intel's, whose AVX512-BF16 is slower than float32, one row or a few through
    large layers gain up to 2.5, because half the bytes are read; many rows take about as long as with
    float32, through layers of 64 units and less up to a third longer.

    Attributes
    ----------
    input_width, output_width : int
        Columns of the inputs and outputs.
    nbytes : int
        Bytes of the rounded weights.
    """

    _called = "Bfloat16Network"
    _real = np.dtype(np.float32)

    _network: core.Network

    def __init__(self, network: core.Network, layers: tuple[Layer, ...], seed: int) -> None:
        self._network = network
        self._layers, self._seed = layers, seed
        self.input_width = network.input_width
        self.output_width = network.output_width
        self.nbytes = network.bfloat16_bytes()

    def __repr__(self) -> str:
        """Widths and size."""
        return f"<Bfloat16Network {self.input_width} -> {self.output_width}, {self.nbytes} bytes of weights>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Exact weights: rounded again they give the same bits.
        given = (self._layers, self._seed, self.input_width, copies_of(self._network))
        return _restored, (type(self), *given)


def _restored(
    cls: type[Bfloat16Network],
    layers: tuple[Layer, ...],
    seed: int,
    input_width: int,
    arrays: dict[str, Array],
) -> Bfloat16Network:
    network = core.Network(_storage.description(layers, seed))
    network.build(input_width)
    put(network, arrays)
    return cls(network.to_bfloat16(), layers, seed)
