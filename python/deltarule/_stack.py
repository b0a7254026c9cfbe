"""A stack of layers as a function: construction, inference, arrays, description."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _check, _foreign, _storage, _summary
from ._families import Layer
from ._inference import Inference, arrays_of, copies_of
from ._native import core
from ._types import Array, ArrayLike, Config
from .bfloat16 import Bfloat16Network

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self

_DTYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


class Stack(Inference):
    """What a `Sequential` can do without being compiled."""

    _called = "Sequential"

    def __init__(
        self,
        layers: Iterable[Layer] = (),
        seed: int | None = 0,
        dtype: Any = "float32",
        name: str | None = None,
    ) -> None:
        kind = _kind(dtype)
        if kind not in _DTYPES:
            raise _check.not_allowed("Sequential", "dtype", dtype, '"float32" or "float64"')
        if name is not None and not isinstance(name, str):
            raise TypeError(f"Sequential: name is {name!r}; allowed: text or None")
        self.name = name
        self.metadata: dict[str, Any] = {}  # JSON values of the user's, kept in the model file
        self._seed = _random_seed() if seed is None else _check.seed(seed, "Sequential")
        self._real = _DTYPES[kind]
        self._layers: list[Layer] = []
        self._network: core.Network | None = None
        self._adapted = False
        self._may_step = False  # looked at once: steps take microseconds
        if isinstance(layers, (Layer, str)) or not isinstance(layers, Iterable):
            raise TypeError(f"Sequential: layers is {layers!r}; allowed: a list of layers")
        for layer in layers:
            self.add(layer)

    def add(self, layer: Layer) -> None:
        """Append a layer; possible until the network is built."""
        allowed = "a layer" + _foreign.mistaken(layer, "layer")
        _check.instance(layer, Layer, "Sequential", f"layers[{len(self._layers)}]", allowed)
        if self._network is not None:
            raise RuntimeError("Sequential.add: the network is built already; make a new Sequential")
        self._layers.append(layer)

    def build(self, input_width: int) -> Self:
        """Fix the input width and make the weights; `fit` does this by itself at the first data.

        Parameters
        ----------
        input_width : int
            Columns of the inputs.

        Returns
        -------
        Stack
            The network itself.
        """
        width = _check.whole(input_width, "Sequential.build", "input_width")
        self._network = self._network_for(width, "Sequential.build")
        return self

    def adapt(self, X: ArrayLike) -> None:
        """Let the `Standardize` layers learn mean and deviation; the first `fit` does this by itself.

        Without either, `predict` and `evaluate` leave inputs as they are, and `train_on_batch` refuses them.

        Parameters
        ----------
        X : array (N, columns)
            Inputs.

        Raises
        ------
        ValueError
            X does not fit, or a `Standardize` layer stands behind one that changes the inputs.
        """
        X = _check.features(X, "Sequential.adapt", "X", self._real, self._width())
        _check.not_empty(X, "Sequential.adapt", "X")
        self._network = self._network_for(X.shape[1], "Sequential.adapt")
        self._network.adapt(X)
        self._adapted = True

    def to_bfloat16(self) -> Bfloat16Network:
        """Copy the network for inference with weights rounded to bfloat16: faster, to about three digits.

        Returns
        -------
        Bfloat16Network
            Has `predict`; later changes of this network do not reach it.

        Raises
        ------
        TypeError
            The network is float64.
        """
        network = self._require_built("Sequential.to_bfloat16")
        if self.dtype != "float32":
            raise TypeError(f"Sequential.to_bfloat16: the network is {self.dtype}; allowed: float32")
        return Bfloat16Network(network.to_bfloat16(), self.layers, self._seed)

    def export_c(
        self,
        path: str | Path,
        *,
        prefix: str = "model",
        test_inputs: ArrayLike | None = None,
        comment: str = "",
    ) -> None:
        """Write inference as one C99 file without dependencies, for microcontrollers and other programs.

        The file, which C++ takes as well, holds the weights, ``<prefix>_predict(input, output)``, a self-test
        and, in the comment at its top, what it costs in flash, memory and operations. It allocates nothing.

        Parameters
        ----------
        path : str or path
            The file, as in "model.h"; it appears complete or not at all.
        prefix : str, default "model"
            What all names in the file begin with: two networks in one program need two.
        test_inputs : array (N, columns), optional
            Rows of data for the self-test; without, rows are drawn at random.
        comment : str
            Put into the comment at the top.

        Raises
        ------
        ValueError
            Something cannot be written as C: functions and layers of your own (`deltarule.custom`), weights
            that are not finite, a prefix that is no name in C. No file is written.
        OSError
            The file cannot be written.
        """
        network = self._require_built("Sequential.export_c")
        rows = None
        if test_inputs is not None:
            operation = "Sequential.export_c"
            rows = _check.features(test_inputs, operation, "test_inputs", self._real, network.input_width)
            _check.not_empty(rows, operation, "test_inputs")
        network.export_c(os.fspath(path), prefix, comment, rows)

    def forward(self, X: ArrayLike, training: bool = True) -> Array:
        """Outputs of a hand-written training step.

        Parameters
        ----------
        X : array (N, columns)
            Inputs.
        training : bool, default True
            Keep what `backward` needs, drop units and use batch statistics; False is as `predict`.

        Returns
        -------
        ndarray (N, outputs)

        Raises
        ------
        RuntimeError
            In training, a `Standardize` layer that has not learned from data: call `adapt` first.
        """
        X = _check.features(X, "Sequential.forward", "X", self._real, self._width())
        network = self._network_for(X.shape[1], "Sequential.forward")
        if _check.flag(training, "Sequential.forward", "training"):
            self._require_adapted("Sequential.forward")
        self._network = network
        return network.forward(X, bool(training))

    def backward(self, dY: ArrayLike) -> Array:
        """Carry the gradient of the latest `forward`'s outputs back; fills `gradients`. Once per `forward`.

        Returns
        -------
        ndarray (N, columns)
            Gradient of the inputs.
        """
        network = self._require_built("Sequential.backward")
        given = _check.array(dY, "Sequential.backward", "dY")
        if given.ndim != 2 or given.shape[1] != network.output_width:
            raise ValueError(
                f"Sequential.backward: dY has shape {given.shape}; allowed: (N, {network.output_width})"
            )
        return network.backward(_check.convert(given, "Sequential.backward", "dY", self._real))

    def parameters(self) -> dict[str, Array]:
        """Trained arrays by name ("dense_1.weight"), as views: writing into them changes the network."""
        return self._require_built("Sequential.parameters").parameters()

    def gradients(self) -> dict[str, Array]:
        """Gradients by parameter name, as views; filled by `backward`."""
        return self._require_built("Sequential.gradients").gradients()

    def states(self) -> dict[str, Array]:
        """Statistics by name ("batch_norm_1.running_mean"), as views."""
        return self._require_built("Sequential.states").states()

    def get_weights(self) -> dict[str, Array]:
        """Copies of all parameters and statistics, by name."""
        return copies_of(self._require_built("Sequential.get_weights"))

    def set_weights(self, weights: Mapping[str, ArrayLike]) -> None:
        """Put the arrays that `get_weights` gave into the network.

        Statistics of a `Standardize` layer other than those of a new one stay in the first `fit` as well.

        Parameters
        ----------
        weights : dict of {name: array}
            All arrays of the network.

        Raises
        ------
        ValueError, TypeError
            A name, a shape or a value does not fit; nothing has changed.
        """
        operation = "Sequential.set_weights"
        network = self._require_built(operation)
        own = arrays_of(network)
        if not isinstance(weights, Mapping):
            raise TypeError(
                f"{operation}: weights is a {type(weights).__name__}; allowed: a dict of name: array, as "
                f"get_weights() gives it, with the names {', '.join(own)}"
            )
        if set(weights) != set(own):
            wrong = sorted(map(str, set(weights) ^ set(own)))
            raise ValueError(
                f"{operation}: weights must hold {', '.join(own)}; unknown or missing: {', '.join(wrong)}"
            )
        new = {name: _check.array(value, operation, name) for name, value in weights.items()}
        for name, value in new.items():
            if value.shape != own[name].shape:
                raise ValueError(f"{operation}: {name} has shape {value.shape}; allowed: {own[name].shape}")
            new[name] = _check.convert(value, operation, name, self._real)
            if complaint := network.complaint(name, new[name]):
                raise ValueError(f"{operation}: {name} {complaint}")
        for name, value in new.items():
            own[name][...] = value
        self._is_adapted()

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers, in order."""
        return tuple(self._layers)

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return self._network is not None

    @property
    def seed(self) -> int:
        """Seed of all random numbers."""
        return self._seed

    @property
    def dtype(self) -> str:
        """Type of all arrays, "float32" or "float64"."""
        return str(self._real)

    def config(self) -> Config:
        """Architecture as a dict of JSON values; `from_config` makes a new, untrained network of it."""
        return {
            "name": self.name,
            "seed": self._seed,
            "dtype": self.dtype,
            "layers": [layer.config() for layer in self._layers],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Inverse of `config`."""
        layers = [Layer.from_config(layer) for layer in config["layers"]]
        return cls(layers, seed=config["seed"], dtype=config["dtype"], name=config.get("name"))

    def summary(self) -> str:
        """Table of the layers with output widths and numbers of parameters."""
        return _summary.text(self)

    def __repr__(self) -> str:
        return _summary.brief(self)

    def _repr_html_(self) -> str:
        return _summary.html(self)

    def _width(self) -> int | None:
        return None if self._network is None else self._network.input_width

    def _network_for(self, width: int, operation: str) -> core.Network:
        """The network, or a new one for this input width that is not yet `self._network`."""
        if self._network is not None:
            if self._network.input_width != width:
                raise ValueError(
                    f"{operation}: the network is built for {self._network.input_width} columns, not {width}"
                )
            return self._network
        if not self._layers:
            raise RuntimeError(f"{operation}: the network has no layers; add some")
        try:
            network = core.Network(_storage.description(self._layers, self._seed), self.dtype)
            network.build(width)
        except ValueError as error:
            raise ValueError(f"{operation}: {error}") from None
        return network

    def _is_adapted(self) -> bool:
        """Whether statistics were learned or given."""
        if self._network is not None:
            if self._adapted:  # as a file or a copy says
                self._network.set_adapted()
            self._adapted = self._network.adapted
        return self._adapted

    def _require_adapted(self, operation: str) -> None:
        """Refuse to train weights for inputs that a later `fit` would shift."""
        if self._may_step:
            return
        if _has_standardize(self._layers) and not self._is_adapted():
            raise RuntimeError(
                f"{operation}: the Standardize layer has not learned mean and deviation yet; call adapt(X) "
                "first, with the training data or a sample of them (fit does it by itself)"
            )
        self._may_step = self._network is not None

    def _require_built(self, operation: str) -> core.Network:
        if self._network is None:
            raise RuntimeError(
                f"{operation}: the network is not built; fit it, build(input_width) or load one"
            )
        return self._network


def _has_standardize(layers: Iterable[Layer]) -> bool:
    return any(
        layer.entry["name"] == "standardize" or any(map(_has_standardize, layer.inside)) for layer in layers
    )


def _kind(dtype: Any) -> str:
    """Name of a dtype given as text, type or NumPy dtype."""
    try:
        return str(np.dtype(dtype))
    except TypeError:
        return repr(dtype)


def _random_seed() -> int:
    from secrets import randbits

    return randbits(32)
