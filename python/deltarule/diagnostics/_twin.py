"""Copies of a network to work on, and what they compute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from deltarule import _check
from deltarule._families import Layer
from deltarule._inference import put
from deltarule._native import core
from deltarule._types import Array, ArrayLike

if TYPE_CHECKING:
    from deltarule._data import Data
    from deltarule.sequential import Sequential


class Twin(NamedTuple):
    """A copy in some dtype, with data for it."""

    net: Sequential
    network: core.Network
    data: Data

    def loss(self, prediction: Array) -> tuple[float, Array]:
        """Loss of predictions and its gradient."""
        loss = self.net._require_compiled("diagnostics").loss
        value, gradient = loss.kernel()(prediction, self.data.y, self.data.weight, **loss._settings)
        return float(value), gradient

    def training_loss(self) -> float:
        """Loss in training mode; every call has the same dropout."""
        return self.loss(self.network.copy().forward(self.data.X, True))[0]

    def gradients(self) -> dict[str, Array]:
        """Gradients of the loss in training mode, by parameter name."""
        working = self.network.copy()
        working.backward(self.loss(working.forward(self.data.X, True))[1])
        return {name: array.copy() for name, array in working.gradients().items()}


def twin(
    net: Sequential,
    X: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    operation: str,
    dtype: str = "float64",
    quiet: bool = False,
) -> Twin:
    """A copy of a compiled network; a network that is not built yet is built, in the copy.

    With `quiet`, dropout and noise are switched off.
    """
    model(net, operation)
    net._require_compiled(operation)
    copy = as_dtype(net, dtype, quiet)
    data, network = copy._data(X, y, sample_weight, operation)
    copy._network = network
    if not copy._is_adapted():
        network.adapt(data.X)
    return Twin(copy, network, data)


def rows(net: Sequential, X: ArrayLike, operation: str) -> Array:
    """Inputs for a built network."""
    model(net, operation)
    net._require_built(operation)
    given = _check.features(X, operation, "X", net._real, net._width())
    _check.not_empty(given, operation, "X")
    return given


def model(net: Any, operation: str) -> None:
    """Refuse anything but a Sequential."""
    from deltarule.sequential import Sequential

    _check.instance(net, Sequential, operation, "net", "a deltarule.Sequential")


def as_dtype(net: Sequential, dtype: str, quiet: bool = False) -> Sequential:
    """Copy with the same weights and compile settings, without optimizer state."""
    layers = map(_quiet, net.layers) if quiet else net.layers
    copy = type(net)(layers, seed=net.seed, dtype=dtype, name=net.name)
    if net._network is not None:
        copy.build(net._network.input_width)
        put(copy._require_built("diagnostics"), net.get_weights())
    copy._compiled, copy._adapted = net._compiled, net._adapted
    return copy


def _quiet(value: Any) -> Any:
    """A layer without randomness, inside it neither; names stay, so parameters keep theirs."""
    if isinstance(value, tuple):
        return tuple(map(_quiet, value))
    if not isinstance(value, Layer):
        return value
    settings = {name: _quiet(setting) for name, setting in value._settings.items()}
    if value.entry["only_training"]:
        settings[value.entry["parameters"][0]["name"]] = 0.0  # how much of it there is
    return type(value)(**settings)


def outputs(net: Sequential, X: Array) -> list[tuple[str, Array]]:
    """Name and output of every layer, in inference mode; a layer is followed by those inside it."""
    network = net._require_built("diagnostics")
    names = [layer["name"] for layer in network.layers()]
    return list(zip(names, core.layer_outputs(network, X), strict=True))


def rms(array: Array) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(array, dtype=np.float64)))) if array.size else 0.0
